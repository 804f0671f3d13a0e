"""When a credential is news."""

import pytest

from pipeline.rules.credential import Told, Word, news, word


@pytest.mark.parametrize(
    ("enabled", "status", "other_team", "said"),
    [
        (True, "VALID", False, "valid"),
        (True, "INVALID", False, "refused"),
        (True, "VALID", True, "other_team"),
        (True, "PENDING", False, None),
        (True, None, False, None),
        (False, None, False, "disconnected"),
        (False, "VALID", False, "disconnected"),
    ],
)
def test_what_a_look_says(enabled: bool, status: str | None, other_team: bool, said: str | None) -> None:
    assert word(enabled=enabled, status=status, other_team=other_team) == said


@pytest.mark.parametrize(
    ("before", "said", "is_news"),
    [
        (None, "valid", True),
        (None, "refused", True),
        (None, "other_team", True),
        (None, "disconnected", False),
        (None, None, False),
        ("valid", "valid", False),
        ("valid", None, False),
        ("valid", "refused", True),
        ("valid", "disconnected", True),
        ("valid", "other_team", True),
        ("refused", "disconnected", False),
        ("disconnected", "refused", False),
        ("refused", "valid", True),
        ("disconnected", "valid", True),
    ],
)
def test_only_a_change_is_news(before: Word | None, said: Word | None, is_news: bool) -> None:
    told = news(None if before is None else Told(before, 5), said, 9)
    assert told == (Told(said, 9) if is_news and said else None)


def test_the_time_rises_even_where_a_clock_was_set_back() -> None:
    assert news(Told("valid", 100), "refused", 7) == Told("refused", 101)

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.picker import matching, page_of
from api.shown import ChannelShown


def channel(number: int, name: str | None) -> ChannelShown:
    return ChannelShown(
        channel=f"C{number}",
        name=name,
        is_private=False,
        is_shared=False,
        is_ext_shared=False,
        is_archived=False,
        is_im=name is None,
        is_mpim=False,
        members=None,
    )


def rows(*names: str | None) -> list[ChannelShown]:
    return list(itertools.starmap(channel, enumerate(names)))


def found(query: str, *names: str | None) -> list[str | None]:
    return [row.name for row in matching(rows(*names), query)]


@pytest.mark.parametrize("query", ["equipe", "ÉQUIPE", " #équipe ", "quip", "e\u0301quipe"])
def test_a_channel_is_found_without_regard_to_case_accents_and_form(query: str) -> None:
    assert found(query, "general", "équipe-paris", "Equipe", None) == ["Equipe", "équipe-paris"]


def test_letters_that_differ_in_their_script_are_told_apart() -> None:
    assert found("か", "かき", "がき") == ["かき"]


def test_an_id_finds_its_channel_with_or_without_a_name() -> None:
    assert [row.channel for row in matching(rows("a", None, "c1"), "C1")] == ["C1", "C2"]


@pytest.mark.parametrize("query", ["", "  ", "#"])
def test_nothing_looked_for_is_everything_by_name_as_people_sort(query: str) -> None:
    assert found(query, "zebra", "Äpfel", None, "apfel", "Birne") == [None, "apfel", "Äpfel", "Birne", "zebra"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "é", None]), max_size=9), st.integers(1, 4))
def test_the_pages_together_are_the_list(names: list[str | None], limit: int) -> None:
    whole = matching(rows(*names), "")
    after, pages = None, []
    while True:
        page, after = page_of(whole, after, limit)
        pages.append(page)
        if after is None:
            break
    assert [row for page in pages for row in page] == whole
    assert all(len(page) == limit for page in pages[:-1])
    assert len(pages[-1]) in range(1, limit + 1) or not whole


def test_a_place_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="C9"):
        page_of(rows("a", "b"), "C9", 1)

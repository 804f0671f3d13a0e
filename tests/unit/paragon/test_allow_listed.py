"""Lists that others have put into Paragon's metadata, and the moments that a person types."""

from argparse import ArgumentTypeError
from typing import Any

import pytest

from cli.moments import moment
from pipeline.paragon.me import allow_listed


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (["C2", "C1", "C1"], (["C1", "C2"], 0)),
        ([], ([], 0)),
        ([{"id": "G1", "name": "plans"}], (["G1"], 0)),
        ('["C1"]', (["C1"], 0)),
        ("C1, C2", (["C1", "C2"], 0)),
        ("", ([], 0)),
        (["general", None, 7, {}, ["C1"], "U1", "D1", "C1"], (["C1", "D1"], 6)),
        (None, None),
        ({"C1": True}, None),
        ("7", None),
    ],
)
def test_ids_are_read_from_what_others_write_and_nothing_is_guessed(listed: Any, found: Any) -> None:
    assert allow_listed({"allowListedChannels": listed}) == found


def test_metadata_without_a_list_has_none() -> None:
    assert allow_listed({"plan": "pro"}) is None


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("2023-11-14", 1_699_920_000_000_000),
        ("20231114", 1_699_920_000_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000_000),
        ("1700000000.000100", 1_700_000_000_000_100),
        ("1700000000", 1_700_000_000_000_000),
    ],
)
def test_a_moment_is_a_date_in_utc_or_a_ts_to_the_microsecond(text: str, microseconds: int) -> None:
    assert moment(text) == microseconds


@pytest.mark.parametrize("text", ["", "yesterday", "1700000000.0001000", "²²²²²²²²²²", "1700000000.x"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        moment(text)

"""What somebody else has changed of our keys in the metadata."""

from typing import Any

import pytest

from pipeline.rules.drift import Drift, drift

OURS: dict[str, Any] = {"userid": "u/o", "allowListedChannels": ["C1", "C2"]}


def test_what_we_wrote_is_no_drift_whatever_else_is_there() -> None:
    assert drift({**OURS, "plan": "pro", "other": ["C9"]}, OURS, ["C1", "C2"]) is None


@pytest.mark.parametrize(
    ("changed", "listed", "found"),
    [
        ({"userid": "somebody"}, ["C1", "C2"], Drift(["userid"], [], [])),
        ({"allowListedChannels": ["C2", "C9"]}, ["C2", "C9"], Drift(["allowListedChannels"], ["C9"], ["C1"])),
        ({"allowListedChannels": ["C2", "C1"]}, ["C1", "C2"], Drift(["allowListedChannels"], [], [])),
        ({"allowListedChannels": None}, [], Drift(["allowListedChannels"], [], ["C1", "C2"])),
        ({"userid": 1, "allowListedChannels": []}, [], Drift(["allowListedChannels", "userid"], [], ["C1", "C2"])),
    ],
)
def test_a_key_that_holds_something_else_is_one(changed: dict[str, Any], listed: list[str], found: Drift) -> None:
    assert drift(OURS | changed, OURS, listed) == found


def test_a_key_that_is_gone_is_one() -> None:
    assert drift({"plan": "pro"}, OURS, []) == Drift(["allowListedChannels", "userid"], [], ["C1", "C2"])


def test_a_list_that_is_not_ours_is_not_looked_at() -> None:
    assert drift({"userid": "u/o", "allowListedChannels": ["C9"]}, {"userid": "u/o"}, ["C9"]) is None

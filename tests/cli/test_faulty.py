"""What a pass under faults calls settled, and what it does not let pass."""

from typing import Any, cast

import pytest

from cli.exact import Exact
from cli.faulty import Faulty, Outcome, as_json, as_table
from cli.story import every_other
from cli.walk import Player, Walk, players

NOTHING = {"head": 9, "tail": 0, "start": None, "run": None, "back": None, "re": None, "th": None, "again": None}


class Shown:
    """What the API would show: C1 as given, beside a channel that is covered."""

    def __init__(self, *runs: tuple[str, str], moved: int = 0, **c1: Any) -> None:
        self._runs = [{"id": name, "state": state, "kind": "live"} for name, state in runs]
        channels = {"C0": NOTHING, "C1": NOTHING | c1}
        self._coverage = {"channels": channels, "plan": {"moved_threads": moved}}

    def runs(self, _: Player) -> list[dict[str, Any]]:
        return self._runs

    def coverage(self, _: Player) -> dict[str, Any]:
        return self._coverage

    def faulty(self) -> Faulty:
        return Faulty(cast(Walk, self), players(1), every_other, "drop")


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [
        (Shown(("a", "covered"), ("b", "missed"), ("c", "halved")), []),
        (Shown(("a", "requested"), ("b", "receiving"), run="a"), []),
        (Shown(("a", "blocked"), run="a"), ["1 windows are blocked"]),
        (Shown(("a", "given_up"), ("b", "given_up")), ["2 windows are given_up"]),
        (Shown(("a", "covered"), run="z"), ["1 windows are open for long"]),
        (Shown(back="z", th="y"), ["2 windows are open for long"]),
    ],
)
def test_windows_that_are_neither_covered_nor_explained_are_problems(shown: Shown, wrong: list[str]) -> None:
    assert shown.faulty()._open() == wrong


@pytest.mark.parametrize(
    ("shown", "read"), [(Shown(), True), (Shown(again=5), False), (Shown(again=0), False), (Shown(moved=1), False)]
)
def test_all_is_read_again_when_nothing_of_it_is_left_and_no_thread(shown: Shown, *, read: bool) -> None:
    assert shown.faulty()._read(players(1)[0], ["C0", "C1"]) is read


@pytest.mark.parametrize(
    ("outcome", "kept"),
    [
        (Outcome(Exact(2), {}, {}, 0, 0), True),
        (Outcome(Exact(2, missing=["T:C:1"]), {}, {}, 0, 0), False),
        (Outcome(Exact(2, extra=["T:C:1"]), {}, {}, 0, 0), False),
        (Outcome(Exact(2, different=["T:C:1"]), {}, {}, 0, 0), False),
        (Outcome(Exact(2), {}, {}, 1, 0), False),
        (Outcome(Exact(2), {}, {}, 0, 1), False),
        (Outcome(Exact(2), {}, {}, 0, 0, ["drop never struck"]), False),
    ],
)
def test_an_outcome_is_kept_only_if_nothing_at_all_is_wrong(outcome: Outcome, *, kept: bool) -> None:
    assert outcome.kept is kept
    assert ("the mesh is what Slack shows" in as_table(outcome)) is kept
    assert ('"kept": true' in as_json(outcome)) is kept


def test_what_is_told_of_a_difference_are_ids() -> None:
    told = Exact(2, missing=[f"T:C:{n}" for n in range(30)]).lines()
    assert told == [f"missing: {', '.join(f'T:C:{n}' for n in range(20))}"]

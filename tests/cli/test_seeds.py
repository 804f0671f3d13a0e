"""`./sluice demo --faults … --seeds …`: which seeds, one line each, and a status that tells whether all kept."""

import argparse
import json
from collections.abc import Callable

import pytest

from cli import seeds
from cli.__main__ import main
from cli.exact import Exact
from cli.exits import Exit
from cli.faulty import Outcome
from cli.walk import StalledError
from simulator.faults import FAULTS, named


def outcome(*missing: str) -> Outcome:
    exact = Exact(messages=3, missing=list(missing))
    return Outcome(exact, {"drop": 2, "late": 1}, {"covered": 4}, 0, 0, seconds=1.5, again="./sluice demo --seed 2")


def once(seed: int) -> Outcome:
    """Seed 2 lacks a message, seed 3 stalls."""
    if seed == 3:
        raise StalledError("nothing moved")
    return outcome(*(["T1:C1:1.0"] if seed == 2 else []))


@pytest.mark.parametrize(
    ("text", "found"), [("1-3", [1, 2, 3]), ("7", [7]), ("3,9-10", [3, 9, 10]), ("0-0", [0]), (" 5 , 6", [5, 6])]
)
def test_seeds_are_numbers_and_spans(text: str, found: list[int]) -> None:
    assert seeds.numbers(text) == found


@pytest.mark.parametrize("text", ["", "-", "1-", "-3", "x", "1..3", "5-1", "1-999999", "0-10000", "²"])
def test_what_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        seeds.numbers(text)


def play(numbers: list[int], *, as_json: bool = False, of: Callable[[int], Outcome] = once) -> Exit:
    return seeds.play(numbers, of, as_json=as_json)


def test_each_seed_is_a_line_and_the_last_one_says_how_many_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert play([1, 2, 3, 4]) == Exit.FAILED
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1/4  seed 1: kept in 1.5 s; 3 messages, 3 strikes of 2 faults"
    assert "NOT kept" in lines[1]
    assert "missing: T1:C1:1.0" in lines[1]
    assert "again: ./sluice demo --seed 2" in lines[1]
    assert lines[2] == "3/4  seed 3: nothing moved"
    assert lines[4].startswith("2 of 4 seeds kept")
    assert lines[4].endswith("not kept: 2, 3")


def test_it_is_done_only_if_all_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert play([1, 4]) == Exit.DONE
    assert "not kept" not in capsys.readouterr().out


def test_as_json_each_seed_is_an_object_and_the_rest_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert play([1, 3], as_json=True) == Exit.FAILED
    said = capsys.readouterr()
    first, second = (json.loads(line) for line in said.out.splitlines())
    assert (first["seed"], first["kept"], first["exact"]["messages"]) == (1, True, 3)
    assert (second["seed"], second["kept"], second["problems"]) == (3, False, ["nothing moved"])
    assert "1 of 2 seeds kept" in said.err


def test_seeds_without_faults_are_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--seeds", "1-2"]) == Exit.USAGE
    assert "--seeds goes with --faults" in capsys.readouterr().err


def test_all_faults_are_named_all() -> None:
    assert named(",".join(FAULTS)) == "all"
    assert named("drop,late") == "drop,late"

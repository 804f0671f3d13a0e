"""`./sluice bench`: what it says of figures, in what order it measures, and that its subjects still run."""

import argparse
import json
import sys
from types import SimpleNamespace

import pytest

from bench import ledger
from bench.dispatch import town
from bench.ledger import year
from bench.mesh import latency, sqlite
from bench.result import Claim, Found, Series, ratio
from bench.rounds import side_by_side
from cli import bench
from cli.exits import Exit


def command(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return bench.run(parser.parse_args(argv))


def found(*values: float) -> Found:
    series = Series("one / other", "ratio", values)
    return Found([series], [Claim("one keeps half", series, 0.5)], ["so many rounds"])


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> dict[str, Found]:
    """A subject that finds what the test puts here."""
    finds: dict[str, Found] = {}
    monkeypatch.setitem(sys.modules, "bench_played", SimpleNamespace(measure=lambda quick: finds["it"]))
    monkeypatch.setattr(bench, "SUBJECTS", {"played": bench.Subject("a play", "bench_played")})
    return finds


def test_a_target_that_is_met_is_done_and_one_that_is_not_has_failed(
    played: dict[str, Found], capsys: pytest.CaptureFixture[str]
) -> None:
    played["it"] = found(0.4, 0.6, 0.7)
    assert command("played") == Exit.DONE
    assert "one keeps half: met" in capsys.readouterr().out
    played["it"] = found(0.4, 0.49, 0.7)
    assert command() == Exit.FAILED
    assert "one keeps half: NOT MET" in capsys.readouterr().out


def test_json_has_the_machine_and_every_round(played: dict[str, Found], capsys: pytest.CaptureFixture[str]) -> None:
    played["it"] = found(0.4, 0.6, 0.9)
    command("--json", "--quick")
    told = json.loads(capsys.readouterr().out)
    assert (told["quick"], told["machine"]["cores"] >= 1) == (True, True)
    (claim,) = told["subjects"]["played"]["claims"]
    assert (claim["min"], claim["median"], claim["max"], claim["met"]) == (0.4, 0.6, 0.9, True)
    assert claim["values"] == [0.4, 0.6, 0.9]


def test_a_subject_that_is_none_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("nothing") == Exit.USAGE
    assert "there is no subject 'nothing'" in capsys.readouterr().err


def test_conditions_take_turns_and_none_is_always_first() -> None:
    order: list[str] = []
    side_by_side({name: lambda name=name: order.append(name) for name in "ab"}, 3)  # type: ignore[misc]
    assert order == ["a", "b", "b", "a", "a", "b"]


def test_a_ratio_is_taken_round_by_round() -> None:
    assert ratio("x", {"a": [1.0, 9.0], "b": [2.0, 3.0]}, "a", "b").values == [0.5, 3.0]


def test_the_mesh_is_measured_against_itself_and_against_the_floor() -> None:
    far, kept = latency.compare(records=2_000, rounds=3), sqlite.compare(batches=1, rounds=1)
    assert all(value > 0 for one in (far, kept) for series in one.series for value in series.values)
    (claim,) = far.claims
    # One batch has nothing to travel beside it: 50 ms must show, or the latency is none.
    # A busy machine may hide it once.
    assert min(claim.series.values) < 0.8
    assert {sqlite.FLOOR, sqlite.LOGGED, "zstd / floor", "zstd / identity"} <= {series.name for series in kept.series}


def test_a_year_leaves_as_much_after_one_night_as_after_the_next() -> None:
    found = ledger.measure(quick=True)
    [total] = [series for series in found.series if series.name == "all of it"]
    least, _, most = total.spread
    assert least > 100_000, "every channel leaves something"
    assert most < 1.1 * least, "but no night leaves more than the one before"
    assert {series.name for series in found.series} >= {"threads of the last days", year.RUNS, "what the mesh was told"}
    assert found.claims[0].met, "what is kept of 100 channels, times ten"


def test_dispatch_is_measured_beside_the_plain_question_and_deals_with_all_that_is_due() -> None:
    with town.built(2000) as place:
        assert place.due == 20
        costs = {name: way() for name, way in (("plain", place.plain), ("all", place.shared), ("sent", place.sent))}
        assert 0 < costs["plain"] < costs["all"] < costs["sent"]
        assert place.planned() > costs["plain"]

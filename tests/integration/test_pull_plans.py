"""How often is pulled, at which rate, what is left to do, and what is read again: the core service's side."""

from typing import Any

import pytest
from core_api import AT, OURS, Core
from sluice import CONNECTION, Sluice, page

from pipeline.rules.regimes import RESTRICTED, shortest_period
from pipeline.store.runs import Attempt


@pytest.fixture
def core(sluice: Sluice) -> Core:
    return Core(sluice)


def covered(core: Core, *ts: str) -> str:
    """C1's newest slice is read; the run."""
    core.connected().allow("C1")
    core.sluice.drain()
    core.sluice.client.zrem(core.sluice.keys.due, f"patch:{CONNECTION}")
    [run] = core.call("POST", f"{AT}/pulls").json()["runs"]
    answered(core, run, *ts)
    return str(run)


def answered(core: Core, run: str, *ts: str, **said: Any) -> None:
    stores = core.sluice.stores
    found = stores.ledger.get(run)
    assert found is not None
    attempt = stores.ledger.runs.begin(found)
    assert isinstance(attempt, Attempt)
    facts = {"gen": 1, "run_id": run, "attempt": attempt.number, "epoch": attempt.epoch, "thread_ts": ""}
    core.sluice.receive(page("C1", *ts, **facts, **said))
    core.sluice.drain()


def test_what_is_left_to_do_is_shown_with_how_long_it_will_take(core: Core) -> None:
    core.connected().allow("C1")
    before = core.call("GET", f"{AT}/coverage", OURS).json()["plan"]
    assert (before["channels"], before["backfill_channels"], before["rate"], before["rate_by"]) == (
        1,
        1,
        "standard",
        "pages",
    )
    assert before["period_seconds"] == 900
    assert before["backfill_eta_seconds"] > 0
    covered(core)
    after = core.call("GET", f"{AT}/coverage", OURS).json()
    assert after["plan"]["backfill_requests"] > 1, "as dense as its last slice"
    assert after["channels"]["C1"]["state"] == "backfill"


def test_a_period_that_the_rate_cannot_keep_is_refused_with_the_shortest(core: Core) -> None:
    core.connected().allow("C1", "C2")
    asked = {"period_seconds": 100, "rate": "restricted"}
    refused = core.call("PUT", f"{AT}/pulls/plan", OURS, json=asked)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:sluice:too-often")
    shortest = shortest_period(2, RESTRICTED) / 1e6
    assert refused.json()["shortest_seconds"] == shortest
    kept = core.call("PUT", f"{AT}/pulls/plan", OURS, json={**asked, "period_seconds": shortest}).json()
    assert (kept["period_seconds"], kept["rate"], kept["rate_by"]) == (shortest, "restricted", "hand")
    assert core.call("PUT", f"{AT}/pulls/plan", OURS, json={}).json()["rate_by"] == "pages"


def test_a_rate_that_was_found_out_makes_the_period_longer_than_was_asked_for(core: Core) -> None:
    names = [f"C{number}" for number in range(1, 31)]
    core.connected().allow(*names)
    core.call("PUT", f"{AT}/pulls/plan", json={"rate": "restricted"})
    plan = core.call("GET", f"{AT}/coverage").json()["plan"]
    assert plan["period_seconds"] == plan["shortest_seconds"] > 900


def test_the_period_is_forgotten_with_the_connection(core: Core) -> None:
    core.connected().allow("C1")
    core.call("PUT", f"{AT}/pulls/plan", json={"period_seconds": 3600})
    assert core.call("GET", f"{AT}/coverage").json()["plan"]["wanted_seconds"] == 3600
    core.call("DELETE", AT)
    core.sluice.drain()
    core.connected().allow("C1")
    assert core.call("GET", f"{AT}/coverage").json()["plan"]["wanted_seconds"] is None


def test_what_is_covered_can_be_read_again_and_only_that(core: Core) -> None:
    covered(core)
    assert core.call("POST", f"{AT}/pulls", OURS, json={"channels": ["C2"]}).json() == {"runs": [], "again": []}
    future = {"since": "2199-01-01T00:00:00Z"}
    assert core.call("POST", f"{AT}/pulls", OURS, json=future).json()["again"] == []
    assert core.call("POST", f"{AT}/pulls", OURS, json={}).json()["again"] == ["C1"]
    naive = core.call("POST", f"{AT}/pulls", OURS, json={"since": "2026-01-01T00:00:00"})
    assert naive.status_code == 422, "no zone, no moment"


@pytest.mark.parametrize("run", ["00", "zz", "0a" + "5e" * 12])
def test_only_a_reading_that_waits_for_it_can_be_released(core: Core, run: str) -> None:
    done = covered(core)
    for name in (run, done):
        assert core.call("POST", f"{AT}/pulls/{name}/release").status_code == 404


def test_a_reading_that_waits_for_it_is_released(core: Core) -> None:
    run = covered(core)
    core.sluice.client.hset(core.sluice.keys.run(run), "state", "held")
    assert core.call("POST", f"{AT}/pulls/{run}/release", OURS).json()["state"] == "covered"
    assert core.call("POST", f"{AT}/pulls/{run}/release", OURS).status_code == 404

"""The store stopped and killed under load: no 202 meanwhile, and what had one arrives."""

import signal
import time
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.faults.passes import Pass, kept_every_promise, passing

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

ANSWER_SECONDS = 3.0


def refuses_for_now(running: Pass) -> None:
    begun = time.monotonic()
    answer = running.knock()
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert time.monotonic() - begun < ANSWER_SECONDS


def settled(running: Pass) -> int:
    """Accepted callbacks once the last answers from before the outage have reached the sender; the load is held."""
    refuses_for_now(running)
    seen = [-3, -2, -1]
    while len(set(seen)) > 1:
        time.sleep(0.3)
        seen = [*seen[1:], running.accepted()]
    return seen[-1]


def test_without_the_store_a_callback_gets_503_and_what_got_202_arrives_when_it_is_back(tmp_path: Path) -> None:
    given = {"SLUICE_OVERDUE_SECONDS": "15"}  # a page that its sender gave up is asked for again
    load = {"channels": 4, "messages": 500, "page_limit": 2, "retry_scale": 0.1}
    with passing(tmp_path / "state", given=given, **load) as running:
        running.begin(held=True)
        running.triggered()
        for number in (signal.SIGTERM, signal.SIGKILL):
            running.let_through(60)
            if number == signal.SIGTERM:
                running.stack.stop(["store"])
            else:
                running.stack.kill("store", number, for_good=True)
            acknowledged = settled(running)
            running.let_go()  # the load meets the outage, too
            for _ in range(3):
                refuses_for_now(running)
            assert running.walk.api.get("/readyz").status_code == 503
            running.hold()
            assert running.accepted() == acknowledged, "a 202 without a store"
            running.stack.start(["store"])
            eventually(lambda: running.knock().status_code == 202, "callbacks are taken again")
        assert running.callbacks()["retried"] > 0, "the load met the outages"
        running.finish()
        kept_every_promise(running, at_least=200)

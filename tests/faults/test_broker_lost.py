"""The broker and beat killed for good: what they would have carried is done all the same."""

import time
from pathlib import Path

import pytest

from tests.faults.passes import kept_every_promise, passing

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


def test_a_broker_that_is_gone_in_mid_run_delays_nothing_for_good(tmp_path: Path) -> None:
    with passing(tmp_path / "state", channels=5, messages=500, page_limit=2) as running:
        running.begin(held=True)
        running.triggered()
        running.let_through(60)
        running.stack.kill("broker", for_good=True)
        begun = time.monotonic()
        assert running.knock().status_code == 202
        assert time.monotonic() - begun < 2, "the intake does not wait for a broker"
        running.finish()
        kept_every_promise(running, at_least=250)


def test_without_beat_a_pull_is_triggered_all_the_same(tmp_path: Path) -> None:
    with passing(tmp_path / "state") as running:
        running.stack.kill("beat", for_good=True)
        running.begin()
        running.walk.api.post(f"{running.one.path}/pulls").raise_for_status()  # due now; the sweep waits half a minute
        running.triggered()
        running.finish()
        kept_every_promise(running, at_least=5)

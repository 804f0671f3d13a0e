"""The mesh stopped during a run: the outage is its own."""

from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.faults.passes import kept_every_promise, passing

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


def test_while_the_mesh_is_away_callbacks_are_taken_and_afterwards_the_backlog_drains(tmp_path: Path) -> None:
    with passing(tmp_path / "state", channels=4, messages=600, page_limit=2) as running:
        running.begin(held=True)
        running.triggered()
        running.let_through(60)
        eventually(lambda: running.in_mesh(running.one), "something has arrived")
        running.stack.stop(["mesh"])
        before = running.callbacks()
        running.let_through(150)
        assert running.knock().status_code == 202
        assert running.walk.status()["backlog"] >= 100
        assert running.walk.api.get("/readyz").status_code == 200
        assert running.callbacks()["retried"] == before["retried"], "no sender noticed"
        running.stack.start(["mesh"])
        running.finish()
        kept_every_promise(running, at_least=250)

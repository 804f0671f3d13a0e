"""SIGKILL for the API while callbacks come in: their senders repeat, and each has one effect."""

from pathlib import Path

import pytest

from cli.ready import answers_http
from tests.eventually import eventually
from tests.faults.passes import kept_every_promise, passing

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

KILLS = 10


def test_ten_kills_of_the_api_under_load_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    given = {"SLUICE_OVERDUE_SECONDS": "15"}  # a page that its sender gave up is asked for again
    load = {"connections": 2, "channels": 4, "messages": 900, "page_limit": 1, "retry_scale": 0.1}
    with passing(tmp_path / "state", given=given, **load) as running:
        running.begin(held=True)
        running.triggered()
        for _ in range(KILLS):
            before = running.accepted()
            running.let_go()
            eventually(lambda before=before: running.accepted() >= before + 30, "callbacks come in", every=0.005)
            running.kill_and_restart("api")
            eventually(lambda: answers_http(running.stack.urls["api"]), "the API is back")
        assert running.callbacks()["retried"] > 0, "the kills were noticed"
        running.finish()
        kept_every_promise(running, at_least=1000)

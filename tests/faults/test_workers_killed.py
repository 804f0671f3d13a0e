"""SIGKILL for the worker group in the middle of batches."""

import random
import time
from pathlib import Path

import pytest
import redis

from tests.eventually import eventually
from tests.faults.passes import Pass, kept_every_promise, passing

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

KILLS = 20
CALLBACKS = 2000


class Leases:
    """The shards' leases, looked at from outside: a kill counts only if it hits a drain at work."""

    def __init__(self, url: str) -> None:
        self.client = redis.Redis.from_url(url, decode_responses=True)
        self.orphaned: set[str] = set()

    def held(self) -> set[str]:
        """Tokens of drains."""
        states = self.client.mget([f"{{s{number}}}:state" for number in range(16)])
        return {state for state in states if state and state.startswith("draining:")}

    def at_work(self) -> bool:
        """Whether a drain that nobody has killed yet holds a lease."""
        return bool(self.held() - self.orphaned)

    def kill(self, running: Pass) -> None:
        """The whole group, and, once it is dead, a new one."""
        before = running.stack.pid("worker-1")
        running.stack.kill("worker")
        eventually(lambda: running.stack.pid("worker-1") != before, "the worker is dead", every=0.002)
        self.orphaned |= self.held()  # nobody of the dead takes one any more
        running.stack.start(["worker"])


def test_twenty_kills_of_the_worker_group_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    load = {"connections": 6, "channels": 4, "messages": 420, "page_limit": 1, "concurrency": 24}
    # Without the sweep, so that every batch is a worker's; after a kill its shard waits for the lease to run out.
    with passing(tmp_path / "state", without=("flower", "sweep"), **load) as running:
        running.begin(held=True)
        running.triggered()
        leases = Leases(running.stack.urls["store"])
        for kill in range(KILLS):
            running.slow(1.0)
            eventually(leases.at_work, "a drain is at work", every=0.002)
            time.sleep(random.uniform(0, 0.05))  # at any step of the flow
            leases.kill(running)
            if running.accepted() > CALLBACKS * (kill + 1) / KILLS:
                running.hold()
                eventually(lambda: len(leases.held()) < 4, "leases run out")
        leases.client.close()
        assert not running.walk.simulator.get("/_sim/status").json()["idle"], "the kills came in the middle"
        running.stack.start(["sweep"])
        running.finish()
        kept_every_promise(running, at_least=CALLBACKS)

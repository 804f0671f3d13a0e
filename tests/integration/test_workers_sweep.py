"""The sweep over a real store: what nobody drains, and what nobody calls."""

import threading
from collections import Counter
from typing import Any

import pytest
from sluice import CONNECTION, Sluice, page

from pipeline.errors import Unavailable
from workers import sweep as module
from workers.lifecycle import Process
from workers.sweep import Sweep, repeat


class Calls:
    """Stands for `Outgoing`: keeps what it is asked to do."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.overdue: list[int] = []
        self.due: list[tuple[str, str]] = []

    def dispatch(self, send: Any, *, overdue_us: int = 0) -> Counter[str]:
        self.overdue.append(overdue_us)
        for name, what in self.due:
            send(name, what)
        return Counter()

    def trigger(self, run: str) -> str:
        self.done.append(("trigger", run))
        return "asked"

    def patch(self, connection: str) -> str:
        self.done.append(("patch", connection))
        return "patched"

    def look(self, connection: str) -> str:
        self.done.append(("look", connection))
        return "connected"

    def tell(self, shard: int) -> Counter[str]:
        self.done.append(("tell", str(shard)))
        return Counter(sent=1)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def sweep(sluice: Sluice, calls: Calls) -> Sweep:
    sluice.register()
    sluice.drain()
    sluice.allow("C1")
    sluice.drain()
    sluice.receive(page("C1", "1700000000.000100"))
    return Sweep(Process(sluice.stores, calls, calls, calls))  # type: ignore[arg-type]


def make_late(sluice: Sluice, seconds: float) -> None:
    score = sluice.client.zscore(sluice.keys.ready, CONNECTION)
    assert isinstance(score, float)
    sluice.client.zadd(sluice.keys.ready, {CONNECTION: score - seconds * 1e6})


def test_what_waits_for_more_than_two_seconds_is_drained_though_a_ring_is_out(sluice: Sluice, sweep: Sweep) -> None:
    assert sluice.client.get(sluice.keys.state) == b"rung"
    assert sweep.drain()["drained"] == 0, "its worker may be on the way"
    make_late(sluice, 2.1)
    assert sweep.drain() == {"drained": 1, "settled": 1}
    assert len(sluice.live()) == 1
    assert sweep.drain()["drained"] == 0


def test_effects_that_nobody_rang_for_are_drained_too(sluice: Sluice, sweep: Sweep) -> None:
    sluice.drain()
    sluice.allow()
    for key in sluice.client.scan_iter(f"{{s{sluice.keys.shard}}}:ready*"):
        for member in sluice.client.zrange(key, 0, -1):
            sluice.client.zadd(key, {member: 1})
    sweep.drain()
    assert sluice.live() == {}


def test_a_shard_that_somebody_drains_is_left_to_him(sluice: Sluice, sweep: Sweep) -> None:
    make_late(sluice, 60)
    sluice.client.set(sluice.keys.state, "draining:somebody", px=60_000)
    assert sweep.drain()["drained"] == 0
    assert sluice.live() == {}


def test_a_parked_connection_is_not_late(sluice: Sluice, sweep: Sweep) -> None:
    make_late(sluice, -60)
    assert sweep.drain()["drained"] == 0


def test_a_shard_with_work_left_is_drained_again_at_once(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    drained: list[int] = []

    def drain(_: Any, shard: int, ring: Any) -> Counter[str]:
        drained.append(shard)
        if drained.count(shard) < 3:
            ring(shard)
        return Counter({"settled.delivered": 1})

    monkeypatch.setattr(module, "late", lambda *_: [])
    monkeypatch.setattr(module.flow, "drain", drain)
    sweep._rung = {4}
    for _ in range(5):
        sweep.drain()
    assert drained == [4, 4, 4]


def test_a_bug_in_one_shard_keeps_no_other_waiting(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    drained: list[int] = []

    def drain(_: Any, shard: int, ring: Any) -> Counter[str]:
        if shard == 2:
            raise RuntimeError("bug")
        drained.append(shard)
        return Counter()

    monkeypatch.setattr(module.flow, "drain", drain)
    sweep._rung = {1, 2, 3}
    sweep.drain()
    assert {1, 3} <= set(drained)
    assert [one.levelname for one in caplog.records if one.message == "sweep.failed"] == ["ERROR"]


def test_calls_that_nobody_takes_are_made_here(sweep: Sweep, calls: Calls) -> None:
    calls.due = [("sluice.trigger", "r1"), ("sluice.patch_metadata", CONNECTION), ("sluice.look", CONNECTION)]
    calls.due.append(("sluice.tell", "7"))
    sweep.call()
    assert calls.done == [("trigger", "r1"), ("patch", CONNECTION), ("look", CONNECTION), ("tell", "7")]
    assert calls.overdue == [30_000_000], "workers come first"


def test_an_outage_of_the_store_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)
    stop, tries = threading.Event(), Counter[str]()

    def work() -> Counter[str]:
        tries["all"] += 1
        if tries["all"] < 3:
            raise Unavailable("store away")
        stop.set()
        return Counter()

    repeat(work, stop)
    assert tries["all"] == 3


def test_a_bug_ends_the_whole_sweep_so_that_it_is_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)
    stop = threading.Event()

    def work() -> Counter[str]:
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError, match="bug"):
        repeat(work, stop)
    assert stop.is_set(), "the other duty ends too, and the supervisor sees it"


def test_rounds_follow_at_once_while_there_is_work_and_rest_when_there_is_none() -> None:
    class Watch(threading.Event):
        def __init__(self) -> None:
            super().__init__()
            self.pauses: list[float | None] = []

        def wait(self, timeout: float | None = None) -> bool:
            self.pauses.append(timeout)
            return len(self.pauses) > 4

    watch, settled = Watch(), iter([5, 1, 0, 0])
    repeat(lambda: Counter(settled=next(settled)), watch)
    assert watch.pauses == [1.0, 0.0, 0.0, 1.0, 1.0]


def test_a_paragon_that_takes_its_time_keeps_no_backlog_waiting(
    sluice: Sluice, sweep: Sweep, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `main` runs the two: each in a thread of its own."""
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)
    held, called, stop = threading.Event(), threading.Event(), threading.Event()

    def slow(_: str) -> str:
        called.set()
        held.wait(10)
        return "asked"

    monkeypatch.setattr(calls, "trigger", slow)
    calls.due = [("sluice.trigger", "r1")]
    threads = [threading.Thread(target=repeat, args=(work, stop)) for work in (sweep.call, sweep.drain)]
    for thread in threads:
        thread.start()
    try:
        assert called.wait(10)
        make_late(sluice, 60)
        for _ in range(500):
            if sluice.live():
                break
            stop.wait(0.01)
        assert sluice.live()
        assert not held.is_set()
    finally:
        stop.set()
        held.set()
        for thread in threads:
            thread.join()

"""A shard's state: absent, rung, or draining under one lease; and who is served when."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sluice import CONNECTION, ORG, Sluice, page

from pipeline.store import counters
from pipeline.store.inbox import MOST_BYTES, MOST_ENTRIES, Inbox, LeaseLostError, Taken
from pipeline.store.keys import effects_of
from pipeline.store.shard import Lease, leased

OTHER = f"ann/{ORG}"
TS = "1700000000.000100"


@pytest.fixture
def ready(sluice: Sluice) -> Sluice:
    for connection in (CONNECTION, OTHER):
        sluice.register(connection)
    sluice.allow("C1")
    sluice.drain()
    sluice.rung.clear()
    return sluice


def meanwhile(sluice: Sluice, look: Callable[[], None]) -> None:
    """Do something at the moment the next batch reaches the mesh."""

    def fault(_: httpx.Request, accept: Callable[[], httpx.Response]) -> httpx.Response:
        look()
        return accept()

    sluice.mesh.fault(fault)


def state(sluice: Sluice) -> bytes | None:
    found: bytes | None = sluice.client.get(sluice.keys.state)
    return found


def everything(sluice: Sluice) -> dict[bytes, bytes]:
    return {key: sluice.client.dump(key) for key in sluice.client.scan_iter()}


def held_lease(sluice: Sluice) -> Lease:
    lease = Lease(sluice.client, sluice.keys)
    assert lease.take()
    return lease


# absent, rung, draining.


def test_a_shard_is_idle_then_rung_then_draining_then_idle(ready: Sluice) -> None:
    seen: list[Any] = [state(ready)]
    ready.receive(page("C1", TS))
    seen.append(state(ready))
    meanwhile(ready, lambda: seen.append((state(ready) or b"")[:9]))
    ready.drain()
    seen.append(state(ready))
    assert seen == [None, b"rung", b"draining:", None]


def test_a_drain_whose_time_is_up_leaves_the_shard_rung_and_rings(ready: Sluice) -> None:
    ready.receive(page("C1", TS))
    ready.rung.clear()
    ready.drain(seconds=0)
    assert (state(ready), ready.rung) == (b"rung", [ready.keys.shard])
    assert 0 < ready.client.pttl(ready.keys.state) <= 3000
    ready.drain()
    assert len(ready.live()) == 1, "rung is no obstacle to a drain"


def test_a_drain_that_leaves_nothing_due_does_not_ring(ready: Sluice) -> None:
    ready.mesh.fail(503)
    ready.receive(page("C1", TS))
    ready.rung.clear()
    assert ready.drain()["held"] == 1
    assert (state(ready), ready.rung) == (None, []), "what is parked is not due"


def test_effects_alone_are_reason_enough_to_ring(ready: Sluice) -> None:
    ready.allow()
    ready.drain(seconds=0)
    assert ready.rung == [ready.keys.shard]


def test_two_drains_at_once_and_one_works(ready: Sluice) -> None:
    second: list[Counter[str]] = []
    meanwhile(ready, lambda: second.append(ready.drain()))
    ready.receive(page("C1", TS))
    assert ready.drain()["settled.delivered"] == 1
    assert second == [Counter(busy=1)]


def test_of_many_that_reach_for_the_lease_one_gets_it(ready: Sluice) -> None:
    leases = [Lease(ready.client, ready.keys) for _ in range(8)]
    got: list[bool] = []
    together = threading.Barrier(len(leases))

    def reach(lease: Lease) -> None:
        together.wait()
        got.append(lease.take())

    threads = [threading.Thread(target=reach, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got.count(True) == 1


# Renewal, expiry, loss.


def test_a_lease_is_held_for_fifteen_seconds_and_a_renewal_starts_them_anew(ready: Sluice) -> None:
    lease = held_lease(ready)
    assert 14_000 < ready.client.pttl(ready.keys.state) <= 15_000
    ready.client.pexpire(ready.keys.state, 100)
    assert lease.renew()
    assert ready.client.pttl(ready.keys.state) > 14_000


def test_work_longer_than_the_lease_keeps_it(ready: Sluice) -> None:
    with leased(ready.client, ready.keys) as lease:
        assert lease is not None
        ready.client.pexpire(ready.keys.state, 4_700)  # The thread renews every four seconds.
        time.sleep(5.0)
        assert (state(ready) or b"").decode() == lease.token
        assert not lease.lost.is_set()


def test_a_lease_that_ran_out_is_lost_and_its_former_holder_touches_nothing(ready: Sluice) -> None:
    ready.receive(page("C1", TS))
    old = held_lease(ready)
    inbox = Inbox(ready.client, old)
    taken = inbox.take()
    assert taken is not None
    ready.client.delete(ready.keys.state)
    new = held_lease(ready)
    before = everything(ready)
    assert not old.renew()
    assert old.lost.is_set()
    assert not old.release()
    for act in (inbox.take, lambda: inbox.mark(taken), lambda: inbox.unmark(taken), lambda: inbox.park(CONNECTION, 1)):
        with pytest.raises(LeaseLostError):
            act()
    with pytest.raises(LeaseLostError):
        inbox.settle(taken, 1, inbox.changes(CONNECTION).do("HINCRBY", ready.keys.counters, "late", 1))
    assert everything(ready) == before
    assert (state(ready) or b"").decode() == new.token


def test_a_drain_that_was_overtaken_settles_nothing_and_the_effect_is_the_same(ready: Sluice) -> None:
    def overtake() -> None:
        ready.client.delete(ready.keys.state)
        assert ready.drain()["settled.delivered"] == 1

    meanwhile(ready, overtake)
    ready.receive(page("C1", TS))
    assert ready.drain() == Counter(lease_lost=1)
    assert len(ready.mesh.effects(ORG, "slack", "message")) == 1
    assert counters.totals(ready.client, ready.stores.shards)["delivered.message"] == 1


def test_a_settle_whose_answer_was_lost_can_be_repeated_and_counts_once(ready: Sluice) -> None:
    ready.receive(page("C1", TS))
    inbox = Inbox(ready.client, held_lease(ready))
    taken = inbox.take()
    assert taken is not None

    def settle() -> str:
        return inbox.settle(taken, 1, inbox.changes(CONNECTION).do("HINCRBY", ready.keys.counters, "once", 1))

    assert [settle(), settle()] == ["settled", "already"]
    assert ready.client.hget(ready.keys.counters, "once") == b"1"


def test_a_settle_for_another_generation_ends_nothing(ready: Sluice) -> None:
    ready.receive(page("C1", TS))
    inbox = Inbox(ready.client, held_lease(ready))
    taken = inbox.take()
    assert taken is not None
    ready.disconnect(CONNECTION, by="test")
    assert inbox.settle(taken, 1, inbox.changes(CONNECTION)) == "generation"
    assert ready.client.xlen(ready.keys.stream(CONNECTION)) == 1


# Who is served when.


def fill(sluice: Sluice, connection: str, entries: int, size: int = 10) -> None:
    """Entries that only `take` looks at."""
    with sluice.client.pipeline(transaction=False) as pipe:
        for _ in range(entries):
            pipe.xadd(sluice.keys.stream(connection), {"h": b"-", "p": b"x" * size})
        pipe.zadd(sluice.keys.ready, {connection: time.time_ns() // 1000}, nx=True)
        pipe.execute()


def takes(sluice: Sluice, number: int) -> list[Taken]:
    inbox = Inbox(sluice.client, held_lease(sluice))
    found = [inbox.take() for _ in range(number)]
    return [taken for taken in found if taken is not None]


def test_a_quiet_connection_is_served_after_one_batch_of_a_flood(ready: Sluice) -> None:
    fill(ready, CONNECTION, 3 * MOST_ENTRIES)
    fill(ready, OTHER, 1)
    assert [taken.member for taken in takes(ready, 4)] == [CONNECTION, OTHER, CONNECTION, OTHER]


def test_a_batch_is_bounded_by_count(ready: Sluice) -> None:
    fill(ready, CONNECTION, MOST_ENTRIES + 1)
    [taken] = takes(ready, 1)
    assert len(taken.entries) == MOST_ENTRIES


def test_a_batch_is_bounded_by_bytes_and_one_large_entry_is_still_taken(ready: Sluice) -> None:
    fill(ready, CONNECTION, 8, MOST_BYTES // 4)
    fill(ready, OTHER, 2, MOST_BYTES * 2)
    assert [len(taken.entries) for taken in takes(ready, 2)] == [4, 1]


def test_effects_come_before_everything_that_waits_longer(ready: Sluice) -> None:
    fill(ready, CONNECTION, 1)
    ready.allow()
    assert takes(ready, 1)[0].member == effects_of(ORG)


def test_a_parked_connection_does_not_hold_up_the_others(ready: Sluice) -> None:
    ready.allow("C1", connection=OTHER)
    ready.drain()
    ready.receive(page("C1", TS))
    ready.receive(page("C1", "1700000000.000200", connection=OTHER))
    ready.mesh.fail(503)
    done = ready.drain()
    assert (done["held"], done["settled.delivered"]) == (1, 1)


def test_a_connection_is_parked_longer_each_time_and_as_long_as_the_mesh_says(ready: Sluice) -> None:
    fill(ready, CONNECTION, 1)
    inbox = Inbox(ready.client, held_lease(ready))
    waits = [inbox.park(CONNECTION, None) for _ in range(6)]
    assert 0.25 <= waits[0] <= 0.5
    assert 8.0 <= waits[5] <= 16.0
    assert inbox.park(CONNECTION, 120.0) == 120.0
    assert inbox.park(CONNECTION, 10_000.0) == 300.0
    assert inbox.take() is None


def test_an_emptied_stream_leaves_the_ready_set(ready: Sluice) -> None:
    fill(ready, CONNECTION, 1)
    ready.client.delete(ready.keys.stream(CONNECTION))
    assert takes(ready, 1) == []
    assert ready.client.zcard(ready.keys.ready) == 0

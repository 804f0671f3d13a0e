"""A crash is laid at the door of what was open: the rest goes on, and one that always kills becomes a dead letter."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from sluice import CONNECTION, ORG, TEAM, Sluice, page

from pipeline import flow
from pipeline.errors import Unavailable
from pipeline.store import dead_letters
from pipeline.store.vault import Vault


class Deadly(Vault):
    """Dies where the payload holds the poison, the first `deaths` times."""

    deaths = 1_000_000

    def open(self, org: str, key_id: str, header: bytes, sealed: bytes) -> bytes:
        plain = super().open(org, key_id, header, sealed)
        if b"poison" in plain and self.deaths:
            self.deaths -= 1
            raise MemoryError("stands for a worker that dies")
        return plain


def poisoned(sluice: Sluice, deaths: int) -> Deadly:
    vault = Deadly({"k1": bytes(range(32))})
    vault.deaths = deaths
    sluice.stores = replace(sluice.stores, vault=vault)
    return vault


def drain_on(sluice: Sluice) -> int:
    """Drain as workers would that die and are replaced after the lease ran out; how many died."""
    for died in range(20):
        try:
            sluice.drain()
        except MemoryError:
            sluice.client.delete(sluice.keys.state)
        else:
            return died
    raise AssertionError("the poison was never isolated")


def suspects(sluice: Sluice) -> list[int]:
    return sorted(int(crashes) for crashes in sluice.client.hvals(sluice.keys.suspects))


def letters(sluice: Sluice) -> list[tuple[str, str]]:
    found = dead_letters.listing(sluice.client, sluice.stores.shards, ORG, 10)
    return [(letter["receipt"], letter["reason"]) for letter in found]


@pytest.fixture
def ready(sluice: Sluice) -> Sluice:
    sluice.register()
    sluice.allow("C1")
    sluice.drain()
    return sluice


def three(sluice: Sluice) -> str:
    """Three callbacks, the second poisoned; its receipt."""
    bad = page("C1", "1700000000.000200", note="poison")
    _, receipt, _ = sluice.receive(page("C1", "1700000000.000100"), bad, page("C1", "1700000000.000300"))
    return receipt


def test_what_is_open_is_marked_before_it_is_opened_and_unmarked_before_the_mesh_sees_it(sluice: Sluice) -> None:
    sluice.register(team=None)
    sluice.drain()
    seen: list[bytes | None] = []

    def find_team(_: str) -> str:
        seen.append(sluice.client.get(sluice.keys.mark))
        return TEAM

    def in_the_mesh(_: httpx.Request, accept: Callable[[], httpx.Response]) -> httpx.Response:
        seen.append(sluice.client.get(sluice.keys.mark))
        return accept()

    sluice.stores = replace(sluice.stores, find_team=find_team)
    sluice.mesh.fault(in_the_mesh)
    users = {"kind": "users", "members": [{"id": "U1", "name": "ann"}], "cursor": "", "next_cursor": "", "run_id": "r"}
    sluice.receive(users)
    [(entry, _)] = sluice.client.xrange(sluice.keys.stream(CONNECTION))
    sluice.drain()
    opened, delivered = seen
    assert opened is not None
    assert json.loads(opened) == {"member": CONNECTION, "ids": [entry.decode()], "alone": False}
    assert delivered is None


def test_an_entry_that_kills_alone_five_times_is_a_dead_letter_and_the_others_are_delivered(ready: Sluice) -> None:
    poisoned(ready, deaths=100)
    receipt = three(ready)
    assert drain_on(ready) == 6, "once in company, five times alone"
    assert letters(ready) == [(receipt, "crashes")]
    assert sorted(ready.live()) == [f"{TEAM}:C1:1700000000.000{n}00" for n in (1, 3)]
    assert suspects(ready) == []


def test_an_entry_that_kills_four_times_alone_and_then_works_is_delivered(ready: Sluice) -> None:
    poisoned(ready, deaths=5)
    three(ready)
    assert drain_on(ready) == 5
    assert letters(ready) == []
    assert len(ready.live()) == 3
    assert suspects(ready) == []


def test_after_a_crash_the_batch_is_taken_one_by_one(ready: Sluice) -> None:
    poisoned(ready, deaths=1)
    three(ready)
    with pytest.raises(MemoryError):
        ready.drain()
    assert len(json.loads(ready.client.get(ready.keys.mark) or b"{}")["ids"]) == 3
    ready.client.delete(ready.keys.state)
    before = len(ready.mesh.seen)
    done = ready.drain()
    assert done["suspects"] == 3
    assert [seen.records for seen in ready.mesh.seen[before:]] == [1, 1, 1]


def test_what_came_after_the_crash_goes_in_company_again(ready: Sluice) -> None:
    poisoned(ready, deaths=1)
    three(ready)
    with pytest.raises(MemoryError):
        ready.drain()
    ready.client.delete(ready.keys.state)
    ready.receive(*(page("C1", f"1700000001.00010{n}") for n in range(4)))
    before = len(ready.mesh.seen)
    ready.drain()
    assert [seen.records for seen in ready.mesh.seen[before:]] == [1, 1, 1, 4]


def test_somebody_elses_outage_is_no_crash(sluice: Sluice) -> None:
    def away(_: str) -> str:
        raise Unavailable("paragon away")

    sluice.register(team=None)
    sluice.stores = replace(sluice.stores, find_team=away)
    sluice.receive(page("C1", "1700000000.000100"))
    assert sluice.drain()["held"] == 1
    assert sluice.client.get(sluice.keys.mark) is None
    assert suspects(sluice) == []


def test_a_suspect_whose_mesh_is_away_is_cleared_of_suspicion(ready: Sluice) -> None:
    poisoned(ready, deaths=1)
    receipt = ready.receive(page("C1", "1700000000.000100", note="poison"))[0]
    with pytest.raises(MemoryError):
        ready.drain()
    for _ in range(7):
        ready.client.delete(ready.keys.state)
        ready.client.zadd(ready.keys.ready, {CONNECTION: 1})
        ready.mesh.fail(503)
        assert ready.drain()["held"] == 1
    ready.client.zadd(ready.keys.ready, {CONNECTION: 1})
    assert ready.drain()["settled.delivered"] == 1
    assert receipt not in dict(letters(ready))


def test_an_effect_that_kills_holds_up_no_other_organisation(ready: Sluice) -> None:
    """The shard goes on with what else is due once the poison is isolated."""
    poisoned(ready, deaths=100)
    ready.stores.connections.register(f"eve/{ORG}", team=TEAM, who={"name": "poison"}, by="test")
    ready.receive(page("C1", "1700000000.000100"))
    drain_on(ready)
    assert len(ready.live()) == 1
    assert [reason for _, reason in letters(ready)] == ["crashes"]


def test_a_drain_finds_no_crash_where_none_was(ready: Sluice) -> None:
    three(ready)
    done = flow.drain(ready.stores, ready.keys.shard, ready.rung.append)
    assert done == Counter({"settled.delivered": 3, "callbacks.messages": 3, "delivered.message": 3})

"""Receipts end with their time: in steps, each with its place in the order, and never while they wait."""

from typing import Any

import pytest
import redis
from sluice import SHARDS, Sluice

from pipeline.errors import Unavailable
from pipeline.store import receipts
from pipeline.store.client import clock
from pipeline.store.receipts import KEPT_US, expire
from pipeline.store.scripts import Changes
from pipeline.store.upkeep import upkeep

DAY = 86_400_000_000


@pytest.fixture
def now(sluice: Sluice) -> int:
    return clock(sluice.client)


def keep(sluice: Sluice, name: str, at: int, state: str = "delivered", **facts: Any) -> None:
    changes = Changes()
    receipts.record(changes, sluice.keys, name, state, at=at, **facts)
    changes.commit(sluice.client)


def kept(sluice: Sluice) -> tuple[set[str], list[str]]:
    """Records, and places in the order."""
    order = [name.decode() for name in sluice.client.lrange(sluice.keys.receipts_order, 0, -1)]
    return {name.decode() for name in sluice.client.hkeys(sluice.keys.receipts)}, order


def test_upkeep_ends_what_is_older_than_its_time_and_nothing_else(sluice: Sluice, now: int) -> None:
    keep(sluice, "old", now - KEPT_US - DAY, settled_at=now - KEPT_US - DAY)
    keep(sluice, "bare", now - KEPT_US - 1)
    keep(sluice, "young", now - KEPT_US + DAY)
    found = upkeep(sluice.client, SHARDS)
    assert found["receipts_expired"] == 2
    assert kept(sluice) == ({"young"}, ["young"])
    assert upkeep(sluice.client, SHARDS)["receipts_expired"] == 0


def test_one_that_waits_or_was_settled_late_is_kept_and_ends_later(sluice: Sluice, now: int) -> None:
    keep(sluice, "waits", now - 3 * KEPT_US, "waiting")
    keep(sluice, "late", now - 2 * KEPT_US, settled_at=now - DAY)
    keep(sluice, "old", now - KEPT_US - 1)
    keep(sluice, "young", now - DAY)
    assert expire(sluice.client, sluice.keys, now) == 1
    assert kept(sluice) == ({"waits", "late", "young"}, ["young", "waits", "late"])
    assert expire(sluice.client, sluice.keys, now) == 0
    keep(sluice, "waits", now - 3 * KEPT_US, "delivered", settled_at=now)
    assert expire(sluice.client, sluice.keys, now + 2 * KEPT_US) == 3
    assert kept(sluice) == (set(), [])


def test_only_those_that_wait_do_not_keep_it_going_for_ever(sluice: Sluice, now: int) -> None:
    for n in range(5):
        keep(sluice, f"w{n}", now - 2 * KEPT_US, "waiting")
    assert expire(sluice.client, sluice.keys, now) == 0
    assert len(kept(sluice)[1]) == 5


def test_it_goes_in_steps_and_a_death_between_two_leaves_records_and_places_together(
    sluice: Sluice, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(25):
        keep(sluice, f"r{n:02}", now - KEPT_US - DAY)
    monkeypatch.setattr(receipts, "STEP", 4)
    monkeypatch.setattr(receipts, "STEPS", 2)
    assert expire(sluice.client, sluice.keys, now) == 8
    commit = Changes.commit

    def done_and_dead(self: Changes, client: redis.Redis) -> int:
        commit(self, client)
        raise Unavailable("store away")

    monkeypatch.setattr(Changes, "commit", done_and_dead)
    with pytest.raises(Unavailable):
        expire(sluice.client, sluice.keys, now)
    monkeypatch.setattr(Changes, "commit", commit)
    records, order = kept(sluice)
    assert (sorted(records), order) == (order, [f"r{n:02}" for n in range(12, 25)])


def test_a_step_beside_another_worker_ends_nothing_that_is_young(
    sluice: Sluice, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one takes the old ones away after this one has read them."""
    keep(sluice, "a", now - KEPT_US - DAY)
    keep(sluice, "b", now - KEPT_US - DAY)
    commit, others = Changes.commit, iter([True])

    def after_the_other(self: Changes, client: redis.Redis) -> int:
        if next(others, False):
            assert expire(client, sluice.keys, now) == 2
            keep(sluice, "young", now)
            keep(sluice, "younger", now)
        return commit(self, client)

    monkeypatch.setattr(Changes, "commit", after_the_other)
    assert expire(sluice.client, sluice.keys, now) == 0
    assert kept(sluice) == ({"young", "younger"}, ["young", "younger"])


def test_the_cap_still_holds_after_some_have_expired(sluice: Sluice, now: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "KEPT_PER_SHARD", 3)
    for n in range(3):
        keep(sluice, f"old{n}", now - KEPT_US - DAY)
    expire(sluice.client, sluice.keys, now)
    for n in range(5):
        keep(sluice, f"new{n}", now)
    assert kept(sluice) == ({"new2", "new3", "new4"}, ["new2", "new3", "new4"])

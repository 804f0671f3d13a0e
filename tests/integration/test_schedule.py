"""An item that is due goes to one, is due again if that one dies, and keeps what somebody else made of it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sluice import SHARDS, Sluice, now_us

from pipeline.store.client import clock
from pipeline.store.schedule import LEASE_US, Schedule

KEYS = SHARDS.all()[3]
FAR = 4_000_000_000_000_000


@pytest.fixture
def schedule(sluice: Sluice) -> Schedule:
    return sluice.stores.schedule


def test_what_is_due_is_leased_once_and_due_again_in_a_minute(sluice: Sluice, schedule: Schedule) -> None:
    schedule.put(KEYS, "plan", "rob@example.com:x/end1", 1)
    before = clock(sluice.client)
    assert schedule.lease(KEYS) == [("plan", "rob@example.com:x/end1")]
    assert schedule.lease(KEYS) == []
    due = int(schedule.when(KEYS, "plan", "rob@example.com:x/end1") or 0)
    assert before + LEASE_US <= due <= clock(sluice.client) + LEASE_US


def test_what_is_not_due_waits(sluice: Sluice, schedule: Schedule) -> None:
    schedule.put(KEYS, "plan", "a/b", clock(sluice.client) + 60_000_000)
    assert schedule.lease(KEYS) == []


def test_only_what_is_long_overdue_goes_to_the_sweep(sluice: Sluice, schedule: Schedule) -> None:
    now = clock(sluice.client)
    schedule.put(KEYS, "plan", "just/due", now - 1_000_000)
    schedule.put(KEYS, "plan", "long/due", now - 40_000_000)
    assert schedule.lease(KEYS, overdue_us=30_000_000) == [("plan", "long/due")]


def test_many_that_lease_at_once_get_each_item_once(schedule: Schedule) -> None:
    for number in range(250):
        schedule.put(KEYS, "trigger", f"{number:04x}", number)
    with ThreadPoolExecutor(6) as threads:
        leased = [item for part in threads.map(lambda _: schedule.lease(KEYS), range(6)) for item in part]
    assert len(leased) == len(set(leased)) == 250


def test_the_oldest_go_first_and_a_hundred_at_a_time(schedule: Schedule) -> None:
    for number in range(150):
        schedule.put(KEYS, "trigger", f"{number:04x}", number + 1)
    assert schedule.lease(KEYS) == [("trigger", f"{number:04x}") for number in range(100)]


def test_a_finished_item_is_gone_or_due_at_its_next_time(schedule: Schedule) -> None:
    for name, following in (("a/b", None), ("c/d", FAR)):
        schedule.put(KEYS, "plan", name, 1)
        seen = schedule.when(KEYS, "plan", name)
        assert seen is not None
        assert schedule.finish(KEYS, "plan", name, seen, following)
    assert (schedule.when(KEYS, "plan", "a/b"), schedule.when(KEYS, "plan", "c/d")) == (None, str(FAR))


def test_what_changed_while_it_was_worked_on_is_not_finished_away(schedule: Schedule) -> None:
    schedule.put(KEYS, "patch", "a/b", 1)
    seen = schedule.when(KEYS, "patch", "a/b")
    assert seen is not None
    schedule.put(KEYS, "patch", "a/b", 2)
    assert not schedule.finish(KEYS, "patch", "a/b", seen)
    assert schedule.lease(KEYS) == [("patch", "a/b")]


def test_a_due_time_survives_to_the_microsecond(sluice: Sluice, schedule: Schedule) -> None:
    """What `when` shows is what `finish` compares with, also for times that a float would write as 1.8e+15."""
    for at in (now_us(), 1_800_000_000_000_000, 1_799_999_999_999_999):
        schedule.put(KEYS, "plan", "a/b", at)
        seen = schedule.when(KEYS, "plan", "a/b")
        assert seen == str(at)
        assert schedule.finish(KEYS, "plan", "a/b", seen)


def test_sooner_never_makes_it_later(schedule: Schedule) -> None:
    for at, due in ((100, "100"), (200, "100"), (50, "50")):
        schedule.sooner(KEYS, "plan", "a/b", at)
        assert schedule.when(KEYS, "plan", "a/b") == due


def test_each_failure_waits_longer_until_one_succeeds_and_no_less_than_was_asked(schedule: Schedule) -> None:
    waits = [schedule.backoff(KEYS, "patch", "a/b", None) for _ in range(14)]
    assert 1 <= waits[0] <= 2
    assert 16 <= waits[4] <= 32
    assert all(450 <= wait <= 900 for wait in waits[10:])
    assert schedule.backoff(KEYS, "patch", "a/b", 5000.0) == 5000.0
    assert schedule.failing(KEYS, "patch", "a/b")
    schedule.succeeded(KEYS, "patch", "a/b")
    assert not schedule.failing(KEYS, "patch", "a/b")
    assert schedule.backoff(KEYS, "patch", "a/b", None) <= 2

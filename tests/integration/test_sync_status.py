"""The mesh is told how far each channel's pulls have come, once things have changed, and when they end."""

from collections.abc import Iterator

import pytest
from pulls_world import Pulls, page
from sluice import CONNECTION, TEAM, now_us

USER = "rob@example.com"


@pytest.fixture
def pulls(store: str) -> Iterator[Pulls]:
    made = Pulls(store)
    made.register()
    made.allow("C1", "C2")
    made.drain()
    made.patched()
    yield made
    made.close()


def tell(pulls: Pulls) -> int:
    told = pulls.stores.sync_statuses.tell(CONNECTION)
    pulls.drain()
    return told


def due(pulls: Pulls) -> float | None:
    found: float | None = pulls.client.zscore(pulls.keys.due, f"status:{CONNECTION}")
    return found


def test_a_covered_window_is_told_with_its_run_before_long(pulls: Pulls) -> None:
    tell(pulls)
    pulls.client.zrem(pulls.keys.due, f"status:{CONNECTION}")
    [name] = pulls.plan()
    pulls.answer(pulls.ask(name), page("C1"))
    assert 25_000_000 < (due(pulls) or 0) - now_us() < 31_000_000, "what comes close together is told together"
    assert tell(pulls) == 1
    run = pulls.get(name)
    found = pulls.live("sync_status")[f"{TEAM}:C1:{USER}"]
    assert (found["head"], found["tail"], found["last_run"]) == (run.latest, run.oldest, name)
    assert found["covered"] == [[run.oldest, run.latest]]
    assert pulls.live("sync_status")[f"{TEAM}:C2:{USER}"]["head"] is None
    assert tell(pulls) == 0, "nothing has changed"


def test_what_keeps_a_window_open_is_told(pulls: Pulls) -> None:
    [name] = pulls.plan()
    pulls.stores.ledger.runs.block(pulls.get(name), now_us(), "credential_invalid")
    tell(pulls)
    assert pulls.live("sync_status")[f"{TEAM}:C1:{USER}"]["last_error"] == "credential_invalid"


def test_a_channel_that_is_revoked_and_a_connection_that_ends_are_told(pulls: Pulls) -> None:
    assert tell(pulls) == 2
    pulls.allow("C2")
    assert tell(pulls) == 1
    assert set(pulls.live("sync_status")) == {f"{TEAM}:C2:{USER}"}
    pulls.disconnect(CONNECTION, by="test")
    assert due(pulls) is not None
    assert tell(pulls) == 1
    assert pulls.live("sync_status") == {}


def test_many_channels_are_told_in_several_effects(pulls: Pulls) -> None:
    names = [f"C{number:04}" for number in range(1100)]
    pulls.allow(*names)
    tell(pulls)
    assert len(pulls.live("sync_status")) == len(names)

"""What becomes an event, and what does not: with the change that it tells of, or not at all."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from events_world import Core
from sluice import CONNECTION, ORG, SHARDS, TEAM, Sluice, now_us, page

from pipeline.delivery import Delivery
from pipeline.errors import Unavailable
from pipeline.events import EVENTS
from pipeline.stages.stores import make_stores
from pipeline.store.effects import append
from pipeline.store.runs import MOST_ATTEMPTS, Attempt
from pipeline.store.scripts import Changes

OTHER = f"ann/{ORG}"
FIRST = "1700000000.000100"
CANARY = "a secret of the customer"


@pytest.fixture
def sluice(store: str) -> Iterator[Sluice]:
    made = Sluice(store, events=True)
    made.register()
    made.drain()
    yield made
    made.close()


@pytest.fixture
def core(sluice: Sluice) -> Iterator[Core]:
    made = Core(sluice)
    yield made
    made.close()


def told(core: Core) -> list[tuple[str, dict[str, Any]]]:
    """Type and data of what came in since the last time; each is held against its model."""
    core.tell()
    for event in core.door.events:
        EVENTS[event["type"]].model_validate(event["data"])
    found = [(event["type"], event["data"]) for event in core.door.events]
    core.door.taken.clear()
    return found


def planned(sluice: Sluice, *channels: str, since: int = 0) -> str:
    """The run that allowing these channels leads to, of what is newer than `since` (microseconds)."""
    known = sluice.stores.connections.get(CONNECTION)
    assert known is not None
    sluice.stores.allowlists.put(CONNECTION, channels, if_match=known.list_version, by="test", since=since)
    sluice.drain()
    sluice.client.zrem(sluice.keys.due, f"patch:{CONNECTION}")
    [name] = sluice.stores.ledger.plan(CONNECTION, TEAM, list(channels), now_us())
    return name


def asked(sluice: Sluice, name: str) -> Attempt | str:
    """A new attempt, or why there is none, whatever the clock says."""
    sluice.client.hset(sluice.keys.run(name), "ask_at", 0)
    sluice.client.hdel(sluice.keys.run(name), "progress")
    found = sluice.stores.ledger.get(name)
    assert found is not None
    return sluice.stores.ledger.runs.begin(found)


def answered(sluice: Sluice, attempt: Attempt | str, *pages: dict[str, Any]) -> None:
    assert isinstance(attempt, Attempt)
    token = {"run_id": attempt.run.id, "attempt": attempt.number, "epoch": attempt.epoch, "gen": attempt.generation}
    sluice.receive(*({"thread_ts": "", **one, **token} for one in pages))
    sluice.drain()


def read_back(sluice: Sluice, channel: str, *ts: str) -> None:
    """The channel is read to its beginning; the messages come with each slice."""
    at = now_us()
    for _ in range(10):
        names = sluice.stores.ledger.plan(CONNECTION, TEAM, [channel], at)
        if not names:
            return
        for name in names:
            answered(sluice, asked(sluice, name), page(channel, *ts))


# A window that is given up.


def test_a_window_is_told_once_when_it_is_given_up(sluice: Sluice, core: Core) -> None:
    name = planned(sluice, "C1", "C2")
    first = asked(sluice, name)
    for _ in range(MOST_ATTEMPTS - 1):
        assert isinstance(asked(sluice, name), Attempt)
    answered(sluice, first, page("C2", FIRST))
    told(core)
    assert asked(sluice, name) == "given_up"
    [(kind, data)] = told(core)
    run = sluice.stores.ledger.get(name)
    assert run is not None
    assert kind == "window.given_up"
    at = data.pop("at")
    assert abs(at - now_us()) < 5_000_000
    assert data == {
        "connection": CONNECTION,
        "org": ORG,
        "team": TEAM,
        "run": name,
        "channels": ["C1"],
        "oldest": run.oldest,
        "latest": run.latest,
        "attempts": MOST_ATTEMPTS,
    }
    assert isinstance(asked(sluice, name), Attempt), "once a day from now on"
    assert told(core) == []


def test_a_window_that_was_blocked_before_is_told_as_well(sluice: Sluice, core: Core) -> None:
    name = planned(sluice, "C1")
    for _ in range(MOST_ATTEMPTS):
        asked(sluice, name)
    sluice.client.hset(sluice.keys.run(name), "state", "blocked")
    assert asked(sluice, name) == "given_up"
    assert [kind for kind, _ in told(core)] == ["window.given_up"]


def test_an_attempt_that_is_only_early_tells_nothing(sluice: Sluice, core: Core) -> None:
    name = planned(sluice, "C1")
    for _ in range(MOST_ATTEMPTS):
        asked(sluice, name)
    found = sluice.stores.ledger.get(name)
    assert found is not None
    assert sluice.stores.ledger.runs.begin(found) == "early"
    assert told(core) == []


# A channel's past.


def test_the_past_of_a_channel_is_told_once_it_is_proved(sluice: Sluice, core: Core) -> None:
    attempt = asked(sluice, planned(sluice, "C1", "C2"))
    answered(sluice, attempt, page("C1", FIRST))
    assert told(core) == [], "its newest slice is not its past"
    read_back(sluice, "C1", FIRST)
    [(kind, data)] = told(core)
    assert kind == "backfill.done"
    data.pop("at")
    shown = sluice.stores.ledger.coverage(CONNECTION)["C1"]
    known = {"connection": CONNECTION, "org": ORG, "team": TEAM}
    assert data == {**known, "channel": "C1", "until": shown["head"], "run": shown["last"]}
    answered(sluice, attempt, page("C2", FIRST))
    read_back(sluice, "C2", FIRST)
    assert [data["channel"] for _, data in told(core)] == ["C2"]


def test_a_channel_that_was_allowed_from_a_moment_on_is_told_once_it_is_read_from_there(
    sluice: Sluice, core: Core
) -> None:
    hour_ago = now_us() - 3600 * 1_000_000
    answered(sluice, asked(sluice, planned(sluice, "C1", since=hour_ago)), page("C1", FIRST))
    assert [(kind, data["channel"]) for kind, data in told(core)] == [("backfill.done", "C1")]


def test_a_later_window_is_no_backfill(sluice: Sluice, core: Core) -> None:
    answered(sluice, asked(sluice, planned(sluice, "C1")), page("C1", FIRST))
    read_back(sluice, "C1", FIRST)
    told(core)
    [later] = sluice.stores.ledger.plan(CONNECTION, TEAM, ["C1"], now_us() + 3600 * 1_000_000)
    answered(sluice, asked(sluice, later), page("C1", FIRST))
    assert told(core) == []


def test_a_channel_that_was_revoked_and_allowed_again_is_told_again(sluice: Sluice, core: Core) -> None:
    for _ in range(2):
        answered(sluice, asked(sluice, planned(sluice, "C1")), page("C1", FIRST))
        read_back(sluice, "C1", FIRST)
        sluice.allow()
        sluice.drain()
    assert [kind for kind, _ in told(core)] == ["backfill.done", "revocation.done"] * 2


def test_a_page_with_a_gap_proves_no_past(sluice: Sluice, core: Core) -> None:
    attempt = asked(sluice, planned(sluice, "C1"))
    answered(sluice, attempt, page("C1", FIRST, ok=False, error="ratelimited"))
    assert told(core) == []


# A revocation.


def test_a_revocation_is_told_when_its_fence_is_in_the_mesh_with_the_receipt_of_the_put(
    sluice: Sluice, core: Core
) -> None:
    sluice.allow("C1", "C2", "C3")
    sluice.drain()
    change = sluice.allow("C3")
    assert told(core) == []
    sluice.drain()
    [(kind, data)] = told(core)
    assert kind == "revocation.done"
    data.pop("at")
    known = {"connection": CONNECTION, "org": ORG, "team": TEAM}
    channels = {"channels": ["C1", "C2"], "channel_count": 2}
    assert data == {**known, "kind": "allowlist", "receipt": change.receipt, **channels}


def test_a_channel_that_somebody_else_still_allows_is_not_revoked(sluice: Sluice, core: Core) -> None:
    sluice.register(OTHER)
    sluice.allow("C1")
    sluice.allow("C1", connection=OTHER)
    sluice.drain()
    sluice.allow()
    sluice.drain()
    assert told(core) == []


def test_a_disconnect_and_an_erasure_are_told_with_their_receipts_and_without_the_person(
    sluice: Sluice, core: Core
) -> None:
    sluice.allow("C1")
    erased = sluice.stores.people.erase(CONNECTION, "U0PERSON", by="test")
    ended = sluice.disconnect(CONNECTION, by="test")
    sluice.drain()
    found = told(core)
    assert sorted((data["kind"], data["receipt"], data["channels"]) for _, data in found) == [
        ("disconnect", ended, ["C1"]),
        ("person", erased, []),
    ]
    assert "U0PERSON" not in str(found)


def test_while_the_mesh_is_away_no_revocation_is_done(sluice: Sluice, core: Core) -> None:
    sluice.allow("C1")
    sluice.drain()
    sluice.allow()

    class Away(Delivery):
        def send(self, *_: Any) -> dict[int, str]:
            raise Unavailable("mesh away")

    stores = sluice.stores
    sluice.stores = replace(stores, mesh=Away(sluice.engine))
    sluice.drain()
    assert told(core) == []
    sluice.stores = stores
    for member in sluice.client.zrange(sluice.keys.ready_effects, 0, -1):
        sluice.client.zadd(sluice.keys.ready_effects, {member: 1})
    sluice.drain()
    assert [kind for kind, _ in told(core)] == ["revocation.done"]


def test_a_retraction_that_the_mesh_refuses_is_an_alarm_and_not_done(sluice: Sluice, core: Core) -> None:
    sluice.allow("C1")
    sluice.drain()
    sluice.mesh.reject(f"message:{TEAM}:C1", "unknown_model")
    sluice.allow()
    sluice.drain()
    assert told(core) == []


def test_a_drain_that_lost_its_lease_tells_nothing_and_the_next_one_tells_it_once(sluice: Sluice, core: Core) -> None:
    sluice.allow("C1")
    sluice.drain()
    sluice.allow()

    class Stolen(Delivery):
        def send(self, *what: Any) -> dict[int, str]:
            sluice.client.set(sluice.keys.state, "draining:another")
            return super().send(*what)

    stores = sluice.stores
    sluice.stores = replace(stores, mesh=Stolen(sluice.engine))
    assert sluice.drain()["lease_lost"] == 1
    assert told(core) == []
    sluice.stores = stores
    sluice.client.delete(sluice.keys.state)
    sluice.drain()
    assert [kind for kind, _ in told(core)] == ["revocation.done"]


def test_an_effect_that_revokes_nothing_is_not_told(sluice: Sluice, core: Core) -> None:
    changes = Changes()
    append(changes, sluice.keys, sluice.vault, connection=CONNECTION, generation=1, epoch=now_us(), records=[])
    changes.commit(sluice.client)
    sluice.drain()
    assert told(core) == []


# What is never told.


def test_what_shadow_delivery_holds_back_is_not_told_as_done(store: str) -> None:
    sluice = Sluice(store, events=True)
    shadow = Delivery(sluice.engine, shadow=True)
    outside: dict[str, Any] = {"find_team": lambda _: TEAM, "now_us": now_us, "overdue_us": 60_000_000}
    sluice.stores = make_stores(sluice.client, SHARDS, sluice.vault, shadow, events=True, **outside)
    sluice.register()
    core = Core(sluice)
    answered(sluice, asked(sluice, planned(sluice, "C1")), page("C1", FIRST))
    assert sluice.stores.ledger.coverage(CONNECTION)["C1"]["head"] > 0
    sluice.allow()
    sluice.drain()
    assert told(core) == []
    core.close()
    sluice.close()


def test_events_hold_no_content_and_no_name(sluice: Sluice, core: Core) -> None:
    sluice.stores.connections.register(CONNECTION, team=TEAM, who={"name": CANARY, "real_name": CANARY}, by="test")
    runs = {"run_id": "r", "cursor": "", "next_cursor": ""}
    channel = {"id": "C1", "name": CANARY, "topic": {"value": CANARY}}
    member = {"id": "U1", "name": CANARY, "profile": {"real_name": CANARY, "email": CANARY}}
    sluice.receive({"kind": "channels", "channels": [channel], **runs}, {"kind": "users", "members": [member], **runs})
    message = {"type": "message", "user": "U1", "ts": FIRST, "text": CANARY}
    answered(sluice, asked(sluice, planned(sluice, "C1")), page("C1") | {"messages": [message]})
    read_back(sluice, "C1")
    sluice.allow()
    sluice.stores.people.erase(CONNECTION, "U1", by="test")
    sluice.disconnect(CONNECTION, by="test")
    sluice.drain()
    core.tell()
    assert [event["type"] for event in core.door.events] == ["backfill.done"] + ["revocation.done"] * 3
    sent = b"".join(request.content for request in core.door.asked).decode()
    assert CANARY not in sent
    assert "U1" not in sent

"""Dead letters of a connection that ended: purged by upkeep, unopened, and accounted for."""

import json
from typing import Any

import pytest
import redis
from core_api import AT, Core
from sluice import CONNECTION, ORG, SHARDS, Sluice, page
from test_erasure import history, said
from test_erasure_letters import GOOD, letters, purged, receipt, received

from pipeline.errors import Unavailable
from pipeline.store import counters, dead_letters, purging
from pipeline.store.dead_letters import DeadLetter, bury
from pipeline.store.entries import SCHEMA, Header, seal_entry
from pipeline.store.scripts import Changes
from pipeline.store.vault import Vault

UNREADABLE = {"channel": 5, "messages": [said(GOOD, "U1")]}


@pytest.fixture
def core(sluice: Sluice) -> Core:
    made = Core(sluice).connected()
    made.allow("C1")
    sluice.drain()
    return made


def end(core: Core) -> None:
    assert core.call("DELETE", AT).status_code in (200, 202)
    core.sluice.drain()


def test_all_of_them_go_with_the_connection_and_receipts_counters_and_the_audit_say_so(core: Core) -> None:
    part, whole = received(core, history(said("no", "U1"), said("no", "U2"), said(GOOD, "U3")), UNREADABLE)
    assert (letters(core), purged(core)) == (3, 0)
    end(core)
    assert purged(core, Vault({"k2": bytes(32)})) == 3, "nothing is opened, so no key is needed"
    assert (letters(core), purged(core)) == (0, 0)
    told = receipt(core, part)
    assert (told["state"], told["dead"], told["delivered"]) == ("purged", 0, 1)
    assert told["dropped"] == {"purged.message": 2}
    assert receipt(core, whole)["state"] == "purged"
    totals = counters.totals(core.sluice.client, SHARDS)
    assert (totals["dropped.purged.message"], totals["purged.dead_letter"]) == (2, 3)
    notes = [json.loads(row[b"e"]) for _, row in core.sluice.client.xrange(core.sluice.keys.audit)]
    ours = [one["letters"] for one in notes if one["event"] == "connection.dead_letters_purged"]
    assert (ours, notes[-1]["connection"]) == ([3], CONNECTION)


def test_those_of_another_connection_and_of_a_later_registration_stay(core: Core) -> None:
    core.sluice.register(other := f"kim/{ORG}")
    core.sluice.allow("C1", connection=other)
    received(core, history(said("no", "U1")), history(said("no", "U1")) | {"connection": other})
    end(core)
    core.sluice.register()
    core.sluice.allow("C1")
    [later] = received(core, history(said("no", "U2")))
    assert letters(core) == 3
    assert purged(core) == 1
    left = {one["connection"]: one["receipt"] for one in dead_letters.listing(core.sluice.client, SHARDS, None, 10)}
    assert left.keys() == {other, CONNECTION}
    assert left[CONNECTION] == later
    end(core)
    assert purged(core) == 1


def test_a_fence_that_the_mesh_refused_outlives_its_connection(core: Core) -> None:
    """Nobody would send it again: what it was to end is still there."""
    keys, vault, changes = core.sluice.keys, core.sluice.vault, Changes()
    for model in ("retraction", "message"):
        bury(changes, keys, vault, DeadLetter("00" * 17, CONNECTION, "no_rule", 1, model, generation=1), b"{}")
    header = Header("00" * 17, "effect", CONNECTION, 1, None, None, 1, 1, SCHEMA, "k1")
    letter = DeadLetter("00" * 17, CONNECTION, "crashes", 1, generation=1)
    dead_letters.bury_sealed(changes, keys, letter, *seal_entry(vault, header, b"{}"))
    changes.commit(core.sluice.client)
    end(core)
    assert purged(core) == 1
    left = [one["model"] for one in dead_letters.listing(core.sluice.client, SHARDS, None, 10)]
    assert sorted(left, key=str) == [None, "retraction"]


def test_a_letter_whose_generation_nobody_can_read_goes_by_its_time(core: Core) -> None:
    def buried() -> None:
        changes, now = Changes(), core.sluice.stores.now_us()
        letter = DeadLetter("", CONNECTION, "bad_header", now)
        dead_letters.bury_sealed(changes, core.sluice.keys, letter, b"no header", b"x")
        changes.commit(core.sluice.client)

    buried()
    end(core)
    core.sluice.register()
    buried()
    assert (purged(core), letters(core)) == (1, 1)
    end(core)
    assert (purged(core), letters(core)) == (1, 0)


def test_many_go_in_steps_and_a_death_between_two_loses_and_counts_nothing_twice(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    [name] = received(core, page("C1") | {"messages": [said("no", "U1") for _ in range(3 * purging.LETTERS)]})
    end(core)
    monkeypatch.setattr(purging, "STEPS", 1)
    assert purged(core) == purging.LETTERS
    assert receipt(core, name)["state"] == "purged", "or its record were lost until the last step"
    commit = Changes.commit

    def done_and_dead(self: Changes, client: redis.Redis) -> int:
        commit(self, client)
        raise Unavailable("store away")

    monkeypatch.setattr(Changes, "commit", done_and_dead)
    with pytest.raises(Unavailable):
        purged(core)
    monkeypatch.setattr(Changes, "commit", commit)
    assert purged(core) == purging.LETTERS
    told: dict[str, Any] = receipt(core, name)
    assert (told["dead"], told["dropped"], letters(core)) == (0, {"purged.message": 3 * purging.LETTERS}, 0)


def test_what_no_list_shows_is_the_key_and_the_generation(core: Core) -> None:
    received(core, history(said("no", "U1")), UNREADABLE)
    shown = core.call("GET", "/v1/dead-letters").json()["dead_letters"]
    assert len(shown) == 2
    assert all(not {"key", "generation"} & one.keys() for one in shown)

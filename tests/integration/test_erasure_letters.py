"""Dead letters of a person who was erased: purged by upkeep, and accounted for."""

import json
from typing import Any

import pytest
import redis
from core_api import AT, Core
from sluice import CONNECTION, ORG, SHARDS, Sluice, page
from test_erasure import history, said

from pipeline.errors import Unavailable
from pipeline.store import counters, dead_letters, purging, receipts
from pipeline.store.connections import Connections
from pipeline.store.dead_letters import DeadLetter, bury
from pipeline.store.purging import purge
from pipeline.store.scripts import Changes
from pipeline.store.vault import Vault

GOOD = "1700000000.000300"


@pytest.fixture
def core(sluice: Sluice) -> Core:
    made = Core(sluice).connected()
    made.allow("C1")
    sluice.drain()
    return made


def erase(core: Core, person: str = "U1") -> None:
    assert core.call("DELETE", f"{AT}/people/{person}").status_code == 202


def purged(core: Core, vault: Vault | None = None) -> int:
    return purge(core.sluice.client, SHARDS, vault or core.sluice.vault)["purged"]


def received(core: Core, *callbacks: dict[str, Any]) -> list[str]:
    found = core.sluice.receive(*callbacks)
    core.sluice.drain()
    return found


def receipt(core: Core, name: str) -> dict[str, Any]:
    found = receipts.find(core.sluice.client, core.sluice.keys, name)
    assert found is not None
    return found


def letters(core: Core) -> int:
    return dead_letters.count(core.sluice.client, SHARDS)


def test_only_letters_of_the_person_go_and_their_receipts_counters_and_the_audit_say_so(core: Core) -> None:
    wrapper = {"type": "message", "subtype": "message_changed", "ts": "no ts", "previous_message": said("x", "U1")}
    both, single = received(core, history(said("no", "U1"), said("no", "U2"), wrapper), history(said("no", "U1")))
    assert (letters(core), receipt(core, both)["dead"]) == (4, 3)
    assert purged(core) == 0, "nobody was erased"
    erase(core)
    assert purged(core) == 3
    assert (letters(core), purged(core)) == (1, 0)
    told = receipt(core, both)
    assert (told["state"], told["dead"], told["dropped"]) == ("dead", 1, {"excluded.message": 2})
    told = receipt(core, single)
    assert (told["state"], told["dead"], told["dropped"]) == ("purged", 0, {"excluded.message": 1})
    totals = counters.totals(core.sluice.client, SHARDS)
    assert totals["dropped.excluded.message"] == totals["purged.dead_letter"] == 3
    notes = [json.loads(row[b"e"]) for _, row in core.sluice.client.xrange(core.sluice.keys.audit)]
    ours = [(one["connection"], one["letters"]) for one in notes if one["event"] == "person.dead_letters_purged"]
    assert ours == [(CONNECTION, 3)]


def test_what_was_delivered_beside_it_stays_delivered(core: Core) -> None:
    [name] = received(core, history(said("no", "U1"), said(GOOD, "U2")))
    erase(core)
    purged(core)
    assert receipt(core, name)["state"] == "delivered"
    assert len(core.sluice.live()) == 1


def test_a_whole_callback_that_names_the_person_goes_though_it_cannot_be_read(core: Core) -> None:
    theirs, others = received(
        core, {"channel": 5, "messages": [said(GOOD, "U1")]}, {"channel": 5, "messages": [said(GOOD, "U2", "<@U1>")]}
    )
    assert letters(core) == 2
    erase(core)
    assert purged(core) == 1
    assert [receipt(core, name)["state"] for name in (theirs, others)] == ["purged", "dead"]


def test_a_letter_that_is_buried_after_the_erasure_is_found_too(core: Core) -> None:
    erase(core)
    assert purged(core) == 0
    received(core, {"channel": 5, "messages": [said(GOOD, "U1")]})
    assert letters(core) == 1
    assert purged(core) == 1


def test_letters_of_another_organisation_and_of_another_team_stay(core: Core) -> None:
    keys, vault = core.sluice.keys, core.sluice.vault
    neighbour = next(f"ann/{n}" for n in range(1000) if SHARDS.of(f"ann/{n}").shard == keys.shard)
    core.sluice.register(other := f"kim/{ORG}", team="TOTHER")
    changes, raw = Changes(), json.dumps(said(GOOD, "U1")).encode()
    for name in (neighbour, other, CONNECTION):
        bury(changes, keys, vault, DeadLetter("00" * 17, name, "bad_ts", 1, "message", generation=1), raw)
    changes.commit(core.sluice.client)
    erase(core)
    assert purged(core) == 1
    left = {one["connection"] for one in dead_letters.listing(core.sluice.client, SHARDS, None, 10)}
    assert left == {neighbour, other}


def test_many_are_purged_in_steps_and_a_death_between_two_loses_and_counts_nothing_twice(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    [name] = received(core, page("C1") | {"messages": [said("no", f"U{n % 2}") for n in range(60)]})
    erase(core)
    monkeypatch.setattr(purging, "STEPS", 1)
    assert [purged(core) for _ in range(2)] == [purging.LETTERS // 2] * 2
    commit = Changes.commit

    def done_and_dead(self: Changes, client: redis.Redis) -> int:
        commit(self, client)
        raise Unavailable("store away")

    monkeypatch.setattr(Changes, "commit", done_and_dead)
    with pytest.raises(Unavailable):
        purged(core)
    monkeypatch.setattr(Changes, "commit", commit)
    assert purged(core) == 6
    assert (receipt(core, name)["dead"], receipt(core, name)["dropped"]) == (30, {"excluded.message": 30})
    assert letters(core) == 30


def test_an_erasure_in_the_middle_of_a_step_begins_anew(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    received(core, history(said("no", "U1"), said("no", "U2")))
    erase(core)
    look, asked = purging._look, iter([True])

    def erasing(*args: Any) -> None:
        look(*args)
        if next(asked, False):
            erase(core, "U2")

    monkeypatch.setattr(purging, "_look", erasing)
    assert purged(core) == 2
    assert letters(core) == 0


def test_what_nobody_can_open_stays(core: Core) -> None:
    received(core, history(said("no", "U1")))
    erase(core)
    assert purged(core, Vault({"k2": bytes(32)})) == 0
    assert letters(core) == 1


def test_a_store_that_is_away_for_a_moment_is_no_letter_that_cannot_be_read(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    received(core, history(said("no", "U1")))
    erase(core)
    get = Connections.get

    def away(*_: Any) -> None:
        raise Unavailable("store away")

    monkeypatch.setattr(Connections, "get", away)
    with pytest.raises(Unavailable):
        purged(core)
    monkeypatch.setattr(Connections, "get", get)
    assert purged(core) == 1

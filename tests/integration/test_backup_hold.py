"""A store out of a backup: held, then narrowed to what others remember, then let go."""

from collections.abc import Iterator
from typing import Any

import pytest
from common_mesh import MeshReader
from sluice import CONNECTION, ORG, SHARDS, TEAM, Sluice, page

from pipeline import reconcile
from pipeline.errors import Unavailable
from pipeline.paragon.me import Me, SlackIntegration
from pipeline.reconcile import Findings
from pipeline.reconcile_people import people
from pipeline.store import durability, hold
from pipeline.store.shard import late

OTHER = f"ann/{ORG}"


@pytest.fixture
def reader(sluice: Sluice) -> Iterator[MeshReader]:
    with MeshReader("http://mesh.invalid", transport=sluice.mesh) as made:
        yield made


def receive(sluice: Sluice, *channels: str) -> None:
    sluice.receive(*(page(channel, "1700000000.000100") for channel in channels))


def directory(sluice: Sluice, *channels: str) -> None:
    said = {"run_id": "d", "cursor": "", "next_cursor": "", "has_more": False}
    sluice.receive(
        {"kind": "channels", "channels": [{"id": one, "name": one.lower()} for one in channels], **said},
        {"kind": "users", "members": [{"id": "U1"}], **said},
    )


def paragon(*channels: str, enabled: bool = True, **meta: Any) -> Any:
    said = {"allowListedChannels": list(channels), **meta}
    return lambda _: Me(authenticated=True, meta=said, slack=SlackIntegration(enabled=enabled))


def test_a_held_store_keeps_callbacks_and_delivers_nothing_until_it_is_let_go(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1")
    sluice.drain()
    hold.place(sluice.client, SHARDS, backup=17)
    sluice.rung.clear()
    receive(sluice, "C1")
    assert sluice.rung == [], "nobody is rung for a shard that is held"
    assert sluice.drain() == {"busy": 1}
    assert late(sluice.client, SHARDS, 0) == late(sluice.client, SHARDS, 0, unrung=True) == []
    assert sluice.live() == {}
    assert hold.found(sluice.client) == hold.Hold(hold.found(sluice.client).since, 17)  # type: ignore[union-attr]

    hold.lift(sluice.client, SHARDS)
    assert hold.found(sluice.client) is None
    assert late(sluice.client, SHARDS, 0)
    sluice.drain()
    assert len(sluice.live()) == 1


def test_nothing_of_the_schedule_is_due_while_the_store_is_held(sluice: Sluice) -> None:
    sluice.register()
    sluice.stores.schedule.put(sluice.keys, "patch", CONNECTION, 1)
    hold.place(sluice.client, SHARDS, None)
    assert sluice.stores.schedule.lease(sluice.keys) == []
    hold.lift(sluice.client, SHARDS)
    assert ("patch", CONNECTION) in sluice.stores.schedule.lease(sluice.keys)


def test_a_drain_that_holds_the_lease_settles_nothing_any_more(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1")
    sluice.drain()
    receive(sluice, "C1")
    send = sluice.stores.mesh.send

    def held_meanwhile(*args: Any) -> dict[int, str]:
        hold.place(sluice.client, SHARDS, None)
        return send(*args)

    sluice.stores.mesh.send = held_meanwhile  # type: ignore[method-assign]
    assert sluice.drain()["lease_lost"] == 1
    assert sluice.client.xlen(sluice.keys.stream(CONNECTION)) == 1
    assert sluice.client.get(sluice.keys.state) == b"held", "the drain that lost it has left it alone"


def test_every_process_says_at_its_start_that_the_store_is_held(
    sluice: Sluice, caplog: pytest.LogCaptureFixture
) -> None:
    durability.check(sluice.client, 16, asserted=False)
    assert not caplog.records
    hold.place(sluice.client, SHARDS, backup=17)
    durability.check(sluice.client, 16, asserted=False)
    assert [record.message for record in caplog.records] == ["store.held"]


def test_a_hold_can_be_placed_and_lifted_again_after_a_death_in_the_middle(sluice: Sluice) -> None:
    sluice.register()
    first = hold.place(sluice.client, SHARDS, backup=17)
    sluice.client.delete(sluice.keys.state)
    assert hold.place(sluice.client, SHARDS, backup=18) == first
    assert sluice.client.get(sluice.keys.state) == b"held"
    hold.lift(sluice.client, SHARDS)
    hold.lift(sluice.client, SHARDS)
    assert not sluice.client.keys("*:state")
    assert not hold.untouched(sluice.client, sluice.keys, CONNECTION)


def test_what_was_revoked_after_the_backup_is_taken_off_the_list_again_and_never_delivered(
    sluice: Sluice, reader: MeshReader
) -> None:
    sluice.register()
    directory(sluice, "C1", "C2")
    sluice.drain()
    sluice.allow("C1", "C2")  # the backup was made here; C2 was revoked after it
    hold.place(sluice.client, SHARDS, None)
    receive(sluice, "C1", "C2")
    findings = Findings()
    reconcile.narrow(sluice.stores, paragon("C1"), findings)
    reconcile.fence(sluice.stores, reader, findings)
    assert findings.narrowed == {CONNECTION: 1}
    assert findings.doubts == []
    hold.lift(sluice.client, SHARDS)
    sluice.drain()
    assert {row["channel"] for row in sluice.live().values()} == {"C1"}
    assert {row["channel"] for row in sluice.live("allowed_slack_channel").values()} == {"C1"}


def test_a_list_that_was_put_after_the_restore_is_believed(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1")
    hold.place(sluice.client, SHARDS, None)
    assert hold.untouched(sluice.client, sluice.keys, CONNECTION)
    sluice.allow("C1", "C2")
    assert not hold.untouched(sluice.client, sluice.keys, CONNECTION)
    findings = Findings()
    reconcile.narrow(sluice.stores, paragon(), findings)
    assert findings == Findings()
    assert sluice.stores.allowlists.own(CONNECTION, TEAM) == ["C1", "C2"]


def _away(_: str) -> Me:
    raise Unavailable("paragon_unreachable")


@pytest.mark.parametrize(
    ("me", "doubt"),
    [
        (_away, "does not say its list"),
        (paragon("C1", enabled=False), "not connected in Paragon"),
        (lambda _: Me(authenticated=True, slack=SlackIntegration(enabled=True)), "holds no list"),
    ],
)
def test_a_list_that_nobody_remembers_stays_and_is_a_doubt(sluice: Sluice, me: Any, doubt: str) -> None:
    sluice.register()
    sluice.allow("C1")
    hold.place(sluice.client, SHARDS, None)
    findings = Findings()
    reconcile.narrow(sluice.stores, me, findings)
    assert len(findings.doubts) == 1
    assert doubt in findings.doubts[0]
    assert sluice.stores.allowlists.own(CONNECTION, TEAM) == ["C1"]


def test_what_the_mesh_shows_and_no_list_allows_is_retracted(sluice: Sluice, reader: MeshReader) -> None:
    sluice.register()
    sluice.register(OTHER)
    directory(sluice, "C1", "C2", "C3")
    sluice.drain()
    sluice.allow("C1", "C2")
    sluice.allow("C2", connection=OTHER)
    receive(sluice, "C1", "C2")
    sluice.drain()
    assert len(sluice.live()) == 2
    # What a store that was restored to before these lists knows:
    sluice.client.delete(sluice.keys.allow(ORG))
    sluice.client.hset(sluice.keys.allow(ORG), f"{TEAM}|C2|{OTHER}", '{"since": 1, "version": 1}')
    findings = Findings()
    reconcile.fence(sluice.stores, reader, findings)
    sluice.drain()
    assert findings.fenced == {ORG: 1}
    assert {row["channel"] for row in sluice.live().values()} == {"C2"}
    assert {row["channel"] for row in sluice.live("allowed_slack_channel").values()} == {"C2"}
    again = Findings()
    reconcile.fence(sluice.stores, reader, again)
    assert again == Findings()


def test_organisations_that_only_the_mesh_knows_are_named_and_left_alone(sluice: Sluice, reader: MeshReader) -> None:
    sluice.register()
    sluice.drain()
    sluice.client.flushall()
    findings = Findings()
    reconcile.fence(sluice.stores, reader, findings)
    assert findings.unknown == [ORG]
    assert len(sluice.live("user")) == 1


def test_a_mesh_that_cannot_be_read_is_a_doubt(sluice: Sluice) -> None:
    sluice.register()
    findings = Findings()
    reconcile.fence(sluice.stores, None, findings)
    with MeshReader("http://127.0.0.1:1") as nobody:
        reconcile.fence(sluice.stores, nobody, findings)
    assert ["cannot be read" in doubt for doubt in findings.doubts] == [True, True]


GONE, ALSO_GONE, STAYS = (TEAM, "U1"), (TEAM, "U2"), "U3"


def erased_before_and_since(sluice: Sluice) -> dict[bytes, bytes]:
    """U1 was erased before the backup, U2 after it; what the store of the backup knows."""
    sluice.register()
    directory(sluice, "C1")
    sluice.stores.people.erase(CONNECTION, "U1", by="test")
    backup: dict[bytes, bytes] = sluice.client.hgetall(sluice.keys.erased(ORG))
    sluice.stores.people.erase(CONNECTION, "U2", by="test")
    sluice.drain()
    return backup


def put_back(sluice: Sluice, backup: dict[bytes, bytes]) -> None:
    sluice.client.delete(sluice.keys.erased(ORG))
    if backup:
        sluice.client.hset(sluice.keys.erased(ORG), mapping=backup)


def test_who_was_erased_after_the_backup_is_excluded_again(sluice: Sluice, reader: MeshReader) -> None:
    put_back(sluice, erased_before_and_since(sluice))
    findings = Findings()
    people(sluice.stores, reader, findings)
    assert findings == Findings(erased={ORG: 1})
    assert sluice.stores.people.excluded(ORG) == {GONE, ALSO_GONE}
    again = Findings()
    people(sluice.stores, reader, again)
    assert again == Findings()


def test_of_an_organisation_that_is_registered_only_later_too(sluice: Sluice, reader: MeshReader) -> None:
    erased_before_and_since(sluice)
    sluice.client.flushall()
    findings = Findings()
    people(sluice.stores, reader, findings)
    assert findings == Findings(erased={ORG: 2})
    sluice.register()
    sluice.receive({"kind": "users", "members": [{"id": "U1"}, {"id": STAYS}]})
    sluice.drain()
    assert [one for one in sluice.live("user") if one.startswith(TEAM)] == [f"{TEAM}:{STAYS}"]


def test_who_was_let_in_again_after_the_backup_is_named_and_stays_out(sluice: Sluice, reader: MeshReader) -> None:
    backup = erased_before_and_since(sluice)
    assert sluice.stores.people.readmit(CONNECTION, "U1", by="test")
    sluice.drain()
    put_back(sluice, backup)
    findings = Findings()
    people(sluice.stores, reader, findings)
    assert findings == Findings(erased={ORG: 1}, readmitted=[f"{ORG}: U1 (team {TEAM})"])
    assert GONE in sluice.stores.people.excluded(ORG)


def test_who_is_let_in_again_after_the_restore_is_believed(sluice: Sluice, reader: MeshReader) -> None:
    """The word of it is an effect that waits behind the hold: the mesh still says that they were erased."""
    put_back(sluice, erased_before_and_since(sluice))
    hold.place(sluice.client, SHARDS, None)
    assert sluice.stores.people.readmit(CONNECTION, "U1", by="test")
    findings = Findings()
    people(sluice.stores, reader, findings)
    assert findings == Findings(erased={ORG: 1})
    assert sluice.stores.people.excluded(ORG) == {ALSO_GONE}


def test_an_erasure_that_a_restored_mesh_does_not_know_is_sent_again(sluice: Sluice, reader: MeshReader) -> None:
    sluice.register()
    directory(sluice, "C1")
    sluice.allow("C1")
    receive(sluice, "C1")
    sluice.drain()
    sluice.client.hset(sluice.keys.erased(ORG), f"{TEAM}|U1", 17)
    findings = Findings()
    people(sluice.stores, reader, findings)
    assert findings == Findings(refenced={ORG: 1})
    sluice.drain()
    assert sluice.live() == {}
    again = Findings()
    people(sluice.stores, reader, again)
    assert again == Findings()


def test_erasures_that_nobody_can_tell_of_are_a_doubt_that_says_to_repeat_them(sluice: Sluice) -> None:
    sluice.register()
    findings = Findings()
    people(sluice.stores, None, findings)
    with MeshReader("http://127.0.0.1:1") as nobody:
        people(sluice.stores, nobody, findings)
    assert ["Repeat each erasure" in doubt for doubt in findings.doubts] == [True, True]

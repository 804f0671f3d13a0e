"""From an appended callback to the mesh and the receipt, over a real store."""

import pytest
from sluice import CONNECTION, ORG, TEAM, Sluice, now_us, page

from pipeline.errors import Rejected
from pipeline.store import dead_letters, receipts
from pipeline.store.errors import BacklogFull, NotRegistered


def receipt_of(sluice: Sluice, receipt: str) -> dict[str, object]:
    found = receipts.find(sluice.client, sluice.keys, receipt)
    assert found is not None
    return found


def test_an_allowed_message_reaches_the_mesh_and_its_receipt_says_delivered(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1")
    [receipt] = sluice.receive(page("C1", "1700000000.000100"))
    assert receipt_of(sluice, receipt)["state"] == "waiting"
    sluice.drain()
    assert list(sluice.live()) == [f"{TEAM}:C1:1700000000.000100"]
    assert receipt_of(sluice, receipt) | {"settled_at": 0, "at": 0} == {
        "state": "delivered",
        "kind": "messages",
        "connection": CONNECTION,
        "at": 0,
        "delivered": 1,
        "dropped": {},
        "dead": 0,
        "settled_at": 0,
    }


def test_what_is_not_allowed_is_counted_and_nothing_of_it_is_kept(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1")
    [receipt] = sluice.receive(page("C2", "1700000000.000100", "1700000000.000200"))
    sluice.drain()
    assert sluice.live() == {}
    assert receipt_of(sluice, receipt)["state"] == "nothing_allowed"
    assert receipt_of(sluice, receipt)["dropped"] == {"not_allowed.message": 2}
    assert dead_letters.count(sluice.client, sluice.stores.shards) == 0


def test_without_a_list_nothing_is_forwarded(sluice: Sluice) -> None:
    sluice.register()
    [receipt] = sluice.receive(page("C1", "1700000000.000100"))
    sluice.drain()
    assert sluice.live() == {}
    assert receipt_of(sluice, receipt)["dropped"] == {"no_list.message": 1}


def test_a_revocation_ends_what_was_delivered_and_what_is_on_its_way(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1", "C2")
    sluice.receive(page("C1", "1700000000.000100"), page("C2", "1700000000.000200"))
    sluice.drain()
    sluice.receive(page("C1", "1700000000.000300"))
    sluice.allow("C2")
    sluice.drain()
    assert list(sluice.live()) == [f"{TEAM}:C2:1700000000.000200"]


def test_a_channel_that_another_connection_still_allows_is_not_retracted(sluice: Sluice) -> None:
    other = f"ann/{ORG}"
    sluice.register()
    sluice.register(other)
    sluice.allow("C1")
    sluice.allow("C1", connection=other)
    sluice.receive(page("C1", "1700000000.000100"))
    sluice.drain()
    sluice.allow()
    sluice.drain()
    assert len(sluice.live()) == 1
    sluice.allow(connection=other)
    sluice.drain()
    assert sluice.live() == {}


def test_one_bad_record_dies_alone(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1")
    callback = page("C1", "1700000000.000100")
    callback["messages"].append({"type": "message", "text": "no identity"})
    [receipt] = sluice.receive(callback)
    sluice.drain()
    assert len(sluice.live()) == 1
    assert receipt_of(sluice, receipt)["state"] == "dead"
    [letter] = dead_letters.listing(sluice.client, sluice.stores.shards, ORG, 10)
    assert (letter["reason"], letter["receipt"], letter["model"]) == ("no_ts", receipt, "message")
    assert "no identity" not in str(letter)


def test_what_the_mesh_rejects_is_a_dead_letter_with_its_id(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1")
    bad = f"{TEAM}:C1:1700000000.000200"
    sluice.mesh.reject(bad, "too_big")
    sluice.receive(page("C1", "1700000000.000100", "1700000000.000200"))
    sluice.drain()
    [letter] = dead_letters.listing(sluice.client, sluice.stores.shards, ORG, 10)
    assert (letter["id"], letter["reason"]) == (bad, "mesh_too_big")
    assert len(sluice.live()) == 1


def test_an_outage_of_the_mesh_keeps_the_entry_and_parks_the_connection(sluice: Sluice) -> None:
    sluice.register()
    sluice.drain()
    sluice.allow("C1")
    sluice.drain()
    sluice.mesh.fail(503)
    [receipt] = sluice.receive(page("C1", "1700000000.000100"))
    assert sluice.drain()["held"] == 1
    assert receipt_of(sluice, receipt)["state"] == "waiting"
    assert sluice.drain() == {}, "parked: not due before its time"
    sluice.client.zadd(sluice.keys.ready, {CONNECTION: 1})
    sluice.drain()
    assert len(sluice.live()) == 1
    assert sluice.client.hgetall(sluice.keys.parked) == {}


def test_an_unregistered_connection_is_refused(sluice: Sluice) -> None:
    with pytest.raises(NotRegistered):
        sluice.receive(page("C1", "1700000000.000100"))


def test_a_backlog_over_its_limit_is_refused_until_it_drains(sluice: Sluice) -> None:
    sluice.backlog_limit = 2
    sluice.register()
    sluice.allow("C1")
    sluice.receive(page("C1", "1700000000.000100"))
    sluice.receive(page("C1", "1700000000.000200"))
    with pytest.raises(BacklogFull):
        sluice.receive(page("C1", "1700000000.000300"))
    sluice.drain()
    sluice.receive(page("C1", "1700000000.000300"))


def test_a_disconnect_purges_what_waits_and_retracts_what_was_delivered(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1")
    sluice.receive(page("C1", "1700000000.000100"))
    sluice.drain()
    [waiting] = sluice.receive(page("C1", "1700000000.000200"))
    sluice.disconnect(CONNECTION, by="test")
    sluice.drain()
    assert sluice.live() == {}
    assert sluice.live("user") == {}
    assert receipt_of(sluice, waiting)["state"] == "purged"
    with pytest.raises(NotRegistered):
        sluice.receive(page("C1", "1700000000.000300"))


def test_a_reconnect_has_a_new_generation_and_what_the_old_one_left_stays_out(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1")
    sluice.disconnect(CONNECTION, by="test")
    sluice.register()
    sluice.allow("C1")
    [late] = sluice.receive(page("C1", "1700000000.000200", gen=1, run_id="00aa", attempt=1, epoch=5))
    sluice.drain()
    assert receipt_of(sluice, late)["state"] == "purged"
    assert sluice.live() == {}


def test_the_team_is_asked_for_once_when_registration_did_not_name_it(sluice: Sluice) -> None:
    sluice.register(team=None)
    users = {"kind": "users", "members": [{"id": "U1", "name": "ann"}], "cursor": "", "next_cursor": "", "run_id": "r"}
    sluice.receive(users, {**users, "run_id": "s"})
    sluice.drain()
    assert sluice.team_asked == [CONNECTION]
    assert f"{TEAM}:U1" in sluice.live("user")


def test_another_team_is_refused(sluice: Sluice) -> None:
    sluice.register()
    with pytest.raises(Rejected):
        sluice.register(team="T999")


def test_names_come_from_the_directory_and_only_of_allowed_channels(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1", "C2")
    ends = {"cursor": "", "next_cursor": "", "run_id": "r"}
    users = [{"id": "U1", "name": "ann", "profile": {"display_name": "Ann Ü"}}]
    channels = [{"id": "C2", "name": "plans"}, {"id": "C3", "name": "secret"}]
    sluice.receive({"kind": "users", "members": users, **ends}, {"kind": "channels", "channels": channels, **ends})
    sluice.drain()
    callback = page("C1", "1700000000.000100")
    callback["messages"][0]["text"] = "<@U1> see <#C2> and <#C3>"
    sluice.receive(callback)
    sluice.drain()
    [record] = sluice.live().values()
    assert record["text"] == "@Ann Ü see #plans and #C3"
    assert list(sluice.live("allowed_slack_channel")) == [f"{TEAM}:C2"]


def test_repeats_have_one_effect(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1")
    same = page("C1", "1700000000.000100", gen=1, run_id="00aa", attempt=1, epoch=1_800_000_000_000_000)
    sluice.receive(*[same] * 10)
    sluice.drain()
    sluice.receive(same)
    sluice.drain()
    assert len(sluice.mesh.effects(ORG, "slack", "message")) == 1


def test_a_revocation_ends_what_came_while_the_stores_clock_was_ahead(sluice: Sluice) -> None:
    sluice.register()
    sluice.allow("C1")
    stream = sluice.keys.stream(CONNECTION)
    sluice.client.xadd(stream, {"x": 1}, id=f"{now_us() // 1000 + 600_000}-0")  # ids never go back, the clock does
    sluice.client.xtrim(stream, 0)
    sluice.receive({"kind": "channels", "channels": [{"id": "C1"}], "cursor": "", "next_cursor": "", "run_id": "r"})
    sluice.drain()
    assert list(sluice.live("allowed_slack_channel")) == [f"{TEAM}:C1"]
    sluice.allow()
    sluice.drain()
    assert sluice.live("allowed_slack_channel") == {}

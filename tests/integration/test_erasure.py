"""Erasing one person: what they wrote and are goes, and no later reading brings it back."""

import json
from typing import Any

import pytest
from common_mesh.testing import FakeMesh
from core_api import AT, Core
from sluice import CONNECTION, ORG, TEAM, Sluice, page

from pipeline.store import dead_letters, receipts

FIRST, SECOND, THIRD = "1700000000.000100", "1700000000.000200", "1700000000.000300"
MEMBERS = [{"id": "U1", "name": "rob", "real_name": "Rob Root"}, {"id": "U2", "name": "ann"}]


def said(ts: str, user: str, text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"type": "message", "user": user, "ts": ts, "text": text, **more}


def history(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return page("C1", **more) | {"messages": list(messages)}


@pytest.fixture
def core(sluice: Sluice) -> Core:
    made = Core(sluice).connected()
    made.allow("C1")
    sluice.receive({"kind": "users", "members": MEMBERS}, history(said(FIRST, "U1"), said(SECOND, "U2")))
    sluice.drain()
    assert len(sluice.live()) == 2
    return made


def erase(core: Core, person: str = "U1") -> dict[str, Any]:
    answer = core.call("DELETE", f"{AT}/people/{person}")
    assert answer.status_code == 202
    shown: dict[str, Any] = core.call("GET", f"/v1/receipts/{answer.json()['receipt']}").json()
    return shown


def dropped(core: Core, receipt: str) -> Any:
    found = receipts.find(core.sluice.client, core.sluice.keys, receipt)
    assert found is not None
    return found["dropped"]


def live_ts(core: Core) -> list[str]:
    return sorted(one["ts"] for one in core.sluice.live().values())


def names(core: Core) -> dict[str, str]:
    return core.sluice.stores.directory.user_names(ORG, TEAM, ["U1", "U2"])


def test_what_a_person_wrote_and_is_goes_from_the_mesh_and_the_receipt_says_so(core: Core) -> None:
    assert "U1" in names(core)
    assert erase(core)["state"] == "delivered"
    assert live_ts(core) == [SECOND]
    assert [one for one in core.sluice.live("user") if one.startswith(TEAM)] == [f"{TEAM}:U2"]
    assert list(names(core)) == ["U2"]


def test_the_name_is_forgotten_at_once_though_the_mesh_is_away(core: Core) -> None:
    core.sluice.mesh.fail(503, times=10)
    assert erase(core)["state"] == "waiting"
    assert list(names(core)) == ["U2"]


def test_no_later_reading_brings_them_back(core: Core) -> None:
    erase(core)
    changed = {"type": "message", "subtype": "message_changed", "ts": THIRD, "message": said(FIRST, "U1", "more")}
    users, again, edit = core.sluice.receive(
        {"kind": "users", "members": MEMBERS}, history(said(FIRST, "U1"), said(THIRD, "U2")), history(changed)
    )
    core.sluice.drain()
    assert live_ts(core) == [SECOND, THIRD]
    assert f"{TEAM}:U1" not in core.sluice.live("user")
    assert list(names(core)) == ["U2"]
    assert dropped(core, users) == {"excluded.user": 1}
    assert dropped(core, again) == dropped(core, edit) == {"excluded.message": 1}


def test_nor_does_another_connection_or_a_new_registration(core: Core) -> None:
    erase(core)
    core.sluice.disconnect(CONNECTION, by="test")
    core.sluice.drain()
    core.sluice.register(other := f"ann@example.com/{ORG}")
    core.sluice.allow("C1", connection=other)
    core.sluice.receive(history(said(FIRST, "U1"), said(THIRD, "U2")) | {"connection": other})
    core.sluice.drain()
    assert live_ts(core) == [THIRD]


def test_who_mentions_them_says_their_id_whatever_the_label_says(core: Core) -> None:
    erase(core)
    core.sluice.receive(history(said(THIRD, "U2", "ask <@U1|Rob Root>, <@U2>")))
    topic = {"id": "C1", "topic": {"value": "<@U1|Rob Root> leads"}}
    core.sluice.receive({"kind": "channels", "channels": [topic]})
    core.sluice.drain()
    told = core.sluice.live()[f"{TEAM}:C1:{THIRD}"]
    assert (told["text"], told["source_text"]) == ("ask @U1, @ann", "ask <@U1>, <@U2>")
    assert core.sluice.live("allowed_slack_channel")[f"{TEAM}:C1"]["topic"] == "<@U1> leads"


def test_a_text_that_was_delivered_before_keeps_the_name_until_it_is_read_again(core: Core) -> None:
    mention, place = history(said(THIRD, "U2", "ask <@U1|Rob Root>")), f"{TEAM}:C1:{THIRD}"
    core.sluice.receive(mention)
    core.sluice.drain()
    erase(core)
    assert core.sluice.live()[place]["text"] == "ask @Rob Root", "out of reach, as docs/pausing-and-erasing.md says"
    core.sluice.receive(mention)
    core.sluice.drain()
    assert core.sluice.live()[place]["text"] == "ask @U1"


def test_a_record_of_theirs_that_cannot_be_mapped_leaves_no_dead_letter(core: Core) -> None:
    erase(core)
    core.sluice.receive(history(said("no ts", "U1"), said("no ts", "U2")))
    core.sluice.drain()
    assert dead_letters.count(core.sluice.client, core.sluice.stores.shards) == 1


def test_the_page_still_proves_its_window_and_asks_for_the_thread_they_began(core: Core) -> None:
    erase(core)
    stores, keys = core.sluice.stores, core.sluice.keys
    [run] = stores.ledger.plan(CONNECTION, TEAM, ["C1"], core.sluice.stores.now_us())
    found = stores.ledger.get(run)
    assert found is not None
    core.sluice.client.zrem(keys.due, f"patch:{CONNECTION}")
    attempt = stores.ledger.runs.begin(found)
    assert not isinstance(attempt, str), attempt
    facts = {"run_id": run, "attempt": attempt.number, "epoch": attempt.epoch, "gen": attempt.generation}
    core.sluice.receive(history(said(FIRST, "U1", reply_count=1, thread_ts=FIRST), thread_ts="", **facts))
    core.sluice.drain()
    assert _state(core, run) == "requested", "the thread is wanted"
    core.sluice.receive(history(said(THIRD, "U2", thread_ts=FIRST), thread_ts=FIRST, **facts))
    core.sluice.drain()
    assert _state(core, run) == "covered"
    assert live_ts(core) == [SECOND, THIRD]


def _state(core: Core, run: str) -> str:
    found = core.sluice.stores.ledger.get(run)
    assert found is not None
    return found.state


def test_an_erasure_between_the_map_and_the_mesh_is_seen(store: str) -> None:
    """The batch of messages is on its way when their author is erased; the batch of users is still to go."""
    mesh = FakeMesh()
    sluice = Sluice(store, mesh=mesh)
    try:
        core = Core(sluice, drains=False).connected()
        core.allow("C1")
        sluice.drain()
        mesh.fault(lambda _, go_on: (core.call("DELETE", f"{AT}/people/U1"), go_on())[1])
        users, _ = sluice.receive({"kind": "users", "members": MEMBERS}, history(said(FIRST, "U1")))
        sluice.drain()
        assert sluice.live() == {}
        assert dropped(core, users) == {"excluded.user": 1}
        assert list(names(core)) == ["U2"], "the page wrote the name, the settled fence took it away"
    finally:
        sluice.close()


def test_who_was_erased_is_listed_audited_and_can_be_let_in_again(core: Core) -> None:
    assert core.call("PUT", f"{AT}/people/U1").status_code == 404
    erase(core)
    assert list(core.call("GET", f"{AT}/people").json()["erased"]) == ["U1"]
    assert core.call("PUT", f"{AT}/people/U1").json() == {"erased": {}}
    core.sluice.receive({"kind": "users", "members": MEMBERS}, history(said(FIRST, "U1")))
    core.sluice.drain()
    assert live_ts(core) == [FIRST, SECOND]
    notes = [json.loads(row[b"e"]) for _, row in core.sluice.client.xrange(core.sluice.keys.audit)]
    ours = [(note["event"], note["person"]) for note in notes if note["event"].startswith("person.")]
    assert ours == [("person.erased", "U1"), ("person.readmitted", "U1")]


def test_an_erasure_goes_out_under_a_pause(core: Core) -> None:
    core.call("PUT", "/v1/pauses/all")
    assert erase(core)["state"] == "delivered"
    assert live_ts(core) == [SECOND]


@pytest.mark.parametrize("person", ["rob", "C1", "u1", "U", "U1|x", "B1"])
def test_what_is_no_user_id_is_refused(core: Core, person: str) -> None:
    assert core.call("DELETE", f"{AT}/people/{person}").status_code == 422


def test_without_a_team_there_is_nobody_to_erase(sluice: Sluice) -> None:
    core = Core(sluice)
    core.call("PUT", AT, json={"name": "rob"})
    assert core.call("DELETE", f"{AT}/people/U1").status_code == 409

"""Pausing everything, an organisation or a connection: intake goes on, nothing goes out but what revokes."""

import dataclasses
import json

import httpx
import pytest
from common_mesh.testing import FakeMesh
from core_api import AT, OURS, Core
from outgoing_world import World
from sluice import CONNECTION, ORG, SHARDS, TEAM, Sluice, page

from pipeline.errors import Rejected
from pipeline.store import dead_letters, receipts
from pipeline.store.pauses import Pauses

SCOPES = ["all", f"org:{ORG}", CONNECTION]
OTHER = f"ann@example.com/{ORG}"
FIRST, SECOND = "1700000000.000100", "1700000000.000200"


@pytest.fixture
def core(sluice: Sluice) -> Core:
    return Core(sluice, drains=False).connected()


def ready(sluice: Sluice) -> Sluice:
    for connection in (CONNECTION, OTHER):
        sluice.register(connection)
        sluice.allow("C1", connection=connection)
    sluice.drain()
    return sluice


def state_of(sluice: Sluice, receipt: str) -> str:
    found = receipts.find(sluice.client, sluice.keys, receipt)
    assert found is not None
    return str(found["state"])


@pytest.mark.parametrize("scope", SCOPES)
def test_what_is_paused_is_kept_undelivered_and_a_resume_delivers_it_at_once(sluice: Sluice, scope: str) -> None:
    pauses = ready(sluice).stores.pauses
    assert pauses.pause(scope, by="test") == (1 if scope == CONNECTION else 2)
    [receipt] = sluice.receive(page("C1", FIRST))
    assert (sluice.drain()["held"], sluice.live()) == (1, {})
    assert (sluice.drain(), state_of(sluice, receipt)) == ({}, "waiting"), "parked, and not looked at again"
    assert pauses.resume(scope, by="test") is not None
    sluice.drain()
    assert (len(sluice.live()), state_of(sluice, receipt)) == (1, "delivered")


def test_a_paused_connection_holds_nobody_else_back(sluice: Sluice) -> None:
    ready(sluice).stores.pauses.pause(CONNECTION, by="test")
    sluice.receive(page("C1", FIRST), page("C1", SECOND) | {"connection": OTHER})
    sluice.drain()
    assert list(sluice.live()) == [f"{TEAM}:C1:{SECOND}"]


def test_a_revocation_goes_out_under_a_pause_and_the_resume_brings_nothing_back(sluice: Sluice) -> None:
    ready(sluice).receive(page("C1", FIRST))
    sluice.drain()
    sluice.stores.pauses.pause("all", by="test")
    sluice.receive(page("C1", SECOND))
    for connection in (CONNECTION, OTHER):
        sluice.allow(connection=connection)
    sluice.drain()
    assert sluice.live() == {}
    sluice.stores.pauses.resume("all", by="test")
    sluice.drain()
    assert sluice.live() == {}


def test_a_disconnect_purges_what_a_pause_held(sluice: Sluice) -> None:
    ready(sluice).stores.pauses.pause(CONNECTION, by="test")
    [receipt] = sluice.receive(page("C1", FIRST))
    sluice.drain()
    sluice.disconnect(CONNECTION, by="test")
    sluice.drain()
    assert state_of(sluice, receipt) == "purged"


def test_nothing_of_a_paused_connection_is_opened_and_its_team_not_asked_for(sluice: Sluice) -> None:
    sluice.register(team=None)
    sluice.stores.pauses.pause(CONNECTION, by="test")
    sluice.receive({"channel": "C1", "messages": "no list"})
    sluice.drain()
    assert (sluice.team_asked, dead_letters.count(sluice.client, SHARDS)) == ([], 0)


def test_of_two_pauses_both_must_end(sluice: Sluice) -> None:
    pauses = ready(sluice).stores.pauses
    pauses.pause("all", by="test")
    pauses.pause(CONNECTION, by="test")
    sluice.receive(page("C1", FIRST))
    sluice.drain()
    pauses.resume("all", by="test")
    sluice.drain()
    assert sluice.live() == {}
    pauses.resume(CONNECTION, by="test")
    sluice.drain()
    assert len(sluice.live()) == 1


class Pausing(FakeMesh):
    """Somebody pauses while the first batch is on its way."""

    sluice: Sluice

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sluice.stores.pauses.pause("all", by="test")
        return super().handle_request(request)


def test_a_pause_stops_a_batch_that_is_under_way(store: str) -> None:
    mesh = Pausing()
    sluice = mesh.sluice = Sluice(store, mesh=mesh)
    try:
        sluice.register()
        sluice.allow("C1")
        sluice.drain()
        sluice.stores.pauses.resume("all", by="test")
        sluice.receive(page("C1", FIRST), {"kind": "users", "members": [{"id": "U9"}]})
        assert sluice.drain()["held"] == 1
        assert (len(sluice.live()), f"{TEAM}:U9" in sluice.live("user")) == (1, False)
    finally:
        sluice.close()


class Ending(Pauses):
    """The pause ends right behind the drain's back."""

    def of(self, connection: str) -> list[str]:
        found = super().of(connection)
        self.resume(connection, by="test")
        return found


def test_a_pause_that_ends_while_its_connection_is_being_parked_leaves_nothing_parked(sluice: Sluice) -> None:
    ready(sluice).stores.pauses.pause(CONNECTION, by="test")
    sluice.receive(page("C1", FIRST))
    sluice.stores = dataclasses.replace(sluice.stores, pauses=Ending(sluice.client, SHARDS))
    sluice.drain()
    assert len(sluice.live()) == 1


def test_paragon_is_asked_for_nothing_under_a_pause_but_hears_of_removals(world: World) -> None:
    pauses = world.sluice.stores.pauses
    run = world.planned("C1")
    pauses.pause(CONNECTION, by="test")
    assert (world.outgoing.trigger(run), world.wire.count("POST messages")) == ("paused", 0)
    assert world.item("trigger", run) is not None, "still due"
    world.allow("C2")
    assert world.outgoing.plan(CONNECTION) == 0
    assert world.outgoing.patch(CONNECTION) == "patched"
    assert world.meta()["allowListedChannels"] == ["C2"]
    world.sluice.client.zadd(world.keys.due, {f"look:{CONNECTION}": 1})
    asked = len(world.wire.asked)
    assert (world.looking.look(CONNECTION), len(world.wire.asked)) == ("paused", asked)
    pauses.resume(CONNECTION, by="test")
    due = world.item("plan")
    assert due is not None
    assert due <= 0
    assert world.outgoing.plan(CONNECTION) == 1


def test_the_operator_pauses_and_resumes_and_both_are_shown(core: Core) -> None:
    assert core.allow("C1").status_code in (200, 202)
    made = core.call("PUT", "/v1/pauses/org%3A" + ORG)
    assert (made.status_code, made.json()) == (200, {"scope": f"org:{ORG}", "connections": 1})
    assert list(core.call("GET", "/v1/pauses").json()["pauses"]) == [f"org:{ORG}"]
    assert core.call("GET", "/v1/status").json()["paused"] == [f"org:{ORG}"]
    assert core.call("GET", AT).json()["paused"] == [f"org:{ORG}"]
    rung = core.rings["rung"]
    assert core.call("DELETE", "/v1/pauses/org%3A" + ORG).json()["connections"] == 1
    assert core.rings["rung"] == rung + 1
    assert core.call("GET", AT).json()["paused"] == []
    assert core.call("DELETE", "/v1/pauses/all").status_code == 404


def test_a_connection_can_be_named_with_its_slash(core: Core) -> None:
    for name in (CONNECTION, CONNECTION.replace("/", "%2F")):
        assert core.call("PUT", f"/v1/pauses/{name}").json() == {"scope": CONNECTION, "connections": 1}


@pytest.mark.parametrize("scope", ["", "org:", "rob", "/", "org:a%00/"])
def test_what_is_no_scope_is_refused(core: Core, scope: str) -> None:
    with pytest.raises(Rejected):
        core.sluice.stores.pauses.pause(scope, by="test")
    assert core.call("PUT", f"/v1/pauses/{scope}").status_code in (404, 405, 422)


def test_pausing_is_the_operators_alone(core: Core) -> None:
    for method, path in (("GET", ""), ("PUT", f"/org%3A{ORG}"), ("DELETE", "/all")):
        assert core.call(method, f"/v1/pauses{path}", OURS).status_code == 403


@pytest.mark.parametrize("scope", SCOPES)
def test_a_pause_and_its_end_are_in_the_audit_trail_once(sluice: Sluice, scope: str) -> None:
    ready(sluice)
    for _ in range(2):
        sluice.stores.pauses.pause(scope, by="operator")
    for _ in range(2):
        sluice.stores.pauses.resume(scope, by="operator")
    rows = [row for keys in SHARDS.all() for _, row in sluice.client.xrange(keys.audit)]
    notes = [json.loads(row[b"e"]) for row in rows]
    found = [(note["event"], note["connection"], note["by"]) for note in notes if note["connection"] == scope]
    ours = [one for one in found if one[0] in ("paused", "resumed")]
    assert ours == [("paused", scope, "operator"), ("resumed", scope, "operator")]

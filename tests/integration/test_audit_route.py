"""The audit trail over HTTP: every change once, whose it is, paged from the newest on, without content."""

from typing import Any

import pytest
from core_api import AT, OPERATOR, OTHERS, OURS, RUNS, Core
from sluice import CONNECTION, ORG, SHARDS, Sluice, page

from pipeline.store import audit
from pipeline.store.scripts import Changes

ELSEWHERE = "ann/elsewhere"
NEIGHBOUR = next(f"eve/org{n}" for n in range(1000) if SHARDS.of(f"eve/org{n}") == SHARDS.of_org(ORG))


@pytest.fixture
def core(sluice: Sluice) -> Core:
    return Core(sluice).connected()


def listed(core: Core, token: str = OPERATOR, **query: Any) -> list[dict[str, Any]]:
    """All of it, page by page."""
    entries: list[dict[str, Any]] = []
    while True:
        said = core.call("GET", "/v1/audit", token, params=query).json()
        entries += said["entries"]
        if said["next"] is None:
            return entries
        query["before"] = said["next"]


def noted(core: Core, connection: str, *events: str) -> None:
    for event in events:
        changes = Changes()
        audit.note(changes, SHARDS.of(connection), event, connection, "test", 1764000000000000)
        assert changes.commit(core.sluice.client) == 0


def test_every_change_of_a_list_is_one_entry_with_who_when_and_from_which_version_to_which(core: Core) -> None:
    core.allow("C1", "C2", token=OURS)
    core.allow("C1", "C2", token=OURS)  # changes nothing
    core.allow("C2")
    newest, first = [one for one in listed(core) if one["event"] == "allowlist.changed"]
    assert (first["connection"], first["by"], newest["by"]) == (CONNECTION, f"org:{ORG}", "operator")
    assert first["facts"] == {
        "from": 0, "to": 1, "added": 2, "removed": 0, "channels_added": ["C1", "C2"], "channels_removed": [],
        "since": 0,
    }  # fmt: skip
    assert (newest["facts"]["from"], newest["facts"]["to"]) == (1, 2)
    assert (newest["facts"]["channels_added"], newest["facts"]["channels_removed"]) == ([], ["C1"])
    assert first["at"] < newest["at"] <= core.sluice.stores.now_us()


def test_a_disconnect_says_in_its_one_entry_which_list_it_ended(core: Core) -> None:
    core.allow("C1", "C2")
    core.call("DELETE", AT, OURS)
    [entry] = [one for one in listed(core) if one["event"] == "connection.disconnected"]
    assert (entry["by"], entry["facts"]["from"], entry["facts"]["to"]) == (f"org:{ORG}", 1, 2)
    assert (entry["facts"]["removed"], entry["facts"]["channels_removed"]) == (2, ["C1", "C2"])


def test_pages_of_any_size_lead_through_all_shards_from_the_newest_on(core: Core) -> None:
    for number in range(7):
        for connection in (ELSEWHERE, NEIGHBOUR, CONNECTION):
            noted(core, connection, f"event.{number}")
    whole = listed(core)
    assert {one["connection"] for one in whole} == {ELSEWHERE, NEIGHBOUR, CONNECTION}
    for connection in (ELSEWHERE, NEIGHBOUR, CONNECTION):  # of one moment in several shards none is the newest
        numbers = [one["event"][-1] for one in whole if (one["connection"], one["by"]) == (connection, "test")]
        assert numbers == list("6543210")
    for limit in (1, 2, 5, len(whole), 1000):
        assert listed(core, limit=limit) == whole


def test_what_happened_in_one_moment_in_several_shards_is_paged_too(core: Core) -> None:
    row = b'{"event":"%d","connection":"ann/elsewhere","by":"b","at":1}'
    places = [(keys, number) for keys in SHARDS.all() for number in (1, 2)]
    for keys, number in places:
        core.sluice.client.xadd(keys.audit, {"e": row % keys.shard}, id=f"9999999999999-{number}")
    for limit in (1, 3, 1000):
        found = [one["event"] for one in listed(core, limit=limit) if one["by"] == "b"]
        assert found == [str(keys.shard) for keys, _ in sorted(places, key=lambda place: (-place[1], -place[0].shard))]


def test_what_happens_between_two_pages_repeats_nothing_and_hides_nothing(core: Core) -> None:
    noted(core, ELSEWHERE, "a", "b", "c")
    first = core.call("GET", "/v1/audit", params={"limit": 2}).json()
    noted(core, ELSEWHERE, "d", "e")
    rest = listed(core, before=first["next"])
    found = [one["event"] for one in first["entries"] + rest if one["connection"] == ELSEWHERE]
    assert found == ["c", "b", "a"]


def test_an_organisation_sees_its_own_and_the_operator_all(core: Core) -> None:
    noted(core, ELSEWHERE, "theirs")
    noted(core, NEIGHBOUR, "of the same shard")
    for scope in (f"org:{ORG}", "all"):
        core.sluice.stores.pauses.pause(scope, by="operator")
    seen = {token: {one["connection"] for one in listed(core, token)} for token in (OPERATOR, OURS, OTHERS)}
    assert seen[OPERATOR] == {CONNECTION, ELSEWHERE, NEIGHBOUR, f"org:{ORG}", "all"}
    assert seen[OURS] == {CONNECTION, f"org:{ORG}"}
    assert seen[OTHERS] == {ELSEWHERE}


def test_one_connection_can_be_looked_at_and_that_of_another_organisation_looks_like_none(core: Core) -> None:
    noted(core, f"ann/{ORG}", "of another user")
    core.allow("C1")
    for token in (OPERATOR, OURS):
        assert {one["connection"] for one in listed(core, token, connection=CONNECTION)} == {CONNECTION}
        assert [one["event"] for one in listed(core, token, connection=f"ann/{ORG}")] == ["of another user"]
    theirs, none = (
        core.call("GET", "/v1/audit", OTHERS, params={"connection": name}) for name in (CONNECTION, f"nobody/{ORG}")
    )
    assert (theirs.status_code, theirs.json()) == (200, {"entries": [], "next": None})
    assert theirs.content == none.content


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 1001}, {"before": "x"}, {"before": "1-2"}, {"before": "1-2-٣"}, {"connection": "rob"}],
)
def test_what_is_no_place_no_size_and_no_connection_is_422(core: Core, query: dict[str, Any]) -> None:
    answer = core.call("GET", "/v1/audit", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_nothing_in_it_is_content(core: Core) -> None:
    core.allow("C1")
    core.sluice.receive({"connection": CONNECTION, **RUNS, **page("C1", "1790000000.000100")})
    core.sluice.drain()
    core.call("DELETE", f"{AT}/people/U1")
    core.call("DELETE", AT)
    said = core.call("GET", "/v1/audit").text
    assert "person.erased" in said
    assert not [word for word in ("text 179", "general", "plans", '"rob"') if word in said]


def test_the_oldest_make_room_and_many_of_a_neighbour_make_a_short_page_and_no_long_wait(core: Core) -> None:
    [oldest, *_] = listed(core, OURS)[::-1]
    theirs = b'{"event":"e","connection":"%s","by":"b","at":1}' % NEIGHBOUR.encode()
    with core.sluice.client.pipeline(transaction=False) as pipe:
        for _ in range(audit.MOST_LOOKED_AT):
            pipe.xadd(core.sluice.keys.audit, {"e": theirs})
        pipe.execute()
    said = core.call("GET", "/v1/audit", OURS).json()
    assert (said["entries"], said["next"] is None) == ([], False)
    assert oldest in listed(core, OURS)
    with core.sluice.client.pipeline(transaction=False) as pipe:
        for _ in range(audit.KEPT_PER_SHARD - audit.MOST_LOOKED_AT + 200):
            pipe.xadd(core.sluice.keys.audit, {"e": theirs})
        pipe.execute()
    noted(core, NEIGHBOUR, "one more")
    assert core.sluice.client.xlen(core.sluice.keys.audit) <= audit.KEPT_PER_SHARD + 100
    assert listed(core, OURS) == []

"""What each core route answers, over a real store: status by status."""

import json
from typing import Any

import httpx
import jwt
import pytest
from core_api import AT, OURS, Core
from sluice import CONNECTION, ORG, TEAM, Sluice, page

from pipeline.errors import Rejected
from pipeline.store.errors import NotRegistered


@pytest.fixture
def core(sluice: Sluice) -> Core:
    return Core(sluice)


def slug(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    said: dict[str, Any] = answer.json()
    assert said["status"] == answer.status_code
    assert {"type", "title"} <= set(said)
    return str(said["type"]).removeprefix("urn:sluice:")


def test_a_registration_is_shown_and_its_receipt_ends_as_delivered(core: Core) -> None:
    made = core.call("PUT", AT, json={"team": TEAM, "name": "rob", "email": "rob@example.com"})
    assert made.status_code == 200
    shown = core.call("GET", AT).json()
    assert made.json() == shown | {"receipt": made.json()["receipt"]}
    assert (shown["connection"], shown["team"], shown["generation"]) == (CONNECTION, TEAM, 1)
    assert shown["directory"] == {"channels_complete_at": None, "users_complete_at": None}
    assert (shown["credential"], shown["covered_until"], shown["waiting"], shown["parked"]) == ("unknown", None, 0, 0)
    receipt = core.call("GET", f"/v1/receipts/{made.json()['receipt']}").json()
    assert (receipt["state"], receipt["kind"], receipt["delivered"]) == ("delivered", "effect", 1)
    [record] = core.sluice.live("user").values()
    assert (record["name"], record["team"]) == ("rob", TEAM)


def test_registering_twice_changes_no_generation_and_keeps_the_team_in_the_mesh(core: Core) -> None:
    first = core.call("PUT", AT, json={"team": TEAM}).json()
    again = core.call("PUT", AT, json={"team": TEAM, "name": "robert"}).json()
    without = core.call("PUT", AT).json()
    assert first["generation"] == again["generation"] == without["generation"] == 1
    assert first["registered_at"] == without["registered_at"]
    [record] = core.sluice.live("user").values()
    assert record["team"] == without["team"] == TEAM


def test_another_team_is_a_conflict_and_changes_nothing(core: Core) -> None:
    core.call("PUT", AT, json={"team": TEAM})
    answer = core.call("PUT", AT, json={"team": "T999"})
    assert (answer.status_code, slug(answer)) == (409, "team-differs")
    assert core.call("GET", AT).json()["team"] == TEAM


def test_a_team_that_the_drain_finds_out_while_a_registration_is_made_stays(core: Core) -> None:
    core.call("PUT", AT)
    connections = core.sluice.stores.connections
    before = connections.get(CONNECTION)
    found = iter([before])
    connections.get, real = lambda name: next(found, None) or real(name), connections.get  # type: ignore[method-assign]
    connections.fix_team(CONNECTION, TEAM, 1)
    with pytest.raises(Rejected, match="team_differs"):
        connections.register(CONNECTION, team="T999", who={}, by="test")
    assert core.call("GET", AT).json()["team"] == TEAM


def test_a_disconnect_ends_the_connection_and_its_receipt_ends_as_delivered(core: Core) -> None:
    core.connected().allow("C1")
    core.sluice.receive(page("C1", "1700000000.000100"))
    core.sluice.drain()
    gone = core.call("DELETE", AT)
    assert gone.status_code == 202
    assert core.call("GET", f"/v1/receipts/{gone.json()['receipt']}").json()["state"] == "delivered"
    assert core.sluice.live() == core.sluice.live("allowed_slack_channel") == {}
    with pytest.raises(NotRegistered):
        core.sluice.receive(page("C1", "1700000000.000200"))


def test_what_is_gone_is_not_found_by_any_route_and_can_be_registered_again(core: Core) -> None:
    core.connected()
    core.call("DELETE", AT)
    for method, rest in [("GET", ""), ("DELETE", ""), ("GET", "/channels"), ("GET", "/allowlist"), ("POST", "/pulls")]:
        assert slug(core.call(method, AT + rest)) == "not-found"
    again = core.call("PUT", AT, json={"team": "T777"})
    assert (again.status_code, again.json()["generation"], again.json()["team"]) == (200, 2, "T777")
    assert core.call("GET", f"{AT}/allowlist").json()["channels"] == []


def test_a_user_token_speaks_for_the_connection(core: Core) -> None:
    assert core.call("POST", f"{AT}/token").status_code == 404
    core.connected()
    answer = core.call("POST", f"{AT}/token", OURS)
    claims = jwt.decode(answer.json()["token"], options={"verify_signature": False})
    assert (answer.status_code, claims["sub"], claims["exp"] - claims["iat"]) == (200, CONNECTION, 3600)
    assert answer.headers["cache-control"] == "no-store"


def test_metadata_is_kept_sealed_merged_and_due(core: Core) -> None:
    core.connected()
    assert core.call("PATCH", f"{AT}/metadata", json={"plan": "canary-plan", "seats": 3}).json() == {"state": "queued"}
    half = {"content": '{"seats": 4, "half": "\\ud83d"}', "headers": {"Content-Type": "application/json"}}
    assert core.call("PATCH", f"{AT}/metadata", **half).status_code == 202
    kept = core.sluice.stores.connections.metadata(CONNECTION)
    assert kept == {"plan": "canary-plan", "seats": 4, "half": "\ud83d"}
    assert core.sluice.stores.schedule.when(core.sluice.keys, "patch", CONNECTION) is not None
    assert b"canary" not in b"".join(core.sluice.client.hgetall(core.sluice.keys.connection(CONNECTION)).values())


def test_two_enrichments_at_once_lose_nothing(core: Core) -> None:
    core.connected()
    connections = core.sluice.stores.connections
    opened = connections._opened

    def meanwhile(connection: str, stored: bytes | None) -> dict[str, Any]:
        connections._opened = opened  # type: ignore[method-assign]
        connections.set_metadata(connection, {"theirs": 1})
        return opened(connection, stored)

    connections._opened = meanwhile  # type: ignore[method-assign]
    connections.set_metadata(CONNECTION, {"ours": 2})
    assert connections.metadata(CONNECTION) == {"theirs": 1, "ours": 2}


@pytest.mark.parametrize("content", ['{"userid": "x"}', '{"allowListedChannels": []}', '{"n": NaN}', "[1]", "{", "1"])
def test_metadata_that_cannot_be_kept_is_refused(core: Core, content: str) -> None:
    core.connected()
    answer = core.call("PATCH", f"{AT}/metadata", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert slug(answer) in ("reserved-key", "invalid")
    assert core.sluice.stores.connections.metadata(CONNECTION) == {}


def test_the_picker_shows_every_channel_and_which_are_allowed(core: Core) -> None:
    core.connected().allow("C2")
    shown = core.call("GET", f"{AT}/channels", OURS).json()
    assert shown["complete"]
    assert [(row["channel"], row["name"], row["is_im"], row["allowed"]) for row in shown["channels"]] == [
        ("D1", None, True, False),
        ("C1", "general", False, False),
        ("C2", "plans", False, True),
    ]


def test_the_allowlist_starts_at_version_zero_and_counts_its_changes(core: Core) -> None:
    core.connected()
    before = core.call("GET", f"{AT}/allowlist")
    nothing = {"paused": [], "direct_messages": []}
    assert (before.headers["ETag"], before.json()) == ('"0"', {"channels": [], "version": 0, **nothing})
    put = core.allow("C2", "C1", "C1")
    assert (put.status_code, put.headers["ETag"]) == (200, '"1"')
    assert put.json() | {"receipt": 0} == {
        "version": 1,
        "added": ["C1", "C2"],
        "removed": [],
        "state": "done",
        "receipt": 0,
    }
    assert core.call("GET", f"{AT}/allowlist").json() == {"channels": ["C1", "C2"], "version": 1, **nothing}
    assert core.allow("C1", "C2").json()["version"] == 1, "the same list is no change"
    assert sorted(core.sluice.live("allowed_slack_channel")) == [f"{TEAM}:C1", f"{TEAM}:C2"]


@pytest.mark.parametrize("etag", ['"1"', "1", 'W/"1"'])
def test_an_etag_is_taken_as_proxies_leave_it(core: Core, etag: str) -> None:
    core.connected().allow("C1")
    answer = core.call("PUT", f"{AT}/allowlist", json={"channels": []}, headers={"If-Match": etag})
    assert answer.status_code == 200


@pytest.mark.parametrize("etag", ['"0"', '"2"', "*", '"x"', "", '"1", "2"', '"-1"', '"' + "9" * 40 + '"', '"²"'])
def test_another_version_is_stale(core: Core, etag: str) -> None:
    core.connected().allow("C1")
    headers = {"If-Match": etag.encode("latin-1")}
    answer = core.call("PUT", f"{AT}/allowlist", json={"channels": []}, headers=headers)
    assert (answer.status_code, slug(answer)) == (412, "stale-list")
    assert core.call("GET", f"{AT}/allowlist").json()["channels"] == ["C1"]


def test_a_list_without_if_match_is_refused(core: Core) -> None:
    core.connected()
    answer = core.call("PUT", f"{AT}/allowlist", json={"channels": ["C1"]})
    assert (answer.status_code, slug(answer)) == (428, "if-match-wanted")


def test_a_list_before_the_team_is_known_is_a_conflict(core: Core) -> None:
    core.call("PUT", AT)
    answer = core.allow("C1")
    assert (answer.status_code, slug(answer)) == (409, "no-team")


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"channels": ["general"]}, "body.channels.0"),
        ({"channels": ["C1\n"]}, "body.channels.0"),
        ({"channels": "C1"}, "body.channels"),
        ({"channels": [], "canary-field": 1}, "body.*"),
        ({}, "body.channels"),
        ({"channels": ["C" + "1" * 5] * 50_001}, "body.channels"),
    ],
)
def test_a_list_that_is_none_is_refused_by_place(core: Core, body: dict[str, Any], location: str) -> None:
    core.connected()
    answer = core.call("PUT", f"{AT}/allowlist", json=body, headers={"If-Match": '"0"'})
    assert (answer.status_code, slug(answer)) == (422, "invalid")
    assert answer.json()["errors"][0]["location"] == location
    assert "canary" not in answer.text


def test_a_revocation_is_done_once_the_mesh_has_it(core: Core) -> None:
    core.connected().allow("C1", "C2")
    core.sluice.receive(page("C1", "1700000000.000100"))
    core.sluice.drain()
    answer = core.allow("C2")
    assert (answer.status_code, answer.json()["state"], answer.json()["removed"]) == (200, "done", ["C1"])
    assert core.sluice.live() == {}


def test_a_revocation_that_waits_for_the_mesh_says_so_and_ends(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.allowlist.SETTLE_SECONDS", 0.1)
    core.connected().allow("C1")
    core.drains = False
    answer = core.allow()
    assert (answer.status_code, answer.json()["state"], answer.headers["ETag"]) == (202, "revoking", '"2"')
    receipt = f"/v1/receipts/{answer.json()['receipt']}"
    found = core.call("GET", receipt).json()
    assert found.pop("removal")["state"] == "emptying"
    assert found | {"connection": 0, "at": 0, "receipt": 0} == {
        "receipt": 0,
        "state": "waiting",
        "kind": "effect",
        "connection": 0,
        "at": 0,
        "delivered": None,
        "dropped": None,
        "dead": None,
        "settled_at": None,
    }
    core.sluice.drain()
    assert core.call("GET", receipt).json()["state"] == "delivered"


def test_a_list_that_only_adds_waits_for_nobody(core: Core) -> None:
    core.connected()
    core.drains = False
    answer = core.allow("C1")
    assert (answer.status_code, answer.json()["state"]) == (200, "done")


def test_pulls_are_asked_for_once_and_shown_with_their_coverage(core: Core) -> None:
    core.connected().allow("C1")
    asked = core.call("POST", f"{AT}/pulls")
    assert asked.status_code == 202
    [run] = asked.json()["runs"]
    assert core.call("POST", f"{AT}/pulls").json() == {"runs": [], "again": []}
    [shown] = core.call("GET", f"{AT}/pulls", OURS).json()["runs"]
    assert (shown["id"], shown["state"], shown["channels"], shown["kind"]) == (run, "requested", ["C1"], "live")
    coverage = core.call("GET", f"{AT}/coverage").json()["channels"]
    assert list(coverage) == ["C1"]
    assert (coverage["C1"]["run"], coverage["C1"]["head"], coverage["C1"]["state"]) == (run, None, "never")
    assert core.call("GET", AT).json()["covered_until"] is None


def test_a_covered_pull_shows_how_fresh_the_connection_is(core: Core) -> None:
    core.connected().allow("C1")
    core.sluice.client.zrem(core.sluice.keys.due, f"patch:{CONNECTION}")  # as if Paragon's metadata had it by now
    [run] = core.call("POST", f"{AT}/pulls").json()["runs"]
    attempt = core.sluice.stores.ledger.runs.begin(core.sluice.stores.ledger.get(run))  # type: ignore[arg-type]
    assert not isinstance(attempt, str)
    facts = {"gen": 1, "run_id": run, "attempt": attempt.number, "epoch": attempt.epoch, "thread_ts": ""}
    core.sluice.receive(page("C1", "1700000000.000100", **facts))
    core.sluice.drain()
    [shown] = core.call("GET", f"{AT}/pulls").json()["runs"]
    assert shown["state"] == "covered"
    seen = core.call("GET", AT).json()
    assert (seen["covered_until"], seen["credential"]) == (shown["latest"], "accepted")


def test_a_pull_before_the_directory_is_complete_is_a_conflict(core: Core) -> None:
    core.call("PUT", AT, json={"team": TEAM})
    answer = core.call("POST", f"{AT}/pulls")
    assert (answer.status_code, slug(answer)) == (409, "no-directory")


def test_a_dead_letter_is_listed_without_its_content(core: Core) -> None:
    core.connected().allow("C1")
    callback = page("C1")
    callback["messages"].append({"type": "message", "text": "canary"})
    [receipt] = core.sluice.receive(callback)
    core.sluice.drain()
    answer = core.call("GET", "/v1/dead-letters", OURS)
    [letter] = answer.json()["dead_letters"]
    assert (letter["receipt"], letter["reason"], letter["connection"]) == (receipt, "no_ts", CONNECTION)
    assert "canary" not in answer.text


def test_another_organisations_dead_letters_hide_nobodys(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.store.dead_letters._PAGE", 2)
    letter = {"receipt": "r", "reason": "x", "at": 1}
    for number in range(9):
        whose = CONNECTION if number in (0, 4) else "ann/neighbour"
        core.sluice.client.xadd(core.sluice.keys.dead, {"h": json.dumps(letter | {"connection": whose, "at": number})})
    ours = core.call("GET", "/v1/dead-letters?limit=2", OURS).json()["dead_letters"]
    assert [one["at"] for one in ours] == [4, 0]
    assert [one["at"] for one in core.call("GET", "/v1/dead-letters?limit=3").json()["dead_letters"]] == [8, 7, 6]
    for limit in ("0", "10001", "canary"):
        assert slug(core.call("GET", f"/v1/dead-letters?limit={limit}")) == "invalid"


def test_the_status_counts_what_waits(core: Core) -> None:
    core.connected().allow("C1")
    core.sluice.receive(page("C1", "1700000000.000100"))
    status = core.call("GET", "/v1/status").json()
    assert (status["backlog"], status["connections"], status["dead_letters"], status["parked"]) == (1, 1, 0, 0)
    assert 0 <= status["oldest_waiting_age"] < 60
    assert core.call("GET", AT).json()["waiting"] == 1
    core.sluice.drain()
    status = core.call("GET", "/v1/status").json()
    assert (status["backlog"], status["oldest_waiting_age"]) == (0, None)
    assert status["counters"]["delivered.message"] == 1


@pytest.mark.parametrize("receipt", ["x", "0" * 33, "0" * 35, "zz" + "0" * 32, "ff" + "0" * 32, "²" * 34, "0" * 34])
def test_a_receipt_that_is_none_is_not_found(core: Core, receipt: str) -> None:
    assert slug(core.call("GET", f"/v1/receipts/{receipt}")) == "not-found"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/canary", 404),
        ("GET", "/v1/receipts/", 404),
        ("DELETE", "/healthz", 405),
        ("POST", f"{AT}/allowlist", 405),
        ("GET", f"{AT}/token", 404),  # the connection `…/token`: GET knows no such route
        ("GET", "/v1/webhooks/slack/messages", 405),
    ],
)
def test_what_no_route_serves_is_a_problem_without_an_echo(core: Core, method: str, path: str, status: int) -> None:
    answer = core.call(method, path)
    assert answer.status_code == status
    assert slug(answer) == ("not-found" if status == 404 else "method-not-allowed")
    assert "canary" not in answer.text
    assert "location" not in answer.headers


def test_a_body_over_the_limit_is_refused_while_it_is_read(core: Core) -> None:
    core.connected()
    headers = {"Content-Type": "application/json"}
    answer = core.call("PATCH", f"{AT}/metadata", content=b'{"a": "' + b"x" * 3_000_000 + b'"}', headers=headers)
    assert (answer.status_code, slug(answer)) == (413, "too-large")


def test_a_bug_in_a_route_is_a_500_that_says_nothing(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(type(core.sluice.stores.connections), "get", broken)
    answer = core.call("GET", AT)
    assert (answer.status_code, slug(answer)) == (500, "bug")
    assert "canary" not in answer.text


def test_an_organisation_may_do_for_itself_what_the_operator_may(core: Core) -> None:
    core.connected()
    assert core.allow("C1", token=OURS).status_code == 200
    assert core.call("GET", AT, OURS).json()["connection"].endswith(ORG)

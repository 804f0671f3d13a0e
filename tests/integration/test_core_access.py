"""Who may call what: every core route without a token, with an unknown one, with another organisation's, with ours."""

from typing import Any

import httpx
import pytest
from core_api import AT, OPERATOR, OTHERS, OURS, Core, path_of
from sluice import CONNECTION, TEAM, Sluice

ABSENT = f"nobody/{CONNECTION.rpartition('/')[2]}"
LIST = {"json": {"channels": []}, "headers": {"If-Match": '"0"'}}
OF_A_CONNECTION: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "", {"json": {"team": TEAM}}),
    ("GET", "", {}),
    ("POST", "/token", {}),
    ("PATCH", "/metadata", {"json": {"a": 1}}),
    ("GET", "/channels", {}),
    ("GET", "/allowlist", {}),
    ("PUT", "/allowlist", LIST),
    ("POST", "/pulls", {}),
    ("GET", "/pulls", {}),
    ("PUT", "/pulls/plan", {"json": {}}),
    ("POST", "/pulls/{run}/release", {}),
    ("GET", "/coverage", {}),
    ("GET", "/people", {}),
    ("DELETE", "/people/{person}", {}),
    ("PUT", "/people/{person}", {}),
    ("POST", "/channels/{channel}/resume", {}),
    ("POST", "/channels/{channel}/pause", {}),
    ("DELETE", "", {}),
]
OTHER_ROUTES = [
    ("GET", "/v1/receipts/{receipt}"),
    ("GET", "/v1/dead-letters"),
    ("GET", "/v1/audit"),
    ("GET", "/v1/status"),
    ("GET", "/v1/pauses"),
    ("PUT", "/v1/pauses/{scope}"),
    ("DELETE", "/v1/pauses/{scope}"),
    ("POST", "/v1/workflow-check"),
    ("GET", "/v1/events"),
    ("POST", "/v1/events/test"),
    ("POST", "/v1/events/enable"),
    ("POST", "/v1/events/dead/{event}/resend"),
    ("DELETE", "/v1/events/dead/{event}"),
]
OPEN = [("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/docs"), ("GET", "/openapi.json")]
EVERY = [(method, AT + rest) for method, rest, _ in OF_A_CONNECTION] + OTHER_ROUTES


@pytest.fixture
def core(sluice: Sluice) -> Core:
    return Core(sluice).connected()


def said(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    return answer.status_code, answer.content, dict(answer.headers)


def test_no_route_of_the_application_is_missing_here(core: Core) -> None:
    described = {
        (method.upper(), path)
        for path, methods in core.app.openapi()["paths"].items()
        for method in methods
        if not path.startswith("/v1/webhooks/")
    }
    at = "/v1/orgs/{org}/connections/{user}"
    listed = {(method, at + rest) for method, rest, _ in OF_A_CONNECTION} | set(OTHER_ROUTES) | set(OPEN)
    assert described == listed - {("GET", "/docs"), ("GET", "/openapi.json")}


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_without_a_known_token_every_route_is_the_same_401(core: Core, method: str, path: str) -> None:
    answers = [
        core.call(method, path, None),
        core.call(method, path, "wrong-token"),
        core.call(method, path, None, headers={"Authorization": "Basic b3BlcmF0b3ItdG9rZW46"}),
        core.call(method, path, None, headers={"Authorization": f"Basic {OPERATOR}"}),
        core.call(method, path, None, headers={"Authorization": "Bearer "}),
        core.call(method, path, None, headers={"Authorization": b"Bearer \xff\xfe"}),
        core.call(method, path, None, content=b"{not json", headers={"Content-Type": "application/json"}),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert core.call("GET", AT).json()["generation"] == 1, "nothing was done"


def test_two_credentials_are_none(core: Core) -> None:
    twice = [("Authorization", f"Bearer {OPERATOR}"), ("Authorization", f"Bearer {OURS}")]
    with core.served() as client:
        client.headers.pop("Authorization")
        assert client.get(AT, headers=twice[:1]).status_code == 200
        assert client.get(AT, headers=twice).status_code == 401


@pytest.mark.parametrize(("method", "rest", "request_"), OF_A_CONNECTION)
def test_another_organisation_cannot_tell_what_exists(
    core: Core, method: str, rest: str, request_: dict[str, Any]
) -> None:
    there = core.call(method, AT + rest, OTHERS, **request_)
    not_there = core.call(method, path_of(ABSENT) + rest, OTHERS, **request_)
    nowhere = core.call(method, path_of("nobody/no-such-organisation") + rest, OTHERS, **request_)
    assert there.status_code == 404
    assert said(there) == said(not_there) == said(nowhere)
    assert core.call("GET", AT).json()["generation"] == 1, "nothing was done"


@pytest.mark.parametrize(("method", "rest", "request_"), OF_A_CONNECTION)
def test_our_own_organisation_gets_no_other_answer_than_the_operator(
    core: Core, method: str, rest: str, request_: dict[str, Any]
) -> None:
    assert core.call(method, AT + rest, OURS, **request_).status_code < 500
    if (method, rest) != ("PUT", ""):
        ours, theirs = (core.call(method, path_of(ABSENT) + rest, token, **request_) for token in (OURS, OPERATOR))
        assert ours.status_code == 404
        assert said(ours) == said(theirs)


def test_receipts_of_another_organisation_look_like_none(core: Core) -> None:
    receipt = core.call("PUT", AT).json()["receipt"]
    assert core.call("GET", f"/v1/receipts/{receipt}", OURS).status_code == 200
    theirs = core.call("GET", f"/v1/receipts/{receipt}", OTHERS)
    none = core.call("GET", f"/v1/receipts/{receipt[:2]}{'0' * 32}", OTHERS)
    assert theirs.status_code == 404
    assert said(theirs) == said(none)


def test_dead_letters_are_those_of_the_callers_organisation(core: Core) -> None:
    core.allow("C1")
    core.sluice.receive({"channel": "C1", "messages": ["no message"], "connection": CONNECTION})
    core.sluice.drain()
    counts = {t: len(core.call("GET", "/v1/dead-letters", t).json()["dead_letters"]) for t in (OPERATOR, OURS, OTHERS)}
    assert counts == {OPERATOR: 1, OURS: 1, OTHERS: 0}


def test_the_status_is_the_operators_alone(core: Core) -> None:
    assert core.call("GET", "/v1/status", OPERATOR).status_code == 200
    for token in (OURS, OTHERS):
        answer = core.call("GET", "/v1/status", token)
        assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_health_and_documents_need_no_login(core: Core, method: str, path: str) -> None:
    assert core.call(method, path, None).status_code == 200


def test_an_organisation_with_a_slash_is_nobodys(core: Core) -> None:
    """`u/x` of `acme` and `u` of `x/acme` would be one connection."""
    for token in (OPERATOR, OURS, OTHERS):
        assert core.call("PUT", "/v1/orgs/x%2Fend10843/connections/u", token).status_code == 404


def test_every_known_digest_is_compared_whatever_was_sent(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    monkeypatch.setattr("api.access.hmac.compare_digest", lambda a, b: compared.append(a) or a == b)
    for token in (OPERATOR, OTHERS, "wrong", None):
        compared.clear()
        core.call("GET", "/v1/dead-letters", token)
        assert len(compared) == 3

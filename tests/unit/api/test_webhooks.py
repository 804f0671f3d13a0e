import asyncio
import gzip
import json
import logging
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.webhooks import WebhookEndpoint
from pipeline.envelope import read_envelope, read_records, unpack
from pipeline.errors import Unavailable
from pipeline.store.errors import BacklogFull, NotRegistered

CANARY = "canary-8W"
SECRET = "first-shared-secret-0001"
LIMIT = 100_000
PAGE = {
    "connection": "ann/acme",
    "run_id": "r1",
    "attempt": 1,
    "channel": "C1",
    "thread_ts": "",
    "cursor": "",
    "next_cursor": "",
    "has_more": False,
    "messages": [{"ts": "1681413317.397479", "text": CANARY}],
}
MEMBERS = {"connection": "ann/acme", "members": [{"id": "U1", "name": CANARY}]}


def page(**changes: Any) -> bytes:
    return json.dumps(PAGE | changes).encode()


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    """A problem, and nothing in it of what was sent."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert CANARY not in answer.text + str(answer.headers)
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:sluice:")
    return problem


def test_a_page_is_kept_as_it_came_and_answered_with_its_receipt(edge: Any) -> None:
    answer = edge.post("messages", page(), bearer=edge.token())
    assert (answer.status_code, answer.json()) == (202, {"receipt": f"{1:034x}"})
    (kept,) = edge.inbox.kept
    assert unpack(kept.pop("payload")) == (page(), {})
    assert kept == {
        "kind": "messages",
        "connection": "ann/acme",
        "generation": 3,
        "run": "r1",
        "attempt": 1,
        "epoch": 1_700_000_000_000_000,
    }
    assert edge.counted == [("accepted", "messages")]


def test_the_worker_reads_the_same_envelope_that_the_api_read(edge: Any) -> None:
    body = b'{"ok":true,"messages":[{"ts":"1.0"}],"has_more":true,"response_metadata":{"next_cursor":"x=="}}'
    query = "channel=C1&cursor=a+b==&thread_ts=1681413317.397479"
    edge.post("messages", body, bearer=edge.token(), query=query)
    kept, asked_with = unpack(edge.inbox.kept[0]["payload"])
    envelope = read_envelope("messages", kept, asked_with)
    assert (envelope.channel, envelope.cursor, envelope.next_cursor) == ("C1", "a+b==", "x==")
    assert read_records(kept, "messages") == [{"ts": "1.0"}]


def test_a_directory_page_is_kept_without_epoch_or_generation(edge: Any) -> None:
    edge.post("users", json.dumps(MEMBERS | {"run_id": "x1"}).encode(), bearer=SECRET)
    kept = edge.inbox.kept[0]
    assert (kept["kind"], kept["connection"], kept["run"]) == ("users", "ann/acme", "x1")
    assert (kept["generation"], kept["epoch"], kept["attempt"]) == (None, None, None)


def test_messages_outside_runs_are_kept_as_of_no_run(edge_outside_runs: Any) -> None:
    assert edge_outside_runs.post("messages", page(), bearer=SECRET).status_code == 202
    kept = edge_outside_runs.inbox.kept[0]
    assert (kept["run"], kept["attempt"], kept["epoch"], kept["generation"]) == (None, None, None, None)


def test_a_gzipped_page_is_kept_inflated(edge: Any) -> None:
    headers = {"Content-Encoding": "gzip"}
    assert edge.post("messages", gzip.compress(page()), bearer=edge.token(), headers=headers).status_code == 202
    assert unpack(edge.inbox.kept[0]["payload"])[0] == page()


def test_a_refusal_of_slack_is_taken_and_counted(edge: Any) -> None:
    body = b'{"ok":false,"error":"ratelimited","channel":"C1"}'
    assert edge.post("messages", body, bearer=edge.token()).status_code == 202
    assert ("gap", "messages") in edge.counted


def test_unknown_fields_are_counted(edge: Any) -> None:
    assert edge.post("messages", page(pin_count=1), bearer=edge.token()).status_code == 202
    assert ("extra-fields", "messages") in edge.counted


BIG = b'{"channel":7,"x":"' + b"x" * LIMIT + b'"}'


def test_answers_come_in_their_order(edge: Any) -> None:
    """Each request below has every later fault too: only the first one is answered."""
    edge.inbox.refusal = NotRegistered()
    text, good = {"Content-Type": "text/plain"}, edge.token()
    refused(edge.post("messages", BIG, bearer="nobody", headers=text), 413)
    refused(edge.post("messages", b"{", bearer="nobody", headers=text), 401)
    refused(edge.post("messages", b"{", bearer=good, headers=text), 415)
    refused(edge.post("messages", b"{", bearer=good), 400)
    refused(edge.post("messages", page(channel=7, run_id="r2"), bearer=good), 422)
    refused(edge.post("messages", page(run_id="r2"), bearer=good), 401)
    refused(edge.post("messages", page(), bearer=good), 403)
    edge.inbox.refusal = BacklogFull(retry_after=12.2)
    assert edge.post("messages", page(), bearer=good).status_code == 429
    assert edge.inbox.kept == []


def test_nothing_is_read_before_the_sender_is_known(edge: Any) -> None:
    async def read_a_byte() -> dict[str, Any]:
        raise AssertionError("the body was asked for")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    (endpoint,) = [route.app for route in edge.app.router.routes if getattr(route, "name", "") == "webhook_messages"]
    scope = {"type": "http", "headers": [(b"authorization", b"Bearer nobody")], "query_string": b"%FF"}
    asyncio.run(endpoint(scope, read_a_byte, send))
    assert sent[0]["status"] == 401


@pytest.mark.parametrize(
    ("refusal", "status", "wait"),
    [
        (NotRegistered(), 403, None),
        (BacklogFull(retry_after=12.2), 429, "13"),
        (Unavailable("store", retry_after=0.0), 503, "1"),
        (Unavailable("store"), 503, "5"),
    ],
)
def test_the_inboxs_refusals_say_when_to_come_again(
    edge: Any, refusal: Exception, status: int, wait: str | None
) -> None:
    edge.inbox.refusal = refusal
    answer = edge.post("messages", page(), bearer=edge.token())
    refused(answer, status)
    assert answer.headers.get("retry-after") == wait


@pytest.mark.parametrize(
    ("changes", "where", "kind"),
    [({"channel": CANARY + "!"}, "channel", "channel"), ({"messages": CANARY}, "messages", "list_type")],
)
def test_a_wrong_field_is_named_and_not_quoted(edge: Any, changes: dict[str, Any], where: str, kind: str) -> None:
    problem = refused(edge.post("messages", page(**changes), bearer=edge.token()), 422)
    assert problem["errors"] == [{"location": where, "kind": kind}]


def test_body_and_query_that_disagree_are_a_422(edge: Any) -> None:
    refused(edge.post("messages", page(), bearer=edge.token(), query="channel=C2"), 422)


@pytest.mark.parametrize("query", ["connection=bob/acme", "run_id=r9", "attempt=2"])
def test_a_callback_for_another_is_a_401(edge: Any, query: str) -> None:
    body = json.dumps({"channel": "C1", "messages": []}).encode()
    refused(edge.post("messages", body, bearer=edge.token(), query=query), 401)
    assert edge.inbox.kept == []


def test_another_connections_token_is_a_401(edge: Any) -> None:
    refused(edge.post("messages", page(), bearer=edge.token("bob/acme")), 401)


def test_every_401_is_the_same(edge: Any) -> None:
    answers = [
        edge.post("messages", page(), bearer=bearer)
        for bearer in (None, "nobody", SECRET, edge.token("bob/acme"), edge.token(run="r2"))
    ]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert answers[0].headers["www-authenticate"] == "Bearer"


def test_an_edge_without_any_key_lets_nobody_in(edge_without_keys: Any) -> None:
    for kind in ("messages", "channels", "users"):
        refused(edge_without_keys.post(kind, page(), bearer=edge_without_keys.token()), 401)
        refused(edge_without_keys.post(kind, page(), bearer=SECRET), 401)


def test_what_paragons_tutorial_posts_is_a_401_and_with_the_secret_a_422(edge: Any) -> None:
    body = json.dumps({"text": CANARY, "channel": "general"}).encode()
    refused(edge.post("messages", body), 401)
    refused(edge.post("users", body, bearer=SECRET), 422)


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=UTF-8", "application/vnd.slack+json"]
)
def test_json_by_any_of_its_names_is_read(edge: Any, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    assert edge.post("messages", page(), bearer=edge.token(), headers=headers).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": ""},
        {"Content-Encoding": "br"},
        {"Content-Encoding": "gzip, gzip"},
    ],
)
def test_other_media_types_and_encodings_are_a_415(edge: Any, headers: dict[str, str]) -> None:
    refused(edge.post("messages", page(), bearer=edge.token(), headers=headers), 415)


def test_the_limit_is_taken_and_one_byte_more_is_not(edge: Any) -> None:
    exact = page(messages=[])
    exact = exact[:-1] + b" " * (LIMIT - len(exact)) + b"}"
    assert edge.post("messages", exact, bearer=edge.token()).status_code == 202
    refused(edge.post("messages", exact + b" ", bearer=edge.token()), 413)


def test_chunks_without_a_length_are_counted_as_they_come(edge: Any) -> None:
    refused(edge.post("messages", [b" " * 60_000] * 3, bearer=edge.token()), 413)
    assert edge.post("messages", [page()[:50], page()[50:]], bearer=edge.token()).status_code == 202


@pytest.mark.parametrize("length", ["1", "99999", "5000"])
def test_a_length_that_lies_is_a_400(edge: Any, length: str) -> None:
    refused(edge.post("messages", page(), bearer=edge.token(), headers={"Content-Length": length}), 400)


def test_a_gzip_bomb_is_a_413_and_broken_gzip_a_400(edge: Any) -> None:
    headers = {"Content-Encoding": "gzip"}
    refused(edge.post("messages", gzip.compress(bytes(10_000_000)), bearer=edge.token(), headers=headers), 413)
    refused(edge.post("messages", page(), bearer=edge.token(), headers=headers), 400)


def test_a_client_that_goes_away_gets_no_answer_and_leaves_nothing(edge: Any) -> None:
    messages = [{"type": "http.request", "body": page()[:40], "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/webhooks/slack/messages",
        "headers": [(b"authorization", b"Bearer " + edge.token().encode())],
        "query_string": b"",
    }
    asyncio.run(edge.app(scope, receive, send))
    assert (sent, edge.inbox.kept, edge.counted) == ([], [], [("gone", "messages")])


def test_a_body_that_never_ends_is_a_408(edge: Any) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(30)

    async def send(message: Any) -> None:
        sent.append(message)

    (inner,) = [route.app for route in edge.app.router.routes if getattr(route, "name", "") == "webhook_messages"]
    endpoint = WebhookEndpoint(
        "messages", inner._verifier, edge.inbox, body_limit=LIMIT, body_seconds=0.01, clock=inner._clock
    )
    scope = {"type": "http", "headers": [(b"authorization", b"Bearer " + edge.token().encode())]}
    asyncio.run(endpoint(scope, receive, send))
    assert sent[0]["status"] == 408


def test_only_post_is_answered(edge: Any) -> None:
    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(edge.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sluice.test") as client:
            return await client.get("/v1/webhooks/slack/messages")

    refused(asyncio.run(get()), 405)


def test_a_bug_is_loud_and_still_says_nothing(edge: Any) -> None:
    edge.inbox.refusal = RuntimeError(CANARY)
    with pytest.raises(RuntimeError):
        edge.post("messages", page(), bearer=edge.token())


def test_the_log_of_a_refused_page_holds_places_and_no_content(edge: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        edge.post("messages", page(channel=CANARY + "!"), bearer=edge.token())
        edge.post("messages", CANARY.encode(), bearer=edge.token())
    assert [record.message for record in caplog.records if record.name == "api.webhooks"] == ["webhook.malformed"] * 2
    assert CANARY not in "".join(str(vars(record)) for record in caplog.records)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.binary(max_size=300),
    query=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=40),
)
def test_any_body_is_taken_or_refused_and_never_a_500(edge: Any, body: bytes, query: str) -> None:
    assert edge.post("users", body, bearer=SECRET, query=query).status_code in (202, 400, 422)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_page_with_bytes_changed_is_taken_or_refused_without_an_echo(edge: Any, data: st.DataObject) -> None:
    body = bytearray(page())
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        body[place] = data.draw(st.integers(0, 255))
    answer = edge.post("messages", bytes(body), bearer=edge.token())
    assert answer.status_code in (202, 400, 401, 422)
    assert CANARY not in answer.text

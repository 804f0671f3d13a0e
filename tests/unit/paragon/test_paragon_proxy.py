import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pipeline.errors import Rejected, SluiceError, Unavailable
from pipeline.paragon.client import ParagonClient
from pipeline.paragon.errors import AccessRefused, RequestRefused, SlackRefused
from pipeline.paragon.exchange import Asked, Exchange

Clients = Callable[..., ParagonClient]
CANARY = "canary-7Q"
PARAGONS_OWN = {"message": CANARY, "code": "12", "status": 404, "meta": {"isIntegrationError": False}}


def noting(answer: httpx.Response) -> tuple[list[httpx.Request], Callable[[httpx.Request], httpx.Response]]:
    seen: list[httpx.Request] = []
    return seen, lambda request: (seen.append(request), answer)[1]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_every_verb_goes_with_its_query_and_its_json(client_for: Clients, method: str) -> None:
    seen, handler = noting(httpx.Response(200, json={"output": {"ok": True}}))
    params, body = {"channel": "C1", "q": "a b&c"}, {"text": "grüße \ud83d"}
    client_for(handler).proxy_json("ann/acme", "slack", "/chat.postMessage", method=method, params=params, body=body)
    request = seen[0]
    assert (request.method, request.url.path) == (method, "/projects/proj/1/sdk/proxy/slack/chat.postMessage")
    assert (dict(request.url.params), json.loads(request.content)) == (params, body)
    assert request.headers["content-type"] == "application/json"
    assert "x-paragon-use-raw-response" not in request.headers


@pytest.mark.parametrize("output", [[1, 2], "text", 7, None, {"output": "inner"}, {"ok": True}])
def test_whatever_json_is_in_output_comes_out_of_it(client_for: Clients, output: object) -> None:
    client = client_for(lambda _: httpx.Response(200, json={"output": output}))
    assert client.proxy_json("ann/acme", "slack", "x") == output


def test_an_answer_without_output_comes_as_it_is(client_for: Clients) -> None:
    assert client_for(lambda _: httpx.Response(200, json=[1])).proxy_json("ann/acme", "custom.crm", "x") == [1]
    assert client_for(lambda _: httpx.Response(204)).proxy_json("ann/acme", "custom.crm", "x", method="DELETE") is None


def test_only_slack_says_no_with_ok_false(client_for: Clients) -> None:
    client = client_for(lambda _: httpx.Response(200, json={"output": {"ok": False, "error": "channel_not_found"}}))
    assert client.proxy_json("ann/acme", "custom.crm", "x") == {"ok": False, "error": "channel_not_found"}
    with pytest.raises(SlackRefused) as caught:
        client.proxy_json("ann/acme", "slack", "conversations.info")
    assert caught.value.code == "channel_not_found"


def test_a_path_cannot_leave_the_integration(client_for: Clients) -> None:
    seen, handler = noting(httpx.Response(200, json={}))
    for integration, path in (("slack", "../../triggers/w1"), ("slack", "a/./b"), ("..", "me")):
        with pytest.raises(Rejected, match="bad_path"):
            client_for(handler).proxy_json("ann/acme", integration, path)
    assert seen == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_rate_limit_says_when_to_come_back_and_nothing_is_sent_twice(client_for: Clients, method: str) -> None:
    seen, handler = noting(httpx.Response(429, json={}, headers={"Retry-After": "30"}))
    with pytest.raises(Unavailable) as caught:
        client_for(handler).proxy_json("ann/acme", "slack", "chat.postMessage", method=method, body={})
    assert (caught.value.retry_after, len(seen)) == (30.0, 1)


def test_a_rate_limit_inside_of_output_has_the_wait_of_the_answer(client_for: Clients) -> None:
    answer = httpx.Response(200, json={"output": {"ok": False, "error": "ratelimited"}}, headers={"Retry-After": "9"})
    with pytest.raises(Unavailable, match="ratelimited") as caught:
        client_for(lambda _: answer).proxy_json("ann/acme", "slack", "x")
    assert caught.value.retry_after == 9.0


def test_a_raw_answer_comes_with_its_bytes_and_the_providers_headers(client_for: Clients) -> None:
    png, got = bytes(range(256)) * 1000, bytearray()
    headers = {"Content-Type": "image/png", "X-Slack-Req-Id": "r"}
    seen, handler = noting(httpx.Response(200, stream=httpx.ByteStream(png), headers=headers))
    answer = client_for(handler).proxy_raw("ann/acme", "slack", "files/a.png", got.extend, params={"pub": "1"})
    assert bytes(got) == png
    assert (answer.status, answer.size) == (200, len(png))
    assert {"content-type": "image/png", "x-slack-req-id": "r"}.items() <= dict(answer.headers).items()
    assert seen[0].headers["x-paragon-use-raw-response"] == "1"


def test_a_raw_answer_that_is_compressed_is_not_inflated(client_for: Clients) -> None:
    got = bytearray()
    answer = httpx.Response(200, stream=httpx.ByteStream(b"\x1f\x8bnot really"), headers={"Content-Encoding": "gzip"})
    assert client_for(lambda _: answer).proxy_raw("ann/acme", "slack", "x", got.extend).size == len(got)
    assert bytes(got) == b"\x1f\x8bnot really"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, {"ok": False, "error": "ratelimited"}, Unavailable),
        (404, {"ok": False, "error": "file_not_found"}, SlackRefused),
        (403, "<html>" + CANARY, SlackRefused),
        (404, [CANARY] * 20_000, SlackRefused),
        (404, PARAGONS_OWN, RequestRefused),
        (401, PARAGONS_OWN, AccessRefused),
        (400, {**PARAGONS_OWN, "meta": {"isIntegrationError": True}}, SlackRefused),
        (302, "", AccessRefused),
        (502, "<html>", Unavailable),
    ],
)
def test_a_raw_refusal_is_told_apart_and_nothing_of_it_is_handed_on(
    client_for: Clients, status: int, body: Any, kind: type[Exception]
) -> None:
    got = bytearray()
    content = body if isinstance(body, str) else json.dumps(body)
    client = client_for(lambda _: httpx.Response(status, content=content, headers={"Retry-After": "5"}))
    with pytest.raises(SluiceError) as caught:
        client.proxy_raw("ann/acme", "slack", "files/a.png", got.extend)
    assert (type(caught.value), got) == (kind, b"")
    assert CANARY not in repr(caught.value) + str(caught.value)
    if status == 429:
        assert getattr(caught.value, "retry_after", None) == 5.0


class Endless(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b" " * 1000


def test_a_raw_answer_without_end_is_cut_off() -> None:
    transport, got = httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless())), bytearray()
    exchange = Exchange(transport, timeout=1, deadline=1, clock=lambda: 0.0)
    with pytest.raises(Unavailable, match="too_long"):
        exchange.raw(Asked("GET", "https://proxy.test/x", "t", raw=True), got.extend, limit=5000)
    exchange.close()
    assert len(got) <= 5000

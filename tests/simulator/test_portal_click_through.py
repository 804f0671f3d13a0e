"""From the app's page to the channels that were read, as a browser without JavaScript goes: only links and forms."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from simulator.app import create_app
from simulator.config import SimulatorConfig

pytestmark = pytest.mark.anyio

ORIGIN = "http://127.0.0.1:8602"
SECRET = "the-core-token-of-this-test"
PAIR = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
ACTION = re.compile(r'<form method="post" action="([^"]+)">')


@dataclass
class FakeSluice:
    """Sluice's four routes, and its webhook: channels that were posted are read."""

    key: rsa.RSAPrivateKey
    names: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    status: int = 200
    registered: bool = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        self.asked.append((request.method, path))
        if self.status != 200 or request.headers["authorization"] != f"Bearer {SECRET}":
            return httpx.Response(self.status, json={"title": "No", "detail": "Not <now>."})
        if request.method == "PUT":
            self.registered = True
            return httpx.Response(200, json={})
        if request.method == "POST":
            claims = {"sub": "rob@example.com/org001", "iat": 1_700_000_000, "exp": 9_999_999_999}
            return httpx.Response(200, json={"token": jwt.encode(claims, self.key, "RS256")})
        if path.endswith("/channels"):
            rows = [{"channel": f"C{i}", "name": name, "is_private": False} for i, name in enumerate(self.names)]
            return httpx.Response(200, content=json.dumps({"channels": rows}))
        read = 1_764_000_000_000_000 if self.names else None
        directory = {"channels_complete_at": read, "users_complete_at": read}
        return httpx.Response(200, json={"team": "T1", "credential": "accepted", "directory": directory})

    def take(self, request: httpx.Request) -> httpx.Response:
        """A directory workflow's callback."""
        if request.url.path.endswith("/channels"):
            assert self.registered, "a callback of a connection that is not registered gets 403"
            self.names = ["general", "<script>alert(1)</script>"]
        return httpx.Response(202, json={"receipt": "0" * 34})


@dataclass
class Visit:
    """A browser's tab: `post` sends the page's only form, with what is typed added."""

    http: httpx.AsyncClient
    sluice: FakeSluice
    seen: list[str] = field(default_factory=list)

    async def get(self, path: str) -> httpx.Response:
        return self._kept(await self.http.get(path))

    async def post(self, at: httpx.Response, **typed: str) -> httpx.Response:
        action = ACTION.findall(at.text)
        assert len(action) == 1, at.text
        sent = {name: unescape(value) for name, value in PAIR.findall(at.text)} | typed
        headers = {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}
        return self._kept(await self.http.post(action[0], data=sent, headers=headers, follow_redirects=True))

    def _kept(self, response: httpx.Response) -> httpx.Response:
        self.seen.append(response.text + str(response.headers) + str(response.url))
        return response


Open = Callable[..., AbstractAsyncContextManager[Visit]]


@pytest.fixture
def visit(private_key: rsa.RSAPrivateKey, public_key: str) -> Open:
    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Visit]:
        told = {"core_api": "http://sluice.test", "core_token": SecretStr(SECRET), "messages": 20} | options
        sluice = FakeSluice(private_key)
        config = SimulatorConfig(public_key, "project-1", webhooks="http://sluice.test", jitter=0.0, **told)
        app = create_app(config, httpx.MockTransport(sluice.take), httpx.MockTransport(sluice.answer))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN) as http:
            try:
                yield Visit(http, sluice)
            finally:
                await app.state.engine.aclose()

    return opened


async def test_three_clicks_lead_from_the_app_to_the_channels_that_were_read(visit: Open) -> None:
    async with visit() as tab:
        ready = await tab.post(await tab.get("/app"), user="rob@example.com", org="org001")
        assert tab.sluice.asked == [
            ("PUT", "/v1/orgs/org001/connections/rob%40example.com"),
            ("POST", "/v1/orgs/org001/connections/rob%40example.com/token"),
        ]
        portal = await tab.post(ready)
        assert "rob@example.com/org001" in portal.text
        assert "not connected" in portal.text
        end = await tab.post(portal)
    assert end.url.path == "/app/connection"
    assert end.status_code == 200
    assert "2 channels read" in end.text
    assert "2025-11-24 16:00:00 UTC" in end.text
    assert "general" in end.text


async def test_the_core_token_never_reaches_the_browser_and_the_user_token_no_address(visit: Open) -> None:
    async with visit() as tab:
        ready = await tab.post(await tab.get("/app"), user="rob@example.com", org="org001")
        await tab.post(await tab.post(ready))
    token = dict(PAIR.findall(ready.text))["token"]
    assert not any(SECRET in seen for seen in tab.seen)
    assert token not in tab.seen[-1]


async def test_what_a_workspace_calls_its_channels_is_no_markup(visit: Open) -> None:
    async with visit() as tab:
        tab.sluice.names = ["<script>alert(1)</script>", "\ud83d"]
        shown = await tab.get("/app/connection?connection=%3Cb%3E%2Forg001")
    assert "<script" not in shown.text
    assert "<b>" not in shown.text
    assert "&lt;script&gt;alert(1)" in shown.text


async def test_an_empty_directory_says_so_and_offers_another_look(visit: Open) -> None:
    async with visit() as tab:
        shown = await tab.get("/app/connection?connection=rob%40example.com%2Forg001")
    assert "No channel has been read yet." in shown.text
    assert 'href="/app/connection?connection=rob%40example.com%2Forg001&amp;fresh=1">Look again' in shown.text


@pytest.mark.parametrize(
    ("answered", "shown", "sentence"),
    [
        (401, 502, "does not know the core service&#x27;s token"),
        (404, 404, "is for another organisation"),
        (422, 422, "Not &lt;now&gt;."),
        (503, 502, "Sluice answered 503"),
    ],
)
async def test_a_refusal_of_sluice_is_a_sentence_beside_what_was_typed(
    visit: Open, answered: int, shown: int, sentence: str
) -> None:
    async with visit() as tab:
        first = await tab.get("/app")
        tab.sluice.status = answered
        again = await tab.post(first, user='ann"@example.com', org="acme")
    assert again.status_code == shown
    assert sentence in again.text
    assert 'role="alert"' in again.text
    assert 'value="ann&quot;@example.com"' in again.text


@pytest.mark.parametrize(
    "typed", [{"user": "", "org": "acme"}, {"user": "ann", "org": "a/b"}, {"user": " ", "org": ""}]
)
async def test_half_a_connection_is_not_sent_to_sluice(visit: Open, typed: dict[str, str]) -> None:
    async with visit() as tab:
        again = await tab.post(await tab.get("/app"), **typed)
    assert again.status_code == 422
    assert tab.sluice.asked == []


async def test_without_a_core_token_the_pages_say_what_to_do(visit: Open) -> None:
    async with visit(core_token=SecretStr("")) as tab:
        first = await tab.get("/app")
        last = await tab.get("/app/connection?connection=a%2Fb")
    assert first.status_code == last.status_code == 503
    assert "--core-token-env" in first.text
    assert "<form" not in first.text
    assert tab.sluice.asked == []

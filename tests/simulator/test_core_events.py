"""The played core service's door for events: what is signed is taken once, everything else is not."""

import base64
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from simulator.app import create_app
from simulator.config import SimulatorConfig

pytestmark = pytest.mark.anyio

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
BODY = (
    '{"type":"ping","timestamp":"2025-11-24T16:00:00.000000Z","data":{"at":1764000000000000,"connection":"<b>/org1"}}'
)


@pytest.fixture
async def tab(public_key: str) -> Any:
    app = create_app(SimulatorConfig(public_key, "project-1", messages=5, event_secret=SecretStr(SECRET)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8602") as http:
        yield http
    await app.state.engine.aclose()


def signed(name: str = "0a", body: str = BODY, age: float = 0.0) -> dict[str, Any]:
    at = int(time.time() - age)
    signature = Webhook(SECRET).sign(name, datetime.fromtimestamp(at, UTC), body)
    headers = {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": f"v1,AAAA {signature}"}
    return {"content": body, "headers": headers}


async def seen(tab: httpx.AsyncClient) -> tuple[list[str], int, int, int]:
    shown = (await tab.get("/_sim/events")).json()
    return [one["id"] for one in shown["events"]], shown["taken"], shown["repeated"], shown["refused"]


async def test_what_is_signed_is_taken_once(tab: httpx.AsyncClient) -> None:
    for name in ("0a", "0b", "0a"):
        assert (await tab.post("/core/events", **signed(name))).status_code == 204
    assert await seen(tab) == (["0a", "0b"], 2, 1, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "no comma"},
        {"webhook-signature": "v1,%%%"},
        {"webhook-id": "0b"},
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "1"},
    ],
)
async def test_what_is_signed_otherwise_is_refused(tab: httpx.AsyncClient, change: dict[str, str]) -> None:
    sent = signed()
    sent["headers"] |= change
    assert (await tab.post("/core/events", **sent)).status_code == 401
    assert await seen(tab) == ([], 0, 0, 1)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * 70_000, BODY.replace("ping", "pong").encode()])
async def test_another_body_is_refused(tab: httpx.AsyncClient, content: bytes) -> None:
    assert (await tab.post("/core/events", **signed() | {"content": content})).status_code == 401


async def test_an_old_try_is_refused(tab: httpx.AsyncClient) -> None:
    assert (await tab.post("/core/events", **signed(age=301))).status_code == 401


async def test_it_fails_as_often_as_it_is_told_to(tab: httpx.AsyncClient) -> None:
    told = {"status": 503, "times": 2, "retry_after": 7}
    assert (await tab.post("/_sim/events/fail", json=told)).json() == {"failing": 2}
    answers = [await tab.post("/core/events", **signed()) for _ in range(3)]
    assert [(one.status_code, one.headers.get("retry-after")) for one in answers] == [
        (503, "7"),
        (503, "7"),
        (204, None),
    ]
    for wrong in ({"status": 200}, {"status": "503"}, {"times": -1}):
        assert (await tab.post("/_sim/events/fail", json=wrong)).status_code == 400


async def test_the_page_shows_what_came_in_escaped(tab: httpx.AsyncClient) -> None:
    assert "Nothing has come in yet." in (await tab.get("/app/events")).text
    await tab.post("/core/events", **signed())
    page = (await tab.get("/app/events")).text
    assert "ping" in page
    assert "&lt;b&gt;/org1" in page
    assert "<b>" not in page
    assert (await tab.get("/app/events", headers={"Host": "evil.example.com"})).status_code == 421


async def test_without_a_secret_it_takes_nothing(public_key: str) -> None:
    app = create_app(SimulatorConfig(public_key, "project-1", messages=5))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as http:
        assert (await http.post("/core/events", **signed())).status_code == 503
    await app.state.engine.aclose()

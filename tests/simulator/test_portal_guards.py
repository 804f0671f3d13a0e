"""Whom the stand-in portal believes, and what its pages let a browser do."""

import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette

from simulator.app import create_app
from simulator.config import SimulatorConfig

pytestmark = pytest.mark.anyio

ORIGIN = "http://127.0.0.1:8602"
OWN = {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}
USER = "rob@example.com/org001"
PAGES = ("/app", "/app/connection", "/connect")


@pytest.fixture
def app(public_key: str) -> Starlette:
    accepted = httpx.MockTransport(lambda request: httpx.Response(202, json={"receipt": "0" * 34}))
    config = SimulatorConfig(public_key, "project-1", webhooks="http://sluice.test", messages=20, jitter=0.0)
    return create_app(config, accepted)


@pytest.fixture
async def tab(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN) as http:
        yield http
    await app.state.engine.aclose()


def signed(key: rsa.RSAPrivateKey, **claims: Any) -> str:
    now = int(time.time())
    return jwt.encode({"sub": USER, "iat": now, "exp": now + 3600} | claims, key, "RS256")


async def connected(tab: httpx.AsyncClient) -> int:
    """How many workflows were started, and how many users are connected."""
    status = (await tab.get("/_sim/status")).json()
    workspaces = (await tab.get("/_sim/workspaces")).json()["workspaces"]
    return int(status["executions"]["started"]) + sum(len(row["connections"]) for row in workspaces)


async def press(tab: httpx.AsyncClient, token: str, project: str = "project-1", **headers: str) -> httpx.Response:
    data = {"project": project, "token": token}
    return await tab.post("/connect/slack", data=data, headers=headers or OWN)


async def test_a_good_token_connects_its_own_user_and_starts_both_directory_workflows(
    tab: httpx.AsyncClient, private_key: rsa.RSAPrivateKey
) -> None:
    done = await press(tab, signed(private_key, aud="useparagon.com/project-1"))
    assert done.status_code == 303
    assert done.headers["location"] == "/app/connection?connection=rob%40example.com%2Forg001&fresh=1"
    workspaces = (await tab.get("/_sim/workspaces")).json()["workspaces"]
    assert workspaces[0]["connections"] == [USER]
    assert (await tab.get("/_sim/status")).json()["executions"]["started"] == 2


async def test_tokens_that_paragon_would_not_believe_connect_nobody(
    tab: httpx.AsyncClient, private_key: rsa.RSAPrivateKey, public_key: str
) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    head, body, sign = signed(private_key).split(".")
    bad = {
        "another key": signed(other),
        "ended": signed(private_key, exp=now - 120),
        "no sub": jwt.encode({"iat": now, "exp": now + 60}, private_key, "RS256"),
        "no algorithm": jwt.encode({"sub": USER, "iat": now, "exp": now + 60}, "", "none"),
        "HS256": jwt.encode({"sub": USER, "iat": now, "exp": now + 60}, "s" * 32, "HS256"),
        "a changed signature": f"{head}.{body}.{sign[::-1]}",
        "not a token": "hello",
    }
    for kind, token in bad.items():
        refused = await press(tab, token)
        assert refused.status_code == 401, kind
        assert token not in refused.text, kind
        opened = await tab.post("/connect", data={"project": "project-1", "token": token}, headers=OWN)
        assert opened.status_code == 401, kind
    assert await connected(tab) == 0


async def test_another_project_is_refused_by_its_name_and_by_its_audience(
    tab: httpx.AsyncClient, private_key: rsa.RSAPrivateKey
) -> None:
    assert (await press(tab, signed(private_key), "project-2")).status_code == 401
    assert (await press(tab, signed(private_key, aud="useparagon.com/project-2"))).status_code == 401
    assert (await press(tab, signed(private_key), "")).status_code == 400
    assert await connected(tab) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8600"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Accept": "text/html"},
    ],
    ids=lambda headers: "-".join(headers.values()),
)
async def test_a_form_of_another_page_is_refused_before_it_is_read(
    tab: httpx.AsyncClient, private_key: rsa.RSAPrivateKey, headers: dict[str, str]
) -> None:
    assert (await press(tab, signed(private_key), **headers)).status_code == 403
    assert (await tab.post("/app/connect", data={"user": "a", "org": "b"}, headers=headers)).status_code == 403
    assert (await tab.post("/connect", data={}, headers=headers)).status_code == 403
    assert await connected(tab) == 0


async def test_an_old_browser_that_says_only_its_origin_is_served(
    tab: httpx.AsyncClient, private_key: rsa.RSAPrivateKey
) -> None:
    assert (await press(tab, signed(private_key), Origin=ORIGIN)).status_code == 303


@pytest.mark.parametrize("path", PAGES)
async def test_a_name_that_was_pointed_at_this_machine_reads_nothing(tab: httpx.AsyncClient, path: str) -> None:
    assert (await tab.get(path, headers={"Host": "rebound.example:8602"})).status_code == 421
    assert (await tab.get(path, headers={"Host": "localhost:8602"})).status_code != 421


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_nothing_from_elsewhere_and_runs_no_script(tab: httpx.AsyncClient, path: str) -> None:
    shown = await tab.get(path)
    policy = shown.headers["content-security-policy"]
    style = re.findall(r"<style>(.*?)</style>", shown.text, re.S)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert {"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert "unsafe" not in policy
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script|\son\w+=|style=|src=|url\(|@import|https?:", shown.text)


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_has_a_language_one_heading_a_width_and_a_label_for_each_field(
    tab: httpx.AsyncClient, path: str
) -> None:
    text = (await tab.get(path)).text
    assert '<html lang="en">' in text
    assert text.count("<h1>") == text.count("<main>") == 1
    assert "width=device-width" in text
    shown = re.findall(r'<(?:input|textarea) id="(\w+)"', text)
    assert all(f'<label for="{name}">' in text for name in shown)


async def test_what_is_no_form_or_too_long_is_refused(tab: httpx.AsyncClient) -> None:
    assert (await tab.post("/connect", json={"token": "x"}, headers=OWN)).status_code == 415
    assert (await tab.post("/connect", data={"token": "x" * 70_000}, headers=OWN)).status_code == 413
    body, kind = b"token=%ff", {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await tab.post("/connect", content=body, headers=OWN | kind)).status_code == 400

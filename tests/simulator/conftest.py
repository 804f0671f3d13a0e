"""A simulator in process, with a receiver that keeps what is posted to it."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from simulator.app import create_app
from simulator.config import SimulatorConfig

Json = dict[str, Any]
Answer = Callable[[httpx.Request], httpx.Response]
ROB = "rob@rootsystem.com/end10843"


def accept(request: httpx.Request) -> httpx.Response:
    return httpx.Response(202, json={"receipt": "0" * 34})


@dataclass
class Bench:
    """`http` talks to the simulator as the user ROB; `posted` holds what it posted, as (request, body)."""

    http: httpx.AsyncClient
    config: SimulatorConfig
    key: rsa.RSAPrivateKey
    posted: list[tuple[httpx.Request, Json]] = field(default_factory=list)
    answer: Answer = accept

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        return jwt.encode({"sub": ROB, "iat": now, "exp": now + 3600} | claims, self.key, "RS256")

    def receive(self, request: httpx.Request) -> httpx.Response:
        with suppress(ValueError):  # a body that was cut on the way
            self.posted.append((request, json.loads(request.content)))
        return self.answer(request)

    async def connect(self, connection: str = ROB, **more: Any) -> Json:
        response = await self.http.post("/_sim/connect", json={"connection": connection, **more})
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def trigger(self, channels: list[str], **more: Any) -> httpx.Response:
        body = {
            "run_id": "run-1",
            "attempt": 1,
            "run_token": run_token(epoch=1764000000000000),
            "callback_url": "http://sluice.test/v1/webhooks/slack/messages",
            "channels": channels,
            "oldest": "0.000001",
            "latest": f"{int(time.time())}.000000",
            "inclusive": True,
            "limit": 200,
            "include_all_metadata": True,
            "replies": True,
        }
        workflow = self.config.workflow_messages
        return await self.http.post(f"/projects/{self.config.project_id}/sdk/triggers/{workflow}", json=body | more)

    async def idle(self, seconds: float = 20.0) -> Json:
        deadline = time.monotonic() + seconds
        while not (status := (await self.http.get("/_sim/status")).json())["idle"]:
            assert time.monotonic() < deadline, status
            await asyncio.sleep(0.01)
        return dict(status)

    async def get(self, path: str, **params: Any) -> Json:
        return dict((await self.http.get(path, params=params)).json())

    async def slack(self, method: str, **args: Any) -> Json:
        path = f"/projects/{self.config.project_id}/sdk/proxy/slack/{method}"
        return dict((await self.http.get(path, params=args)).json()["output"])

    def pages(self, kind: str) -> list[Json]:
        return [body for request, body in self.posted if request.url.path.endswith("/" + kind)]


def run_token(**claims: Any) -> str:
    """As Sluice's run tokens look; the simulator reads the payload and cannot check the signature."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"header.{payload}.signature"


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def public_key(private_key: rsa.RSAPrivateKey) -> str:
    pem = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode()


Open = Callable[..., AbstractAsyncContextManager[Bench]]


@pytest.fixture
def bench(private_key: rsa.RSAPrivateKey, public_key: str) -> Open:
    """`async with bench(messages=…) as b:` is a running simulator with those options."""

    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[Bench]:
        defaults = {"webhooks": "http://sluice.test", "webhook_secret": SecretStr("shared"), "jitter": 0.001}
        config = SimulatorConfig(public_key, "project-1", **(defaults | {"retry_scale": 0.0001} | options))
        made = Bench(httpx.AsyncClient(), config, private_key)
        app = create_app(config, httpx.MockTransport(made.receive))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://sim.test") as http:
            await made.http.aclose()
            made.http = http
            http.headers["Authorization"] = f"Bearer {made.token()}"
            try:
                yield made
            finally:
                await app.state.engine.aclose()

    return opened

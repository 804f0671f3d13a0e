import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api import problems
from api.verify import Verifier
from api.webhooks import webhook_routes
from pipeline.paragon.run_tokens import RunTokens

NOW = 1_700_000_000.0
LIMIT = 100_000
SECRETS = ("first-shared-secret-0001", "second-shared-secret-002")


class FakeInbox:
    """Keeps what it is given, or raises what it was told to."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []
        self.refusal: Exception | None = None

    async def append(self, **entry: Any) -> str:
        if self.refusal is not None:
            raise self.refusal
        self.kept.append(entry)
        return f"{len(self.kept):034x}"


@dataclass
class Edge:
    """The webhooks of an application, with everything behind them replaced by what a test can look into."""

    app: FastAPI
    inbox: FakeInbox
    tokens: RunTokens
    counted: list[tuple[str, str]] = field(default_factory=list)

    def token(self, connection: str = "ann/acme", run: str = "r1", attempt: int = 1) -> str:
        return self.tokens.mint(connection, run, attempt, 1_700_000_000_000_000, 3, NOW)

    def post(
        self,
        kind: str,
        content: bytes | Iterable[bytes],
        *,
        bearer: str | None = None,
        headers: dict[str, str] | None = None,
        query: str = "",
    ) -> httpx.Response:
        sent = {"Content-Type": "application/json", **(headers or {})}
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"
        return asyncio.run(self._post(f"/v1/webhooks/slack/{kind}?{query}", content, sent))

    async def _post(self, url: str, content: bytes | Iterable[bytes], headers: dict[str, str]) -> httpx.Response:
        async def chunks() -> Any:
            for chunk in content:
                yield chunk

        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sluice.test") as client:
            body = content if isinstance(content, bytes) else chunks()
            return await client.post(url, content=body, headers=headers)


def make_edge(*, outside_runs: bool = False, secrets: tuple[str, ...] = SECRETS, with_tokens: bool = True) -> Edge:
    tokens = RunTokens({"k1": SecretStr("k" * 40)})
    edge = Edge(FastAPI(), FakeInbox(), tokens)
    problems.install(edge.app)
    verifier = Verifier(
        tokens if with_tokens else None,
        [SecretStr(secret) for secret in secrets],
        allow_messages_outside_runs=outside_runs,
    )
    edge.app.router.routes += webhook_routes(
        verifier,
        edge.inbox,
        body_limit=LIMIT,
        count=lambda outcome, kind: edge.counted.append((outcome, kind)),
        clock=lambda: NOW,
    )
    return edge


@pytest.fixture
def edge() -> Edge:
    return make_edge()


@pytest.fixture
def edge_outside_runs() -> Edge:
    return make_edge(outside_runs=True)


@pytest.fixture
def edge_without_keys() -> Edge:
    return make_edge(secrets=(), with_tokens=False, outside_runs=True)

"""A deployment whose processes are restarted one after the other with other settings, under a stream of callbacks.

The API is `api.__main__.build` as the program has it; a restart answers what it has begun, then closes.
"""

import asyncio
import hashlib
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from common_mesh import MeshEngine
from common_mesh.testing import FakeMesh
from core_api import PEM
from sluice import CONNECTION, ORG, QUICK, TEAM, now_us

from api.__main__ import build
from pipeline import flow
from pipeline.delivery import Delivery
from pipeline.paragon.run_tokens import RunTokens
from pipeline.stages.stores import Stores, make_stores
from pipeline.store import dead_letters
from pipeline.store.client import connect
from pipeline.store.keys import Shards
from pipeline.store.vault import Vault
from settings import Settings

VARIABLES = {
    "PARAGON_PROJECT_ID": "p",
    "PARAGON_SIGNING_KEY": PEM,
    "PARAGON_WORKFLOW_MESSAGES": "w",
    "PUBLIC_URL": "http://sluice.test",
    "MESH_URL": "http://mesh.test",
    "MESH_TOKEN": "t",
    "WEBHOOK_SECRETS": "old-secret-of-the-project",
    "RUN_TOKEN_KEYS": "2026-10:" + "o" * 40,
    "VAULT_KEYS": "old:" + "A" * 43 + "=",
    "CORE_TOKENS": "operator=" + hashlib.sha256(b"operator").hexdigest(),
}


class Api:
    """One API process."""

    def __init__(self, settings: Settings) -> None:
        self.app = build(settings)
        self._busy, self._idle = 0, asyncio.Event()
        self._idle.set()
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        await self._stack.enter_async_context(self.app.router.lifespan_context(self.app))

    async def stop(self) -> None:
        """As at SIGTERM: what was begun is answered first."""
        await self._idle.wait()
        await self._stack.aclose()

    async def call(self, method: str, path: str, token: str, **request: Any) -> httpx.Response:
        self._busy += 1
        self._idle.clear()
        try:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://sluice.test") as client:
                return await client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **request)
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()


class Deployment:
    """API and workers, each with the settings of its last restart; what the callbacks were answered."""

    def __init__(self, store: str, broker: str) -> None:
        self.variables = VARIABLES | {"STORE_URL": store, "BROKER_URL": broker}
        self.client, self.shards = connect(store), Shards(16)
        self.mesh = FakeMesh()
        self.engine = MeshEngine("http://mesh.test", transport=self.mesh, policy=QUICK)
        self.api: Api
        self.stores: Stores
        self.run_tokens: RunTokens
        self.secret = VARIABLES["WEBHOOK_SECRETS"]
        self.minted: list[tuple[str, str]] = []
        self.answers: Counter[tuple[str, int]] = Counter()
        self.sent: list[str] = []
        self._numbers, self._answered = itertools.count(1), asyncio.Event()

    def settings(self, **changed: str) -> Settings:
        self.variables |= changed
        environ = {f"SLUICE_{name}": value for name, value in self.variables.items()}
        return Settings.load("service", environ=environ, op_env=None)

    async def restart_api(self, **changed: str) -> None:
        before, self.api = getattr(self, "api", None), Api(self.settings(**changed))
        await self.api.start()
        if before is not None:
            await before.stop()

    def restart_workers(self, **changed: str) -> None:
        settings = self.settings(**changed)
        self.run_tokens = RunTokens(settings.run_token_keys)
        self.stores = make_stores(
            self.client,
            self.shards,
            Vault(settings.vault_keys),
            Delivery(self.engine),
            find_team=lambda _: TEAM,
            now_us=now_us,
            overdue_us=60_000_000,
        )

    def drain(self) -> None:
        """All of it, un-parking what was parked."""
        keys = self.shards.of(CONNECTION)
        self.client.zadd(keys.ready, {CONNECTION: 1}, xx=True)
        flow.drain(self.stores, keys.shard, lambda _: None)

    async def page(self, run: str, token: str) -> int:
        """One page of one message, as a workflow posts it; its status."""
        ts = f"17000{next(self._numbers):05d}.000100"
        said = {"connection": CONNECTION, "run_id": run, "attempt": 1, "channel": "C1", "thread_ts": ""}
        messages = [{"type": "message", "user": "U1", "ts": ts, "text": f"text {ts}"}]
        body = said | {"cursor": "", "next_cursor": "", "has_more": False, "messages": messages}
        return await self._post("messages", token, body, ts)

    async def fresh(self) -> int:
        """A page of a run that the workers asked for just now."""
        run = f"00{random.randbytes(8).hex()}"
        token = self.run_tokens.mint(CONNECTION, run, 1, now_us(), 1, time.time())
        self.minted.append((run, token))
        return await self.page(run, token)

    async def late(self) -> int:
        """A page that has lain in Paragon's queue: of any run that was ever asked for."""
        return await self.page(*random.choice(self.minted)) if self.minted else 202

    async def directory(self, secret: str) -> int:
        """A page of channels, with the project's secret as the execution knows it."""
        said = {"connection": CONNECTION, "run_id": f"d{next(self._numbers)}", "cursor": "", "next_cursor": ""}
        body = said | {"has_more": False, "channels": [{"id": "C1", "name": "general"}]}
        return await self._post("channels", secret, body, None)

    async def _post(self, kind: str, token: str, body: dict[str, Any], ts: str | None) -> int:
        answer = await self.api.call("POST", f"/v1/webhooks/slack/{kind}", token, content=json.dumps(body).encode())
        self.answers[kind, answer.status_code] += 1
        self._answered.set()
        if answer.status_code == 202 and ts is not None:
            self.sent.append(ts)
        return answer.status_code

    def arrived(self) -> set[str]:
        return {row["ts"] for row in self.mesh.live(ORG, "slack", "message").values()}

    def dead(self) -> int:
        return dead_letters.count(self.client, self.shards)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[None]:
        """Callbacks of every kind without a pause, until the block ends."""
        stop = asyncio.Event()

        async def post() -> None:
            while not stop.is_set():
                await asyncio.gather(self.fresh(), self.late(), self.directory(self.secret))

        posting = [asyncio.create_task(post()) for _ in range(3)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*posting)

    async def some(self, count: int = 25) -> None:
        """Wait until so many callbacks more were answered."""
        until = self.answers.total() + count
        async with asyncio.timeout(20):
            while self.answers.total() < until:
                self._answered.clear()
                await self._answered.wait()


@asynccontextmanager
async def deployed(store: str, broker: str) -> AsyncIterator[Deployment]:
    """Up, with one connection that allows C1."""
    made = Deployment(store, broker)
    made.restart_workers()
    await made.restart_api()
    made.stores.connections.register(CONNECTION, team=TEAM, who={"name": "Rob"}, by="test")
    known = made.stores.connections.get(CONNECTION)
    assert known is not None
    made.stores.allowlists.put(CONNECTION, ["C1"], if_match=known.list_version, by="test")
    try:
        yield made
    finally:
        await made.api.stop()
        made.engine.close()
        made.client.close()

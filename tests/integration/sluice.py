"""A Sluice in one process over a real store and a fake mesh: what most integration tests work with."""

import asyncio
import json
import time
from collections import Counter
from typing import Any

import redis
from common_mesh import MeshEngine, Policy
from common_mesh.testing import FakeMesh

from pipeline import flow
from pipeline.delivery import Delivery
from pipeline.envelope import pack
from pipeline.stages.stores import Stores, make_stores
from pipeline.store.client import connect, connect_async
from pipeline.store.disconnect import Disconnect
from pipeline.store.intake import Intake
from pipeline.store.keys import Shards
from pipeline.store.vault import Vault

CONNECTION = "rob@example.com/end10843"
ORG = "end10843"
TEAM = "T0534672TWT"
SHARDS = Shards(16)
QUICK = Policy(attempts=1, breaker_failures=0)


def now_us() -> int:
    return time.time_ns() // 1000


class Sluice:
    """Registers, allows, receives and drains, without HTTP and without Celery."""

    def __init__(
        self, store_url: str, *, backlog_limit: int = 1000, mesh: FakeMesh | None = None, events: bool = False
    ) -> None:
        self.url, self.backlog_limit = store_url, backlog_limit
        self.client: redis.Redis = connect(store_url)
        self.vault = Vault({"k1": bytes(range(32))})
        self.mesh = mesh or FakeMesh()
        self.engine = MeshEngine(base_url="http://mesh.invalid", transport=self.mesh, policy=QUICK)
        self.team_asked: list[str] = []
        self.stores: Stores = make_stores(
            self.client,
            SHARDS,
            self.vault,
            Delivery(self.engine),
            find_team=self._find_team,
            now_us=now_us,
            overdue_us=60_000_000,
            events=events,
        )
        self.disconnect = Disconnect(self.client, SHARDS, self.vault)
        self.keys = SHARDS.of(CONNECTION)
        self.rung: list[int] = []

    def _find_team(self, connection: str) -> str:
        self.team_asked.append(connection)
        return TEAM

    def close(self) -> None:
        self.engine.close()
        self.client.close()

    def register(self, connection: str = CONNECTION, team: str | None = TEAM) -> None:
        self.stores.connections.register(connection, team=team, who={"name": "Rob"}, by="test")

    def allow(self, *channels: str, connection: str = CONNECTION) -> Any:
        known = self.stores.connections.get(connection)
        assert known is not None
        return self.stores.allowlists.put(connection, channels, if_match=known.list_version, by="test")

    def receive(self, *callbacks: dict[str, Any]) -> list[str]:
        """Append callbacks at once, as one turn of the event loop would; receipts or exceptions."""

        async def work() -> list[str]:
            client = connect_async(self.url)
            intake = Intake(client, SHARDS, self.vault, backlog_limit=self.backlog_limit, ring=self.rung.append)
            try:
                return await asyncio.gather(*(self._append(intake, **one) for one in callbacks))
            finally:
                await intake.close()
                await client.aclose()

        return asyncio.run(work())

    async def _append(
        self, intake: Intake, *, kind: str = "messages", connection: str = CONNECTION, **said: Any
    ) -> str:
        epoch, gen = said.pop("epoch", None), said.pop("gen", None)
        body = json.dumps({"connection": connection, **said}).encode()
        return await intake.append(
            kind=kind,
            connection=connection,
            generation=gen,
            run=said.get("run_id"),
            attempt=said.get("attempt"),
            epoch=epoch,
            payload=pack(body, {}),
        )

    def drain(self, seconds: float = 5.0) -> Counter[str]:
        return flow.drain(self.stores, self.keys.shard, self.rung.append, seconds)

    def live(self, model: str = "message", org: str = ORG) -> dict[str, dict[str, Any]]:
        return self.mesh.live(org, "slack", model)


def page(channel: str, *ts: str, **said: Any) -> dict[str, Any]:
    """One page of history with a message for each `ts`."""
    messages = [{"type": "message", "user": "U1", "ts": one, "text": f"text {one}"} for one in ts]
    return {"channel": channel, "cursor": "", "next_cursor": "", "has_more": False, "messages": messages} | said

"""A stack whose broker is not ours: what a test asks of it, whatever the broker is."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import redis

from api.bell import Bell, make_sender
from cli.options import StackOptions
from cli.stack import Stack
from pipeline.store.client import connect
from pipeline.store.connections import Connections
from pipeline.store.keys import Shards
from pipeline.store.receipts import find
from pipeline.store.vault import Vault
from settings import Settings

CONNECTION = "ann/acme"
SHARDS = Shards(16)


class OtherBroker:
    """Store, mesh and a worker; no sweep, so that what is delivered was asked for through the broker."""

    def __init__(
        self, directory: Path, broker_url: str, given: Mapping[str, str] | None = None, *, restart: bool = False
    ) -> None:
        given = {"SLUICE_BROKER_URL": broker_url, **(given or {})}
        options = StackOptions(given=given, concurrency=1, restart_crashed=restart)
        self.stack = Stack(directory, options)
        self.store: redis.Redis = connect(self.stack.urls["store"])
        self.bell = Bell(make_sender(broker_url))

    def __enter__(self) -> Self:
        self.stack.__enter__()
        self.stack.start([name for name in self.stack.names if name in ("store", "mesh", "worker-1")])
        return self

    def __exit__(self, *about: Any) -> None:
        self.bell.close()
        self.store.close()
        self.stack.__exit__(*about)

    @property
    def settings(self) -> Settings:
        """What the processes were told."""
        return Settings.load("service", environ=self.stack.env, op_env=None)

    def work(self) -> str:
        """Something for a drain to deliver; its receipt."""
        connections = Connections(self.store, SHARDS, Vault(self.settings.vault_keys))
        _, receipt = connections.register(CONNECTION, team="T123", who={}, by="test")
        return receipt

    def state(self, receipt: str) -> str:
        """What became of it."""
        found = find(self.store, SHARDS.of(CONNECTION), receipt)
        return str(found and found["state"])

    def ring(self) -> None:
        """Ask for a drain, as the API does."""
        self.bell(SHARDS.of(CONNECTION).shard)

    def delivers(self, seconds: float = 60.0, every: float = 0.5) -> bool:
        """Whether new work is delivered by a drain that was rung for. A ring may be lost, so there are many."""
        receipt, until = self.work(), time.monotonic() + seconds
        rung = 0.0
        while (state := self.state(receipt)) != "delivered" and time.monotonic() < until:
            if time.monotonic() >= rung + every:
                self.ring()
                rung = time.monotonic()
            time.sleep(0.05)
        return state == "delivered"

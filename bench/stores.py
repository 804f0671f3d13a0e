"""Sluice's stores over an embedded server, for measurements that need no API and no mesh."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from common_mesh import MeshEngine

from pipeline.delivery import Delivery
from pipeline.stages.stores import Stores, make_stores
from pipeline.store.client import connect
from pipeline.store.keys import Shards
from pipeline.store.vault import Vault

TEAM = "T0000000001"
_OVERDUE_US = 600 * 1_000_000


@contextmanager
def stores_at(url: str) -> Iterator[Stores]:
    """The stores of that server; what they would deliver goes nowhere."""
    client, engine = connect(url), MeshEngine(base_url="http://mesh.invalid")
    try:
        yield make_stores(
            client,
            Shards(16),
            Vault({"k1": bytes(32)}),
            Delivery(engine),
            find_team=lambda _: TEAM,
            now_us=lambda: time.time_ns() // 1000,
            overdue_us=_OVERDUE_US,
        )
    finally:
        engine.close()
        client.close()

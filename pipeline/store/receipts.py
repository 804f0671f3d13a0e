"""Receipts: what became of a callback or an effect, without content. Capped; the oldest go first."""

import json
from typing import Any

import redis

from pipeline.store.client import ask
from pipeline.store.keys import Keys
from pipeline.store.scripts import Changes

KEPT_PER_SHARD = 20_000


def record(changes: Changes, keys: Keys, receipt: str, state: str, **facts: Any) -> None:
    """Write what became of `receipt` as part of an atomic change. Its place in the cap was taken at append."""
    changes.do("HSET", keys.receipts, receipt, json.dumps({"state": state, **facts}, separators=(",", ":")))


def enter(changes: Changes, keys: Keys, receipt: str, state: str, **facts: Any) -> None:
    """As `record`, for a receipt that no append has entered."""
    record(changes, keys, receipt, state, **facts)
    changes.do("RPUSH", keys.receipts_order, receipt)


def find(client: redis.Redis, keys: Keys, receipt: str) -> dict[str, Any] | None:
    """The receipt's record, or None for one that is unknown or older than the cap."""
    found = ask(client, "HGET", keys.receipts, receipt)
    if found is None:
        return None
    facts: dict[str, Any] = json.loads(found)
    return facts

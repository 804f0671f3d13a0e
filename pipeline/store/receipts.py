"""Receipts: what became of a callback or an effect, without content. Capped; the oldest go first."""

import json
from typing import Any

import redis

from pipeline.store.client import ask
from pipeline.store.keys import Keys
from pipeline.store.scripts import Changes

KEPT_PER_SHARD = 20_000


def record(changes: Changes, keys: Keys, receipt: str, state: str, **facts: Any) -> None:
    """Write what became of `receipt` as part of an atomic change; the oldest of the shard make room."""
    text = json.dumps({"state": state, **facts}, separators=(",", ":"))
    changes.keep_receipt(keys.receipts, keys.receipts_order, receipt, text, KEPT_PER_SHARD)


def find(client: redis.Redis, keys: Keys, receipt: str) -> dict[str, Any] | None:
    """The receipt's record, or None for one that is unknown or older than the cap."""
    found = ask(client, "HGET", keys.receipts, receipt)
    if found is None:
        return None
    facts: dict[str, Any] = json.loads(found)
    return facts

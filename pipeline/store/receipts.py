"""Receipts: what became of a callback or an effect, without content. Capped, the oldest go first; and they expire."""

import json
from typing import Any, Final

import redis

from pipeline.store.client import ask
from pipeline.store.keys import Keys
from pipeline.store.scripts import Changes

KEPT_PER_SHARD = 20_000
KEPT_US: Final = 30 * 86_400 * 1_000_000
"""As long as a run token is good: whoever can still send a page of a run can still ask for its receipts."""
STEP: Final = 200
STEPS: Final = 50


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


def expire(client: redis.Redis, keys: Keys, now: int) -> int:
    """Drop the receipts of a shard whose last word is older than `KEPT_US` at `now` (microseconds); how many it was.

    In bounded steps, each of which takes records and their places together. An old one that is waiting still, or was
    settled late, gives up its place for one at the end: it comes by again when those before it are old.
    """
    expired = 0
    for _ in range(STEPS):
        ids = ask(client, "LRANGE", keys.receipts_order, 0, STEP - 1)
        facts = [json.loads(row or "{}") for row in (ask(client, "HMGET", keys.receipts, *ids) if ids else [])]
        old = next((n for n, one in enumerate(facts) if one and one["at"] > now - KEPT_US), len(facts))
        if not old:
            break
        ended = {id_ for id_, one in zip(ids[:old], facts, strict=False) if _last_word(one, now) <= now - KEPT_US}
        moved = [id_ for id_ in ids[:old] if id_ not in ended]
        # The order is only ever added to behind and taken from in front: both ends the same, and it is the same.
        changes = Changes().expect(ids[0], "LINDEX", keys.receipts_order, 0)
        changes.expect(ids[old - 1], "LINDEX", keys.receipts_order, old - 1).do("LTRIM", keys.receipts_order, old, -1)
        if ended:
            changes.do("HDEL", keys.receipts, *ended)
        if moved:
            changes.do("RPUSH", keys.receipts_order, *moved)
        if changes.commit(client) == 0:
            expired += len(ended)
        if old < len(ids):
            break
    return expired


def _last_word(facts: dict[str, Any], now: int) -> int:
    """When something was last said of a receipt; of one that waits that is now, of a place without a record never."""
    if not facts:
        return 0
    return now if facts["state"] == "waiting" else int(facts.get("settled_at") or facts["at"])

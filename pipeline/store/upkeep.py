"""Upkeep: finds entries that nothing would ever serve, because their ready mark is gone, and marks them again; and
lets receipts expire.
"""

import logging
from collections import Counter

import redis

from pipeline.connection import split_connection
from pipeline.store import receipts
from pipeline.store.client import ask, ask_all, clock
from pipeline.store.keys import Keys, Shards, effects_of
from pipeline.store.scripts import Changes

_log = logging.getLogger(__name__)


def upkeep(client: redis.Redis, shards: Shards) -> Counter[str]:
    """Go through all shards; counts of what was found. `unmarked` is an alarm: somebody's hand was in the store."""
    found: Counter[str] = Counter(unmarked=0, receipts_expired=0)
    now = clock(client)
    for keys in shards.all():
        found["receipts_expired"] += receipts.expire(client, keys, now)
        names = [name.decode() for name in ask(client, "SMEMBERS", keys.connections)]
        members = [*names, *sorted({effects_of(split_connection(name)[1]) for name in names})]
        lengths = ask_all(client, [("XLEN", keys.stream(member)) for member in members])
        scores = ask_all(client, [("ZSCORE", keys.ready_of(member), member) for member in members])
        for member, length, score in zip(members, lengths, scores, strict=True):
            if length and score is None:
                found["unmarked"] += _mark(client, keys, member, length)
    return found


def _mark(client: redis.Redis, keys: Keys, member: str, entries: int) -> int:
    """Make the member due; it may have been settled and served meanwhile, which costs one empty take."""
    changes = Changes().expect("", "ZSCORE", keys.ready_of(member), member)
    changes.do("ZADD", keys.ready_of(member), "NX", 1, member)
    if changes.commit(client):
        return 0
    _log.error("upkeep.unmarked", extra={"connection": member, "entries": entries, "shard": keys.shard})
    return 1

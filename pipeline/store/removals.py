"""Removals: what a revocation, a disconnect or an erasure takes out of the store itself, and when all of it is gone.

    {sN}:removal:<receipt>   what of it has gone so far: kind, connection, at, numbers, and when it was done
    {sN}:removal:of:<org>    <team>|<channel>, <team>|<person> or a connection → receipt of its last removal

The fences in the mesh are an effect and wait for nothing here: a removal has the receipt of its effect, and is complete
when nothing of before waits any more, its dead letters are gone, and the append-only file was rewritten after that
(`rewriting`). The schedule's item `removal:<receipt>` looks, and is finished when it is.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import redis

from pipeline.connection import split_connection
from pipeline.store import dead_letters, receipts
from pipeline.store.client import ask, ask_all, clock
from pipeline.store.connections import Connections
from pipeline.store.keys import Keys, Shards, effects_of, shard_of_id
from pipeline.store.rewriting import Rewriting
from pipeline.store.schedule import Schedule
from pipeline.store.scripts import Changes, now
from pipeline.store.vault import Vault

KIND: Final = "removal"
"""Of the schedule's item."""
Kind = Literal["allowlist", "disconnect", "person"]
Number = Literal["waiting", "dead_letters"]
KEPT_SECONDS: Final = receipts.KEPT_US // 1_000_000
_OF: Final = "of:"
_ENDED: Final = ("complete", "emptied", "unknown")
_AGAIN_US: Final = 5 * 1_000_000
_RARELY_US: Final = 60 * 1_000_000
"""What has waited for long, for the end of a pause for instance, is looked at so often."""


def begin(
    changes: Changes,
    keys: Keys,
    receipt: str,
    kind: Kind,
    connection: str,
    epoch: int,
    what: Iterable[str],
) -> None:
    """Have the removal of `what` followed to its end, as part of the change that begins it with this effect."""
    key, of = keys.removal(receipt), keys.removal(_OF + split_connection(connection)[1])
    changes.hset(key, {"kind": kind, "connection": connection, "at": epoch, "waiting": 0, "dead_letters": 0})
    # Twice as long as a receipt: one that waits for a pause to end still has its numbers.
    changes.do("EXPIRE", key, 2 * KEPT_SECONDS)
    changes.hset(of, dict.fromkeys(what, receipt)).do("EXPIRE", of, KEPT_SECONDS)
    changes.do("ZADD", keys.due, now(), f"{KIND}:{receipt}")


def add(client: redis.Redis, changes: Changes, keys: Keys, org: str, number: Number, counts: Mapping[str, int]) -> None:
    """Add to the numbers of whatever removals these (channels, persons, connections) were last removed by."""
    for name, receipt in zip(counts, _receipts(client, keys, org, list(counts)), strict=True):
        if receipt is not None and counts[name]:
            key = keys.removal(receipt.decode())
            part = changes.part().expect(1, "EXISTS", key).do("HINCRBY", key, number, counts[name])
            changes.when(part)


def _receipts(client: redis.Redis, keys: Keys, org: str, names: list[str]) -> list[bytes | None]:
    return ask(client, "HMGET", keys.removal(_OF + org), *names) if names else []


def last(client: redis.Redis, keys: Keys, org: str) -> Iterator[tuple[str, str]]:
    """The channels and persons of an organisation that were removed of late (a month or more), as (team, id)."""
    for name in ask(client, "HKEYS", keys.removal(_OF + org)):
        team, _, one = name.decode().partition("|")
        if one:
            yield team, one


def find(client: redis.Redis, keys: Keys, receipt: str) -> dict[str, Any] | None:
    """What is known of the removal with this receipt: its numbers, and when (microseconds) it had come how far."""
    found = {k.decode(): v.decode() for k, v in ask(client, "HGETALL", keys.removal(receipt)).items()}
    if not found:
        return None
    numbers = ("waiting", "dead_letters", "emptied_at", "rewritten_at")
    shown: dict[str, Any] = {name: int(found[name]) if name in found else None for name in numbers}
    if found["kind"] == "person":
        shown["waiting"] = None  # what a reading brings of somebody who was erased is counted, not whose it is
    return shown | {"kind": found["kind"], "state": _state(found), "not_rewritten": found.get("not_rewritten")}


def _state(found: Mapping[str, str]) -> str:
    if "rewritten_at" in found:
        return "complete"
    if "not_rewritten" in found:
        return "emptied"
    return "rewriting" if "emptied_at" in found else "emptying"


class Removals:
    """Removals of all organisations."""

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault, rewriting: Rewriting | None = None) -> None:
        self._client, self._schedule = client, Schedule(client, shards)
        self._connections = Connections(client, shards, vault)
        self._rewriting = rewriting or Rewriting(client)

    def look(self, receipt: str) -> str:
        """See how far a removal has come, and look again later unless it has ended; the word for it."""
        keys = Keys(shard_of_id(receipt))
        seen = self._schedule.when(keys, KIND, receipt)
        found = {k.decode(): v.decode() for k, v in ask(self._client, "HGETALL", keys.removal(receipt)).items()}
        said = self._looked(keys, receipt, found) if found else "unknown"
        if seen is not None:
            next_at = None if said in _ENDED else self._again(int(found["at"]))
            self._schedule.finish(keys, KIND, receipt, seen, next_at=next_at)
        return said

    def _again(self, began: int) -> int:
        now = clock(self._client)
        return now + max(_AGAIN_US, min(_RARELY_US, (now - began) // 10))

    def _looked(self, keys: Keys, receipt: str, found: dict[str, str]) -> str:
        key = keys.removal(receipt)
        if "emptied_at" not in found:
            if not self._emptied(keys, receipt, found):
                return "emptying"
            found["emptied_at"] = str(clock(self._client))
            self._note(key, "emptied_at", found["emptied_at"])
        said = self._rewriting.since(int(found["emptied_at"]))
        if said is False:
            return "rewriting"
        if said is True:
            self._note(key, "rewritten_at", clock(self._client))
            return "complete"
        self._note(key, "not_rewritten", said)
        return "emptied"

    def _note(self, key: str, field: str, value: str | int) -> None:
        changes = Changes().expect(1, "EXISTS", key).expect(0, "HEXISTS", key, field)
        changes.do("HSET", key, field, value).do("EXPIRE", key, KEPT_SECONDS).commit(self._client)

    def _emptied(self, keys: Keys, receipt: str, found: Mapping[str, str]) -> bool:
        """Whether nothing of it is left in memory: first what waits, since that may still end as a dead letter."""
        org, told = split_connection(found["connection"])[1], receipts.find(self._client, keys, receipt)
        if told is not None and told["state"] == "waiting":
            return False
        if found["kind"] == "disconnect" and self._untold(keys, found["connection"]):
            return False
        drained_at = found.get("drained_at") or self._drained(keys, org, found, receipt)
        if drained_at is None:
            return False
        mark = ask(self._client, "HGET", keys.purging, org)
        cursor, until = mark.decode().partition(" ")[0] if mark else "+", int(drained_at) // 1000
        if mark and ask(self._client, "XRANGE", keys.dead, f"({cursor}", until, "COUNT", 1):
            return False
        return not dead_letters.deleted_remain(self._client, keys)

    def _drained(self, keys: Keys, org: str, found: Mapping[str, str], receipt: str) -> str | None:
        """When every stream of the organisation had been seen empty: any may hold pages of the same channels, and the
        server keeps what was settled as long as an entry beside it waits.
        """
        names = (name.decode() for name in ask(self._client, "SMEMBERS", keys.connections))
        members = {name for name in names if split_connection(name)[1] == org} | {effects_of(org)}
        left = sorted(members - set(json.loads(found.get("drained", "[]"))))
        lengths = ask_all(self._client, [("XLEN", keys.stream(name)) for name in left])
        full = {name for name, length in zip(left, lengths, strict=True) if length}
        if full:
            self._write(keys.removal(receipt), "drained", json.dumps(sorted(members - full)))
            return None
        at = str(clock(self._client))
        self._note(keys.removal(receipt), "drained_at", at)
        return at

    def _write(self, key: str, field: str, value: str) -> None:
        Changes().expect(1, "EXISTS", key).do("HSET", key, field, value).commit(self._client)

    def _untold(self, keys: Keys, connection: str) -> bool:
        known = self._connections.get(connection)
        live = known is not None and known.live
        return not live and bool(ask(self._client, "EXISTS", keys.told(connection)))

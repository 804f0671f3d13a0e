"""The audit trail: who changed what, when. Ids and counts only."""

import heapq
import json
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, Final, NamedTuple

import redis

from pipeline.connection import split_connection
from pipeline.store.client import ask
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes

KEPT_PER_SHARD: Final = 100_000
"""The oldest go; docs/audit.md says what they take."""
MOST_LOOKED_AT: Final = 10_000
"""Entries of a page, its own or not: other organisations of the shard may have many."""
_READ_AT_ONCE: Final = 200
_ORG: Final = "org:"


class Place(NamedTuple):
    """Where an entry lies. Places of all shards have one order: by time, then by shard."""

    ms: int
    number: int
    shard: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}-{self.shard}"

    @classmethod
    def read(cls, text: str) -> "Place":
        """Raises ValueError for what is none."""
        ms, number, shard = (int(part) for part in text.split("-"))
        return cls(ms, number, shard)

    def up_to(self, shard: int) -> str:
        """The end of what comes before it in a shard, as XREVRANGE takes it."""
        return f"{'' if shard < self.shard else '('}{self.ms}-{self.number}"


def note(changes: Changes, keys: Keys, event: str, connection: str, by: str, at: int, **facts: Any) -> None:
    """Add one entry as part of the change that it tells of. `at` in microseconds."""
    entry = {"event": event, "connection": connection, "by": by, "at": at, **facts}
    changes.do("XADD", keys.audit, "MAXLEN", "~", KEPT_PER_SHARD, "*", "e", json.dumps(entry, separators=(",", ":")))


def page(
    client: redis.Redis, shards: Shards, *, org: str | None, connection: str | None, before: Place | None, limit: int
) -> tuple[list[dict[str, Any]], Place | None]:
    """At most `limit` entries, the newest first, of an organisation and of a connection, or of all (None).

    Then the place of the last one that was looked at, None where there are no more: a page may be short, or empty, and
    have one that follows.
    """
    streams = [_newest_first(client, keys, before) for keys in (shards.all() if org is None else [shards.of_org(org)])]
    found: list[dict[str, Any]] = []
    last = before
    for looked_at, (place, entry) in enumerate(heapq.merge(*streams, key=itemgetter(0), reverse=True)):
        if len(found) == limit or looked_at == MOST_LOOKED_AT:
            return found, last
        if org in (None, _org(entry["connection"])) and connection in (None, entry["connection"]):
            found.append(entry)
        last = place
    return found, None


def _newest_first(client: redis.Redis, keys: Keys, before: Place | None) -> Iterator[tuple[Place, dict[str, Any]]]:
    end = "+" if before is None else before.up_to(keys.shard)
    while rows := ask(client, "XREVRANGE", keys.audit, end, "-", "COUNT", _READ_AT_ONCE):
        for stream_id, fields in rows:
            ms, _, number = stream_id.decode().partition("-")
            yield Place(int(ms), int(number), keys.shard), json.loads(fields[b"e"])
        end = f"({rows[-1][0].decode()}"


def _org(connection: str) -> str | None:
    """Whose an entry is. A pause stands under its scope; what concerns all is nobody's."""
    if "/" in connection:
        return split_connection(connection)[1]
    return connection.removeprefix(_ORG) if connection.startswith(_ORG) else None

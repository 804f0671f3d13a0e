"""Executions of the directory workflows: which pages came, and whether a directory was once read to its end."""

from collections.abc import Mapping

import redis

from pipeline.rules.coverage import covered, page_facts
from pipeline.store.client import ask
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes, pairs

_KEPT_SECONDS = 7 * 24 * 3600
_WHOLE = "directory"  # Takes the channel's place in the facts: a directory is one chain.
PREFIX = "directory|"


class DirectoryRuns:
    """A directory is complete with a snapshot, or by an unbroken chain of cursors within one execution."""

    def __init__(self, client: redis.Redis, shards: Shards) -> None:
        self._client, self._shards = client, shards

    def page(
        self,
        changes: Changes,
        keys: Keys,
        connection: str,
        kind: str,
        run: str,
        *,
        cursor: str | None,
        next_cursor: str | None,
        has_more: bool | None,
        snapshot: bool,
    ) -> None:
        """Write one page's fact as part of the settle that ends it."""
        facts: Mapping[str, str] = page_facts(_WHOLE, "", cursor=cursor, next_cursor=next_cursor, has_more=has_more)
        if snapshot:
            facts = page_facts(_WHOLE, "", cursor="", next_cursor="", has_more=False)
        if not facts:
            return
        key = keys.directory_run(connection, kind, run)
        changes.do("HSET", key, *pairs(facts)).do("EXPIRE", key, _KEPT_SECONDS)
        changes.do("SADD", keys.touched, f"{PREFIX}{kind}|{run}|{connection}")

    def look(self, keys: Keys, touched: str, now: int) -> bool:
        """See whether a touched execution is complete; the first complete directory makes the pulls due."""
        ask(self._client, "SREM", keys.touched, touched)
        _, kind, run, connection = touched.split("|", 3)
        rows = ask(self._client, "HGETALL", keys.directory_run(connection, kind, run))
        if not covered({name.decode(): value.decode() for name, value in rows.items()}, _WHOLE):
            return False
        changes = Changes().expect("live", "HGET", keys.connection(connection), "state")
        changes.do("HSET", keys.connection(connection), f"{kind}_complete_at", now)
        changes.do("ZADD", keys.due, "LT", now, f"plan:{connection}").commit(self._client)
        return True

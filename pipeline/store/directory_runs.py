"""Executions of the directory workflows: which pages came, and whether a directory was once read to its end."""

import json

import redis

from pipeline.rules.coverage import covered, page_facts
from pipeline.store.client import ask
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes, now

_KEPT_SECONDS = 7 * 24 * 3600
_MOST = 1000
"""Executions of a connection that are remembered by name, to be forgotten with it: many more than a week has."""
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
        generation: int,
        kind: str,
        run: str,
        *,
        cursor: str | None,
        next_cursor: str | None,
        has_more: bool | None,
        snapshot: bool,
    ) -> None:
        """Write one page's fact as part of the settle that ends it."""
        facts = page_facts(_WHOLE, "", cursor=cursor, next_cursor=next_cursor, has_more=has_more)
        if snapshot:
            facts = page_facts(_WHOLE, "", cursor="", next_cursor="", has_more=False)
        if not facts:
            return
        key = keys.directory_run(connection, generation, kind, run)
        changes.hset(key, dict.fromkeys(facts, "")).do("EXPIRE", key, _KEPT_SECONDS)
        index = keys.directory_runs(connection)
        changes.do("ZADD", index, now(), json.dumps([generation, kind, run]))
        changes.do("ZREMRANGEBYRANK", index, 0, -_MOST - 1).do("EXPIRE", index, _KEPT_SECONDS)
        changes.do("SADD", keys.touched, f"{PREFIX}{generation}|{kind}|{json.dumps([run, connection])}")

    def forget(self, changes: Changes, keys: Keys, connection: str) -> None:
        """Drop every execution of a connection as part of its end; only if there is no newer one."""
        index = keys.directory_runs(connection)
        names = ask(self._client, "ZRANGE", index, 0, -1)
        changes.expect(len(names), "ZCARD", index)
        if names:  # as one more comes, the oldest may go
            changes.expect(len(names) - 1, "ZRANK", index, names[-1])
        for name in names:
            generation, kind, run = json.loads(name)
            changes.do("DEL", keys.directory_run(connection, generation, kind, run))
        changes.do("DEL", index)

    def look(self, keys: Keys, touched: str, at: int) -> bool:
        """See whether a touched execution is complete; the first complete directory makes the pulls due."""
        _, generation, kind, rest = touched.split("|", 3)
        run, connection = json.loads(rest)
        key = keys.directory_run(connection, int(generation), kind, run)
        rows = ask(self._client, "HGETALL", key)
        done = covered([name.decode() for name in rows], _WHOLE)
        if done:
            changes = Changes().expect("live", "HGET", keys.connection(connection), "state")
            changes.expect(generation, "HGET", keys.connection(connection), "generation")
            changes.do("HSET", keys.connection(connection), f"{kind}_complete_at", at)
            changes.do("ZADD", keys.due, "LT", at, f"plan:{connection}").commit(self._client)
        # Last, and only if no page came meanwhile: a look that dies half-way is taken again.
        Changes().expect(len(rows), "HLEN", key).do("SREM", keys.touched, touched).commit(self._client)
        return done

"""A store that came out of a backup is held: nothing is delivered and nobody is asked for anything until an operator
has confirmed the lists, since revocations made after the backup are not in it.

Held is a fourth state of a shard (`pipeline.store.shard`): no drain gets a lease over it, and nothing of its schedule
is due. Intake goes on, and so do the core routes: what they cause waits behind the hold.
"""

import json
from dataclasses import dataclass
from typing import Final

import redis

from pipeline.store.client import ask, clock
from pipeline.store.keys import META, Keys, Shards
from pipeline.store.scripts import Changes

HELD = "held"
SAYS: Final = (
    "The store came out of a backup and is held: callbacks are kept, nothing is delivered or asked for. "
    "Put every list as it is now, then run `./sluice restore --confirm` (docs/backup.md)."
)
"""For whoever looks: what it means, and what to do."""
_LIST_THEN = "list_at_hold"
"""Of a connection: its list's version when the hold began. Where it is still that one, nobody has put it since."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Since when the store is held, and when the backup was made (microseconds; None where that is not known)."""

    since: int
    backup: int | None


def place(client: redis.Redis, shards: Shards, backup: int | None) -> Hold:
    """Hold the store; an older hold stands. Safe to repeat, and whoever drains at this moment settles no more."""
    said = json.dumps({"since": clock(client), "backup": backup})
    ask(client, "HSETNX", META, HELD, said)
    for keys in shards.all():
        changes = Changes().do("SET", keys.state, HELD)
        for name in _names(client, keys):
            key = keys.connection(name)
            changes.do("HSETNX", key, _LIST_THEN, ask(client, "HGET", key, "list_version") or 0)
        changes.commit(client)
    return found(client) or Hold(0, backup)


def found(client: redis.Redis) -> Hold | None:
    """The hold, None where there is none."""
    said = ask(client, "HGET", META, HELD)
    if said is None:
        return None
    fields = json.loads(said)
    return Hold(int(fields["since"]), fields["backup"])


def untouched(client: redis.Redis, keys: Keys, connection: str) -> bool:
    """Whether a connection's list is still the one that the backup had."""
    then, now = ask(client, "HMGET", keys.connection(connection), _LIST_THEN, "list_version")
    return then is not None and int(then) == int(now or 0)


def lift(client: redis.Redis, shards: Shards) -> None:
    """Let everything go on. The mark goes last: a lift that dies in the middle is seen, and can be repeated."""
    for keys in shards.all():
        changes = Changes()
        for name in _names(client, keys):
            changes.do("HDEL", keys.connection(name), _LIST_THEN)
        changes.commit(client)
        Changes().expect(HELD, "GET", keys.state).do("DEL", keys.state).commit(client)
    ask(client, "HDEL", META, HELD)


def _names(client: redis.Redis, keys: Keys) -> list[str]:
    return [name.decode() for name in ask(client, "SMEMBERS", keys.connections)]

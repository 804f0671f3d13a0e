"""What the mesh is told of the pulls: one `sync_status` a channel and connection, when something of it has changed.

Told from time to time and not with each window: a pull of a thousand channels is one effect, not a thousand.
"""

import json
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Any, Final

import redis

from pipeline.connection import split_connection
from pipeline.models import SyncStatus
from pipeline.rules.versions import version
from pipeline.store import effects
from pipeline.store.client import ask
from pipeline.store.connections import Connections, Registration, with_epoch
from pipeline.store.keys import Keys, Shards
from pipeline.store.progress import LIMITED, Channel, Channels
from pipeline.store.runs import MARKS, Run, Runs
from pipeline.store.scripts import Changes, now
from pipeline.store.vault import Vault

_DELAY_US: Final = 30 * 1_000_000
_MOST_RECORDS: Final = 500
_KIND: Final = "status"


class SyncStatuses:
    """What was told of each connection's channels, and what is to be told now."""

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault, runs: Runs, channels: Channels) -> None:
        self._client, self._shards, self._vault = client, shards, vault
        self._runs, self._channels = runs, channels
        self._connections = Connections(client, shards, vault)

    def tell(self, connection: str) -> int:
        """Send what has changed since it was last told; how many channels. Safe to repeat."""
        told = 0
        while (some := self._tell_some(connection)) == _MOST_RECORDS:
            told += some
        return told + some

    def _tell_some(self, connection: str) -> int:
        """As much of it as one effect holds."""
        keys, (user, org) = self._shards.of(connection), split_connection(connection)
        count = 0

        def build(epoch: int) -> Changes | None:
            nonlocal count
            known = self._connections.get(connection)
            told = {k.decode(): v.decode() for k, v in ask(self._client, "HGETALL", keys.told(connection)).items()}
            wanted = self._wanted(known) if known is not None and known.live else {}
            marks = {place: _mark(said) for place, said in wanted.items()}
            changed = [place for place in {**told, **marks} if told.get(place) != marks.get(place)][:_MOST_RECORDS]
            count = len(changed)
            if not changed:
                return None
            changes = Changes()
            for place in changed:
                if place in wanted:
                    changes.expect(told.get(place, ""), "HGET", keys.told(connection), place)
                    changes.do("HSET", keys.told(connection), place, marks[place])
                else:
                    changes.do("HDEL", keys.told(connection), place)
            records = [_record(place, user, wanted.get(place), epoch) for place in changed]
            generation = known.generation if known else 0
            more = {"connection": connection, "generation": generation, "epoch": epoch, "records": records}
            effects.append(changes, keys, self._vault, **more)  # type: ignore[arg-type]
            return changes

        with_epoch(self._client, keys, org, build)
        return count

    def _wanted(self, known: Registration) -> dict[str, str]:
        """`<team>|<channel>` → what is to be told of it, as JSON."""
        shown = self._channels.all(known.connection)
        names = {name for one in shown for name in _open(one)}
        runs = {name: found for name in names if (found := self._runs.get(name))}
        return {f"{known.team}|{one.name}": json.dumps(_said(one, runs)) for one in shown}


def wanted(changes: Changes, keys: Keys, connection: str) -> None:
    """Have the mesh told before long, as part of a change of what there is to tell."""
    changes.do("ZADD", keys.due, "NX", now(_DELAY_US), f"{_KIND}:{connection}")


def _mark(said: str) -> str:
    """Enough of what was told to see that it has changed."""
    return urlsafe_b64encode(blake2b(said.encode(), digest_size=8).digest()).decode().rstrip("=")


def _open(one: Channel) -> list[str]:
    return [one.fields[mark] for mark in MARKS.values() if mark in one.fields]


def _said(one: Channel, runs: dict[str, Run]) -> dict[str, Any]:
    covered = one.covered
    waiting = [runs[name] for name in _open(one) if name in runs]
    errors = [found.reason for found in waiting if found.state in ("blocked", "given_up")]
    return {
        "covered": [list(covered)] if covered else [],
        "head": covered.head if covered else None,
        "tail": covered.tail if covered else None,
        "last_run": one.fields.get("last"),
        "last_error": next((error or "no_answer" for error in errors), LIMITED if LIMITED in one.fields else None),
    }


def _record(place: str, user: str, said: str | None, epoch: int) -> SyncStatus:
    team, _, channel = place.partition("|")
    where = {"id": f"{team}:{channel}:{user}", "team": team, "channel": channel, "user": user}
    rest = json.loads(said) if said else {"deleted": True}
    return SyncStatus.model_validate(where | {"version": version(epoch)} | rest)

"""Registered connections: generation, team, state. Changed by guarded scripts, with the effects they cause."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis

from pipeline.connection import split_connection
from pipeline.errors import Rejected, Unavailable
from pipeline.models import User
from pipeline.rules.versions import version
from pipeline.store import audit, effects
from pipeline.store.client import ask, ask_all
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes, now, run
from pipeline.store.vault import Vault

_MOST_TRIES = 20
_LONGEST_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Registration:
    """What is known of a connection. `generation` rises with each disconnect, `metadata_wanted` with each change of
    what Paragon's metadata shall say; times in microseconds.
    """

    connection: str
    generation: int
    live: bool
    team: str | None
    list_version: int
    registered_at: int
    channels_complete_at: int | None
    users_complete_at: int | None
    metadata_at: int | None
    metadata_wanted: int = 0

    @property
    def directory_complete(self) -> bool:
        """Both the channels and the users of the team were once read to their end."""
        return self.channels_complete_at is not None and self.users_complete_at is not None


def draw_epoch(client: redis.Redis, keys: Keys, org: str) -> int:
    """The organisation's next epoch: store time in microseconds, always more than the last."""
    return int(run(client, "epoch", [keys.org(org)], []))


def with_epoch(client: redis.Redis, keys: Keys, org: str, build: Callable[[int], Changes | None]) -> int:
    """Draw an epoch and commit what `build(epoch)` makes of it; again if another epoch was drawn in between.

    A fence must lie above every epoch drawn before it, so the change holds only while its own is the newest. Those
    who change an organisation at once disturb each other by trying: each waits a moment of its own before the next.
    """
    for tries in range(_MOST_TRIES):
        time.sleep(random.uniform(0.0, min(_LONGEST_PAUSE, 0.002 * 2**tries)) if tries else 0.0)
        epoch = draw_epoch(client, keys, org)
        changes = build(epoch)
        if changes is None:
            return epoch
        if changes.expect(str(epoch), "HGET", keys.org(org), "epoch").commit(client) == 0:
            return epoch
    raise Unavailable("organisation busy", retry_after=1.0)


class Connections:
    """The registry of all connections."""

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault) -> None:
        self._client, self._shards, self._vault = client, shards, vault

    def get(self, connection: str) -> Registration | None:
        """The registration, live or disconnected, or None for one never registered."""
        fields = ask(self._client, "HGETALL", self._shards.of(connection).connection(connection))
        return _read(connection, fields) if fields else None

    def names(self) -> list[str]:
        """Every connection ever registered."""
        rows = ask_all(self._client, [("SMEMBERS", keys.connections) for keys in self._shards.all()])
        return sorted(name.decode() for row in rows for name in row)

    def register(self, connection: str, *, team: str | None, who: dict[str, Any], by: str) -> tuple[Registration, str]:
        """Make the connection live, or update it; its `user` record goes to the mesh as an effect (the receipt).

        Raises `Rejected("team_differs")` where another team is already fixed.
        """
        keys, (user, org) = self._shards.of(connection), split_connection(connection)
        receipt = ""

        def build(epoch: int) -> Changes:
            nonlocal receipt
            known = self.get(connection)
            if known and known.team and team and known.team != team:
                raise Rejected("team_differs")
            generation = known.generation if known else 1
            fixed = known.team if known else None
            key = keys.connection(connection)
            changes = Changes().expect(str(known.generation) if known else "", "HGET", key, "generation")
            # A drain may find the team out at this very moment: the first one stays, and we look again.
            changes.expect(fixed or "", "HGET", key, "team")
            changes.do("HSET", key, "generation", generation, "state", "live")
            if not known or not known.live:
                changes.do("HSET", key, "registered_at", epoch)
            if team:
                changes.do("HSET", key, "team", team)
            changes.do("SADD", keys.connections, connection)
            changes.do("ZADD", keys.due, now(), f"look:{connection}")
            record = User(id=f"connection:{user}", version=version(epoch), kind="connection", team=team or fixed, **who)
            receipt = effects.append(
                changes,
                keys,
                self._vault,
                connection=connection,
                generation=generation,
                epoch=epoch,
                records=[record],
            )
            audit.note(changes, keys, "connection.registered", connection, by, epoch)
            return changes

        with_epoch(self._client, keys, org, build)
        found = self.get(connection)
        assert found is not None  # noqa: S101 - just written under a guard
        return found, receipt

    def fix_team(self, connection: str, team: str, generation: int) -> None:
        """Fix the team of this generation at first connect. Raises `Rejected("team_differs")` where another one is."""
        keys = self._shards.of(connection)
        key = keys.connection(connection)
        changes = Changes().expect("", "HGET", key, "team").expect(generation, "HGET", key, "generation")
        if changes.expect("live", "HGET", key, "state").do("HSET", key, "team", team).commit(self._client):
            known = self.get(connection)
            if known is None or known.team != team or known.generation != generation:
                raise Rejected("team_differs")

    def set_metadata(self, connection: str, meta: dict[str, Any]) -> None:
        """Keep what the core service wants in the Paragon user's metadata, sealed; a later key wins.

        Raises `Rejected("not_registered")` where the connection ended meanwhile: the next one is not to inherit it.
        """
        keys, org = self._shards.of(connection), split_connection(connection)[1]
        key = keys.connection(connection)
        for _ in range(_MOST_TRIES):
            before = ask(self._client, "HGET", key, "meta")
            merged = {**self._opened(connection, before), **meta}
            sealed = self._vault.seal(org, _meta_header(connection), json.dumps(merged).encode())
            changes = Changes().expect("live", "HGET", key, "state").expect(before or "", "HGET", key, "meta")
            changes.do("HSET", key, "meta", f"{self._vault.key_id}|".encode() + sealed)
            failed = changes.do("HINCRBY", key, "metadata_wanted", 1).commit(self._client)
            if failed == 0:
                return
            if failed == 1:
                raise Rejected("not_registered")
        raise Unavailable("connection busy", retry_after=1.0)

    def carried(self, known: Registration, at: int) -> bool:
        """Paragon's metadata says what was wanted when `known` was read; False where more is wanted since."""
        keys = self._shards.of(known.connection)
        key = keys.connection(known.connection)
        changes = Changes().expect(known.generation, "HGET", key, "generation")
        changes.expect(known.metadata_wanted or "", "HGET", key, "metadata_wanted")
        changes.do("HSET", key, "metadata_at", at).do("ZREM", keys.due, f"patch:{known.connection}")
        return changes.commit(self._client) == 0

    def metadata(self, connection: str) -> dict[str, Any]:
        """The core service's own metadata keys for this Paragon user."""
        found = ask(self._client, "HGET", self._shards.of(connection).connection(connection), "meta")
        return self._opened(connection, found)

    def _opened(self, connection: str, stored: bytes | None) -> dict[str, Any]:
        if stored is None:
            return {}
        key_id, _, sealed = stored.partition(b"|")
        org = split_connection(connection)[1]
        meta: dict[str, Any] = json.loads(self._vault.open(org, key_id.decode(), _meta_header(connection), sealed))
        return meta


def _meta_header(connection: str) -> bytes:
    return b"meta|" + connection.encode()


def _read(connection: str, fields: dict[bytes, bytes]) -> Registration:
    def number(name: bytes) -> int | None:
        return int(fields[name]) if name in fields else None

    team = fields.get(b"team")
    return Registration(
        connection,
        generation=number(b"generation") or 0,
        live=fields.get(b"state") == b"live",
        team=team.decode() if team else None,
        list_version=number(b"list_version") or 0,
        registered_at=number(b"registered_at") or 0,
        channels_complete_at=number(b"channels_complete_at"),
        users_complete_at=number(b"users_complete_at"),
        metadata_at=number(b"metadata_at"),
        metadata_wanted=number(b"metadata_wanted") or 0,
    )

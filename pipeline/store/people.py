"""Erasing a person: a fence behind what is there, and an exclusion that no later reading passes.

The exclusion is of the organisation and team, whoever connected it, and outlives a disconnect. It keeps the Slack id
in clear, since every record is held against it.
"""

import redis

from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.models import Retraction
from pipeline.rules.exclusion import Person
from pipeline.rules.versions import epoch_digits, version
from pipeline.store import audit, effects
from pipeline.store.client import ask
from pipeline.store.connections import Connections, Registration, with_epoch
from pipeline.store.directory import Directory
from pipeline.store.keys import Shards
from pipeline.store.scripts import Changes
from pipeline.store.vault import Vault


class People:
    """Who was erased, of all organisations."""

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault) -> None:
        self._client, self._shards, self._vault = client, shards, vault
        self._connections = Connections(client, shards, vault)
        self._directory = Directory(client, shards, vault)

    def excluded(self, org: str) -> frozenset[Person]:
        """Everybody of whom nothing may pass."""
        rows = ask(self._client, "HKEYS", self._shards.of_org(org).erased(org))
        return frozenset(_person(row) for row in rows)

    def listing(self, connection: str) -> dict[str, int]:
        """Slack user id → since when (microseconds), of the connection's team."""
        known, org = self._known(connection), split_connection(connection)[1]
        rows = ask(self._client, "HGETALL", self._shards.of_org(org).erased(org))
        found = {_person(name): int(at) for name, at in rows.items()}
        return {person: at for (team, person), at in sorted(found.items()) if team == known.team}

    def erase(self, connection: str, person: str, *, by: str) -> str:
        """Retract what the person wrote and is, forget the name, let nothing of them pass again; the receipt.

        Raises `Rejected`: not_registered, no_team. Safe to repeat: each time the fence moves up.
        """
        keys, org = self._shards.of(connection), split_connection(connection)[1]
        receipt = ""

        def build(epoch: int) -> Changes:
            nonlocal receipt
            known = self._known(connection)
            team, key = known.team or "", keys.connection(connection)
            changes = Changes().expect(known.generation, "HGET", key, "generation").expect(team, "HGET", key, "team")
            changes.do("HSET", keys.erased(org), f"{team}|{person}", epoch)
            self._directory.forget(changes, org, team, person)
            receipt = effects.append(
                changes,
                keys,
                self._vault,
                connection=connection,
                generation=known.generation,
                epoch=epoch,
                records=[_fence(target, field, team, person, epoch) for target, field in _OF_A_PERSON],
            )
            audit.note(changes, keys, "person.erased", connection, by, epoch, person=person)
            return changes

        with_epoch(self._client, keys, org, build)
        return receipt

    def readmit(self, connection: str, person: str, *, by: str) -> bool:
        """Let the person pass again from now on; False where they were not erased. What was retracted stays so until
        it is read again. Raises `Rejected`: not_registered, no_team.
        """
        keys, org = self._shards.of(connection), split_connection(connection)[1]
        done = False

        def build(epoch: int) -> Changes | None:
            nonlocal done
            name = f"{self._known(connection).team}|{person}"
            since = ask(self._client, "HGET", keys.erased(org), name)
            done = since is not None
            if since is None:
                return None
            changes = Changes().expect(since, "HGET", keys.erased(org), name).do("HDEL", keys.erased(org), name)
            audit.note(changes, keys, "person.readmitted", connection, by, epoch, person=person)
            return changes

        with_epoch(self._client, keys, org, build)
        return done

    def _known(self, connection: str) -> Registration:
        known = self._connections.get(connection)
        if known is None or not known.live:
            raise Rejected("not_registered")
        if known.team is None:
            raise Rejected("no_team")
        return known


_OF_A_PERSON = (("message", "author_id"), ("user", "user_id"))


def _fence(target: str, field: str, team: str, person: str, epoch: int) -> Retraction:
    return Retraction(
        id=f"{target}:{team}:{field}:{person}",
        version=version(epoch),
        target=target,
        match={"team": team, field: person},
        below=epoch_digits(epoch),
        reason="erased",
    )


def _person(row: bytes) -> Person:
    team, _, person = row.decode().partition("|")
    return team, person

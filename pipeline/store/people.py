"""Erasing a person: a fence behind what is there, and an exclusion that no later reading passes.

The exclusion is of the organisation and team, whoever connected it, and outlives a disconnect. It keeps the Slack id
in clear, since every record is held against it. An erasure is kept as its epoch, a readmission as its epoch below zero:
after a restore the newer word of store and mesh is the right one (`pipeline.reconcile_people`).
"""

import redis

from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.rules.exclusion import ERASED, READMITTED, Person, fences
from pipeline.store import audit, dead_letters, effects, removals
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
        return frozenset(person for person, at in self.words(org).items() if at > 0)

    def words(self, org: str) -> dict[Person, int]:
        """The last word on everybody who was ever erased: since when (an epoch), below zero if readmitted then."""
        rows = ask(self._client, "HGETALL", self._shards.of_org(org).erased(org))
        return {_person(name): int(at) for name, at in rows.items()}

    def listing(self, connection: str) -> dict[str, int]:
        """Slack user id → since when (microseconds), of the connection's team."""
        known, found = self._known(connection), self.words(split_connection(connection)[1])
        return {person: at for (team, person), at in sorted(found.items()) if team == known.team and at > 0}

    def erase(self, connection: str, person: str, *, by: str) -> str:
        """Retract what the person wrote and is, forget the name, let nothing of them pass again; the receipt.

        Raises `Rejected`: not_registered, no_team. Safe to repeat: each time the fence moves up.
        """
        return self.retract(connection, (self._known(connection).team or "", person), by=by)

    def retract(self, connection: str, person: Person, *, by: str) -> str:
        """The same of a team that the connection need not have any more; the receipt. Raises `Rejected`."""
        keys, org = self._shards.of(connection), split_connection(connection)[1]
        receipt = ""

        def build(epoch: int) -> Changes:
            nonlocal receipt
            changes = self._exclude(org, person, epoch)
            receipt = self._say(changes, connection, person, epoch, ERASED)
            removals.begin(changes, keys, receipt, "person", connection, epoch, ["|".join(person)])
            audit.note(changes, keys, "person.erased", connection, by, epoch, person=person[1])
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
            team = self._known(connection).team or ""
            since = self.words(org).get((team, person), 0)
            done = since > 0
            if not done:
                return None
            name = f"{team}|{person}"
            changes = Changes().expect(since, "HGET", keys.erased(org), name)
            changes.do("HSET", keys.erased(org), name, -epoch)
            self._say(changes, connection, (team, person), epoch, READMITTED)
            audit.note(changes, keys, "person.readmitted", connection, by, epoch, person=person)
            return changes

        with_epoch(self._client, keys, org, build)
        return done

    def believe(self, org: str, person: Person, epoch: int, *, by: str) -> bool:
        """Exclude somebody whose erasure only the mesh knows; False where the word here is not older. The mesh has the
        fence already, so nothing is sent: the organisation need not be registered.
        """
        keys = self._shards.of_org(org)
        here = self.words(org).get(person)
        if here is not None and abs(here) >= epoch:
            return False
        changes = self._exclude(org, person, epoch)
        changes.expect("" if here is None else here, "HGET", keys.erased(org), "|".join(person))
        audit.note(changes, keys, "person.erased", f"unknown/{org}", by, epoch, person=person[1])
        return changes.commit(self._client) == 0

    def _exclude(self, org: str, person: Person, epoch: int) -> Changes:
        keys = self._shards.of_org(org)
        changes = Changes().do("HSET", keys.erased(org), "|".join(person), epoch)
        dead_letters.look_again(changes, keys, org, epoch)
        self._directory.forget(changes, org, *person)
        return changes

    def _say(self, changes: Changes, connection: str, person: Person, epoch: int, reason: str) -> str:
        """The fences as an effect; its receipt. They hold only while the connection is what it was."""
        keys, known = self._shards.of(connection), self._connections.get(connection)
        if known is None:
            raise Rejected("not_registered")
        key = keys.connection(connection)
        changes.expect(known.generation, "HGET", key, "generation").expect(known.team or "", "HGET", key, "team")
        return effects.append(
            changes,
            keys,
            self._vault,
            connection=connection,
            generation=known.generation,
            epoch=epoch,
            records=fences(person, epoch, reason),
        )

    def _known(self, connection: str) -> Registration:
        known = self._connections.get(connection)
        if known is None or not known.live:
            raise Rejected("not_registered")
        if known.team is None:
            raise Rejected("no_team")
        return known


def _person(row: bytes) -> Person:
    team, _, person = row.decode().partition("|")
    return team, person

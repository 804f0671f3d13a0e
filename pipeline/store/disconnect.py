"""Disconnecting: one script ends a connection; the drain settles what was waiting, unopened, as purged, and upkeep
deletes its dead letters.
"""

import redis

from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.models import Internal, Retraction, User
from pipeline.rules.allowlist import difference
from pipeline.rules.versions import epoch_digits, version
from pipeline.store import audit, channel_pauses, dead_letters, effects, removals, sync_status
from pipeline.store.allowlists import Allowlists, noted, retractions
from pipeline.store.client import ask
from pipeline.store.connections import Connections, Registration, with_epoch
from pipeline.store.directory_runs import DirectoryRuns
from pipeline.store.keys import Keys, Shards
from pipeline.store.looks import FIELDS as LOOKS
from pipeline.store.run_ends import RunEnds
from pipeline.store.scripts import Changes, now
from pipeline.store.vault import Vault

_FORGOTTEN = ("team", "meta", "channels_complete_at", "users_complete_at", "metadata_at", "pull_us", *LOOKS)
_ITEMS = ("plan", "patch", "look")
"""Of the schedule, of a connection; `status` stays until the mesh was told."""


class Disconnect:
    """Raises the generation, forgets list, ledger and schedule, retracts what nobody else allows, and hands on the
    rest.
    """

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault) -> None:
        self._client, self._shards, self._vault = client, shards, vault
        self._connections = Connections(client, shards, vault)
        self._allowlists = Allowlists(client, shards, vault)
        self._run_ends, self._directory_runs = RunEnds(client, shards), DirectoryRuns(client, shards)

    def __call__(self, connection: str, *, by: str) -> str:
        """End the connection; the receipt of what this causes in the mesh.

        Raises `Rejected("not_registered")` for one that is not live.
        """
        keys, org = self._shards.of(connection), split_connection(connection)[1]
        receipt = ""

        def build(epoch: int) -> Changes:
            nonlocal receipt
            known = self._connections.get(connection)
            if known is None or not known.live:
                raise Rejected("not_registered")
            last = known.team is not None and not self._others(keys, org, known)
            changes = self._end(keys, org, known, last=last)
            receipt = effects.append(
                changes,
                keys,
                self._vault,
                connection=connection,
                generation=known.generation + 1,
                epoch=epoch,
                records=self._records(org, known, epoch, last=last),
            )
            dead_letters.look_again(changes, keys, org, epoch)
            removals.begin(changes, keys, receipt, "disconnect", connection, epoch, self._what(org, known))
            list_ends = noted(known, [], self._allowlists.own(connection, known.team))
            audit.note(changes, keys, "connection.disconnected", connection, by, epoch, **list_ends)
            return changes

        with_epoch(self._client, keys, org, build)
        return receipt

    def _end(self, keys: Keys, org: str, known: Registration, *, last: bool) -> Changes:
        """What is forgotten with the connection; with the `last` one of its team, the team's directory too."""
        connection, key = known.connection, keys.connection(known.connection)
        changes = Changes().expect(known.generation, "HGET", key, "generation")
        changes.do("HSET", key, "generation", known.generation + 1, "state", "gone")
        changes.do("HSET", key, "list_version", known.list_version + 1).do("HDEL", key, *_FORGOTTEN)
        for channel in self._allowlists.own(connection, known.team):
            changes.do("HDEL", keys.allow(org), f"{known.team}|{channel}|{connection}")
            changes.do("DEL", keys.threads(connection, channel))
        for channel in self._orphaned(org, known):
            channel_pauses.forget(changes, keys, org, known.team or "", channel)
        changes.do("DEL", keys.coverage(connection)).do("DEL", keys.moved(connection))
        sync_status.wanted(changes, keys, connection)
        self._run_ends.forget(changes, keys, connection)
        self._directory_runs.forget(changes, keys, connection)
        items = [f"{kind}:{connection}" for kind in _ITEMS]
        changes.do("ZREM", keys.due, *items).do("HDEL", keys.tries, *items)
        # Un-park: what waits is to be settled as purged now, whatever kept it back.
        changes.do("ZADD", keys.ready, "XX", now(), connection).do("HDEL", keys.parked, connection)
        if known.team and last:
            changes.do("DEL", keys.directory(org, known.team, "channels"))
            changes.do("DEL", keys.directory(org, known.team, "users"))
        return changes

    def _others(self, keys: Keys, org: str, known: Registration) -> bool:
        """Whether another live connection of the organisation still reads this team."""
        names = [name.decode() for name in ask(self._client, "SMEMBERS", keys.connections)]
        names = [name for name in names if name != known.connection and split_connection(name)[1] == org]
        others = [found for name in names if (found := self._connections.get(name))]
        return any(other.live and other.team == known.team for other in others)

    def _records(self, org: str, known: Registration, epoch: int, *, last: bool) -> list[Internal]:
        user = split_connection(known.connection)[0]
        gone = User(id=f"connection:{user}", version=version(epoch), deleted=True, kind="connection", team=known.team)
        records: list[Internal] = [gone]
        if known.team:
            if last:
                records.append(_users(known.team, epoch))
            for channel in self._orphaned(org, known):
                records += retractions(known.team, channel, epoch, "disconnected")
            records += self._allowlists.handed_on(org, known, epoch)
        return records

    def _what(self, org: str, known: Registration) -> list[str]:
        """What goes: the connection, and the channels that nobody else allows."""
        return [known.connection, *(f"{known.team}|{channel}" for channel in self._orphaned(org, known))]

    def _orphaned(self, org: str, known: Registration) -> list[str]:
        """The channels that nobody allows any more without this connection."""
        return difference(self._allowlists.effective(org, known.team), known.connection, []).orphaned


def _users(team: str, epoch: int) -> Retraction:
    """The fence that ends a team's users when nobody reads the team any more."""
    return Retraction(
        id=f"user:{team}",
        version=version(epoch),
        target="user",
        match={"team": team},
        below=epoch_digits(epoch),
        reason="disconnected",
    )

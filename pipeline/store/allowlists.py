"""Allowlists: read by every batch, changed only together with the retractions that the change causes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import redis

from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.models import AllowedSlackChannel, Internal, Retraction
from pipeline.rules.allowlist import Allowance, Allowed, Difference, Entry, difference, union
from pipeline.rules.versions import epoch_digits, version
from pipeline.store import audit, effects, sync_status
from pipeline.store.client import ask
from pipeline.store.connections import Connections, Registration, with_epoch
from pipeline.store.directory import Directory
from pipeline.store.keys import Keys, Shards
from pipeline.store.progress import FIELDS
from pipeline.store.scripts import Changes, now
from pipeline.store.vault import Vault

DEBOUNCE_US = 1_000_000


class StaleListError(Exception):
    """`If-Match` named another version than the list has."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a PUT did: the list's new version, and the receipt of its effects where it had any."""

    version: int
    difference: Difference
    receipt: str | None


def retractions(team: str, channel: str, epoch: int, reason: str) -> list[Retraction]:
    """The two fences that end a channel: its messages and its own record."""
    below = epoch_digits(epoch)
    return [
        Retraction(
            id=f"{target}:{team}:{channel}",
            version=version(epoch),
            target=target,
            match={"team": team, "channel": channel},
            below=below,
            reason=reason,
        )
        for target in ("message", "allowed_slack_channel")
    ]


class Allowlists:
    """The allowlists of all organisations."""

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault) -> None:
        self._client, self._shards, self._vault = client, shards, vault
        self._connections = Connections(client, shards, vault)
        self._directory = Directory(client, shards, vault)

    def effective(self, org: str, team: str | None) -> Allowed:
        """The union of the live connections of this organisation and team; nothing where there is no team."""
        if not team:
            return Allowed()
        rows = ask(self._client, "HGETALL", self._shards.of_org(org).allow(org))
        return union((_entry(name, value) for name, value in rows.items()), team)

    def own(self, connection: str, team: str | None) -> list[str]:
        """The channels that this connection itself allows, sorted."""
        allowed = self.effective(split_connection(connection)[1], team)
        return sorted(channel for channel, allowers in allowed.channels.items() if connection in allowers)

    def put(self, connection: str, wanted: Sequence[str], *, if_match: int, by: str, since: int = 0) -> Change:
        """Replace a connection's own list, if it still has the version `if_match`.

        Pulls of the channels that this adds start at `since` (microseconds; 0: with all of history).

        Raises `StaleListError`, or `Rejected` for a connection that is not live (`not_registered`) or whose team is
        not known yet (`no_team`).
        """
        keys, org = self._shards.of(connection), split_connection(connection)[1]
        done: Change | None = None

        def build(epoch: int) -> Changes | None:
            nonlocal done
            known = self._live(connection)
            if known.list_version != if_match:
                raise StaleListError
            allowed = self.effective(org, known.team)
            diff = difference(allowed, connection, wanted)
            if not (diff.added or diff.removed):
                done = Change(known.list_version, diff, None)
                return None
            changes = self._rewrite(keys, org, known, diff, epoch, since)
            records = self._records(org, known, allowed, diff, epoch)
            receipt = None
            if records:
                receipt = effects.append(
                    changes,
                    keys,
                    self._vault,
                    connection=connection,
                    generation=known.generation,
                    epoch=epoch,
                    records=records,
                )
            done = Change(known.list_version + 1, diff, receipt)
            facts = {"added": len(diff.added), "removed": len(diff.removed), "version": done.version, "since": since}
            audit.note(changes, keys, "allowlist.changed", connection, by, epoch, **facts)
            return changes

        with_epoch(self._client, keys, org, build)
        assert done is not None  # noqa: S101 - build sets it or raises
        return done

    def _live(self, connection: str) -> Registration:
        known = self._connections.get(connection)
        if known is None or not known.live:
            raise Rejected("not_registered")
        if known.team is None:
            raise Rejected("no_team")
        return known

    def _rewrite(self, keys: Keys, org: str, known: Registration, diff: Difference, epoch: int, start: int) -> Changes:
        """Entries, version, coverage and schedule. A removed channel starts from nothing if it is allowed again."""
        key, allow, coverage = keys.connection(known.connection), keys.allow(org), keys.coverage(known.connection)
        changes = Changes().expect(str(known.generation), "HGET", key, "generation")
        changes.expect(str(known.list_version) if known.list_version else "", "HGET", key, "list_version")
        changes.do("HSET", key, "list_version", known.list_version + 1)
        for channel in diff.removed:
            changes.do("HDEL", allow, f"{known.team}|{channel}|{known.connection}")
            changes.do("HDEL", coverage, *(f"{channel}|{name}" for name in FIELDS))
            changes.do("DEL", keys.threads(known.connection, channel))
        entry = json.dumps({"since": epoch, "version": known.list_version + 1})
        for channel in diff.added:
            changes.do("HSET", allow, f"{known.team}|{channel}|{known.connection}", entry)
            changes.do("HDEL", coverage, *(f"{channel}|{name}" for name in FIELDS))
            if start:
                changes.do(
                    "HSET",
                    coverage,
                    *(word for name in ("head", "tail", "start") for word in (f"{channel}|{name}", start)),
                )
            changes.do("HSET", coverage, f"{channel}|since", epoch)
        sync_status.wanted(changes, keys, known.connection)
        changes.do("HINCRBY", key, "metadata_wanted", 1)
        # Removals go to Paragon at once; additions wait a moment for the next click.
        changes.do("ZADD", keys.due, now(0 if diff.removed else DEBOUNCE_US), f"patch:{known.connection}")
        if diff.added:
            changes.do("ZADD", keys.due, now(DEBOUNCE_US), f"plan:{known.connection}")
        return changes

    def _records(self, org: str, known: Registration, allowed: Allowed, diff: Difference, epoch: int) -> list[Internal]:
        """Fences for what nobody allows any more; records of channels that have a new first allower."""
        team = known.team or ""
        records: list[Internal] = []
        for channel in diff.orphaned:
            records += retractions(team, channel, epoch, "revoked")
        new = {name: (known.connection, Allowance(epoch, known.list_version + 1)) for name in diff.added}
        firsts = {name: allowed.first(name) or new[name] for name in diff.added if not allowed.admits(name)}
        for name in diff.removed:
            if heir := allowed.first(name, without=known.connection):
                firsts[name] = heir
        for found in self._directory.channels(org, team, sorted(firsts)):
            records.append(allowed_record(found, *firsts[found.channel], epoch))
        return records


def allowed_record(found: AllowedSlackChannel, by: str, allowance: Allowance, epoch: int) -> AllowedSlackChannel:
    """A directory channel as the record of an allowed one: whose list holds it longest, since when."""
    return found.model_copy(
        update={
            "version": f"{epoch_digits(epoch)}{found.version[16:]}",
            "allowed_by": by,
            "allowed_at": allowance.since,
            "list_version": str(allowance.version),
        }
    )


def _entry(name: bytes, value: bytes) -> Entry:
    team, channel, connection = name.decode().split("|", 2)
    said = json.loads(value)
    return Entry(team, channel, connection, int(said["since"]), int(said["version"]))

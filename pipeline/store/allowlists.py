"""Allowlists: read by every batch, changed only together with the retractions that the change causes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.models import AllowedSlackChannel, Internal, Retraction
from pipeline.rules.allowlist import Allowance, Allowed, Difference, DropReason, Entry, difference, union
from pipeline.rules.identity import Records, is_direct
from pipeline.rules.versions import epoch_digits, version
from pipeline.store import audit, channel_pauses, dead_letters, effects, removals, sync_status
from pipeline.store.client import ask, ask_all
from pipeline.store.connections import Connections, Registration, with_epoch
from pipeline.store.directory import Directory
from pipeline.store.keys import Keys, Shards
from pipeline.store.progress import FIELDS
from pipeline.store.run_ends import RunEnds
from pipeline.store.scripts import Changes, now
from pipeline.store.vault import Vault

DEBOUNCE_US = 1_000_000
MOST_NOTED: Final = 100
"""Channels each way that the audit trail names; how many there were it says as well."""


class StaleListError(Exception):
    """`If-Match` named another version than the list has."""


class DirectMessagesError(Exception):
    """A list names direct messages, and these are not to be allowed: nobody in them was asked."""

    def __init__(self, channels: list[str]) -> None:
        super().__init__("direct messages")
        self.channels = channels


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
    """The allowlists of all organisations. `direct_messages`: whether IMs and MPIMs may be on them."""

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault, *, direct_messages: bool = False) -> None:
        self._client, self._shards, self._vault = client, shards, vault
        self.direct_messages = direct_messages
        self._connections = Connections(client, shards, vault)
        self._directory = Directory(client, shards, vault)
        self._run_ends = RunEnds(client, shards)

    def effective(self, org: str, team: str | None) -> Allowed:
        """The union of the live connections of this organisation and team; nothing where there is no team."""
        if not team:
            return Allowed()
        rows = ask(self._client, "HGETALL", self._shards.of_org(org).allow(org))
        return union((_entry(name, value) for name, value in rows.items()), team)

    def admissible(self, org: str, team: str | None, among: Iterable[str] = ()) -> Allowed:
        """The effective list with what is kept back of it now: paused channels and, `among` those named, direct
        messages where they are not to be allowed.
        """
        if not team:
            return Allowed()
        keys = self._shards.of_org(org)
        rows, paused = ask_all(self._client, [("HGETALL", keys.allow(org)), ("HGETALL", keys.paused_channels(org))])
        allowed = union((_entry(name, value) for name, value in rows.items()), team)
        reasons: dict[str, DropReason] = {
            pause.channel: "channel_paused" for pause in channel_pauses.read(org, paused) if pause.team == team
        }
        listed = [name for name in among if name in allowed.channels]
        for channel in self._direct(listed, {} if self.direct_messages else self._known(org, team, listed)):
            reasons.setdefault(channel, "direct_message")
        return allowed.without(reasons)

    def pullable(self, connection: str, team: str | None) -> list[str]:
        """Of the channels that this connection itself allows, those that Slack may be asked for now, sorted."""
        own = self.own(connection, team)
        allowed = self.admissible(split_connection(connection)[1], team, own)
        return [channel for channel in own if allowed.admits(channel)]

    def direct(self, connection: str, team: str | None, own: Iterable[str]) -> list[str]:
        """Of the channels that this connection allows, direct messages that are not to be allowed; sorted."""
        if self.direct_messages or not team:
            return []
        return sorted(self._direct(own, self._known(split_connection(connection)[1], team, own)))

    def refuses(self, record: AllowedSlackChannel) -> bool:
        """Whether it is a direct message, and these are not to be allowed."""
        return bool(self._direct([record.channel], {record.channel: record}))

    def _direct(self, channels: Iterable[str], known: Records) -> list[str]:
        """Which of them are direct messages, where these are not to be allowed."""
        return [] if self.direct_messages else [name for name in channels if is_direct(name, known.get(name))]

    def _known(self, org: str, team: str, channels: Iterable[str]) -> Records:
        return {found.channel: found for found in self._directory.channels(org, team, sorted(set(channels)))}

    def own(self, connection: str, team: str | None) -> list[str]:
        """The channels that this connection itself allows, sorted."""
        allowed = self.effective(split_connection(connection)[1], team)
        return sorted(channel for channel, allowers in allowed.channels.items() if connection in allowers)

    def put(self, connection: str, wanted: Sequence[str], *, if_match: int, by: str, since: int = 0) -> Change:
        """Replace a connection's own list, if it still has the version `if_match`.

        The channels that this adds are read back as far as `since` (microseconds; 0: to their beginning).

        Raises `StaleListError`, `DirectMessagesError`, or `Rejected` for a connection that is not live
        (`not_registered`) or whose team is not known yet (`no_team`).
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
            shown = self._shown(org, known, diff)
            if not (diff.added or diff.removed):
                done = Change(known.list_version, diff, None)
                return None
            changes = self._rewrite(keys, org, known, diff, epoch, since)
            fresh = [channel for channel in diff.added if channel not in allowed.channels]
            channel_pauses.start_anew(changes, keys, org, known.team or "", fresh, diff.orphaned, shown, epoch)
            records = self._records(known, allowed, diff, epoch, shown)
            receipt = self._effect(changes, keys, org, known, epoch, records, diff.orphaned) if records else None
            done = Change(known.list_version + 1, diff, receipt)
            facts = noted(known, diff.added, diff.removed)
            audit.note(changes, keys, "allowlist.changed", connection, by, epoch, **facts, since=since)
            return changes

        with_epoch(self._client, keys, org, build)
        assert done is not None  # noqa: S101 - build sets it or raises
        return done

    def _effect(
        self,
        changes: Changes,
        keys: Keys,
        org: str,
        known: Registration,
        epoch: int,
        records: Iterable[Internal],
        orphaned: Sequence[str],
    ) -> str:
        """What the mesh is told, and, of channels that nobody allows any more, what has to go here; its receipt."""
        receipt = effects.append(
            changes,
            keys,
            self._vault,
            connection=known.connection,
            generation=known.generation,
            epoch=epoch,
            records=records,
        )
        if orphaned:
            dead_letters.look_again(changes, keys, org, epoch)
            places = [f"{known.team}|{channel}" for channel in orphaned]
            removals.begin(changes, keys, receipt, "allowlist", known.connection, epoch, places)
        return receipt

    def _shown(self, org: str, known: Registration, diff: Difference) -> Records:
        """The directory's records of what changes. Raises `DirectMessagesError`."""
        shown = self._known(org, known.team or "", [*diff.added, *diff.removed])
        if direct := self._direct(diff.added, shown):
            raise DirectMessagesError(direct)
        return shown

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
        if diff.removed:
            self._run_ends.revoke(changes, keys, known.connection, diff.removed)
        entry = json.dumps({"since": epoch, "version": known.list_version + 1})
        for channel in diff.added:
            changes.do("HSET", allow, f"{known.team}|{channel}|{known.connection}", entry)
            changes.do("HDEL", coverage, *(f"{channel}|{name}" for name in FIELDS))
            if start:
                changes.do("HSET", coverage, f"{channel}|start", start)
            changes.do("HSET", coverage, f"{channel}|since", epoch)
        sync_status.wanted(changes, keys, known.connection)
        changes.do("HINCRBY", key, "metadata_wanted", 1)
        # Removals go to Paragon at once; additions wait a moment for the next click, and put off no removal.
        due = ask(self._client, "ZSCORE", keys.due, f"patch:{known.connection}")
        at_once = diff.removed or (due is not None and float(due) <= epoch)
        changes.do("ZADD", keys.due, now(0 if at_once else DEBOUNCE_US), f"patch:{known.connection}")
        if diff.added:
            changes.do("ZADD", keys.due, now(DEBOUNCE_US), f"plan:{known.connection}")
        return changes

    def _records(
        self, known: Registration, allowed: Allowed, diff: Difference, epoch: int, shown: Records
    ) -> list[Internal]:
        """Fences for what nobody allows any more; records of channels that have a new first allower."""
        team = known.team or ""
        records: list[Internal] = []
        for channel in diff.orphaned:
            records += retractions(team, channel, epoch, "revoked")
        new = {name: (known.connection, Allowance(epoch, known.list_version + 1)) for name in diff.added}
        firsts = {name: allowed.first(name) or new[name] for name in diff.added if not allowed.admits(name)}
        firsts |= _heirs(allowed, known.connection, diff.removed)
        records += [allowed_record(shown[name], *firsts[name], epoch) for name in sorted(firsts) if name in shown]
        return records

    def handed_on(self, org: str, known: Registration, epoch: int) -> list[AllowedSlackChannel]:
        """The records of channels that others go on allowing when this connection has ended, in their names."""
        heirs = _heirs(self.effective(org, known.team), known.connection, self.own(known.connection, known.team))
        shown = self._known(org, known.team or "", heirs)
        return [allowed_record(shown[name], *heirs[name], epoch) for name in sorted(shown)]


def _heirs(allowed: Allowed, connection: str, removed: Iterable[str]) -> dict[str, tuple[str, Allowance]]:
    """Who allows each of the channels longest without this connection, where somebody does."""
    found = {name: allowed.first(name, without=connection) for name in removed}
    return {name: heir for name, heir in found.items() if heir is not None}


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


def noted(known: Registration, added: Sequence[str], removed: Sequence[str]) -> dict[str, Any]:
    """What the audit trail says of a change: from which version to which, how many channels, and the first of them."""
    return {
        "from": known.list_version,
        "to": known.list_version + 1,
        "added": len(added),
        "removed": len(removed),
        "channels_added": added[:MOST_NOTED],
        "channels_removed": removed[:MOST_NOTED],
    }


def _entry(name: bytes, value: bytes) -> Entry:
    team, channel, connection = name.decode().split("|", 2)
    said = json.loads(value)
    return Entry(team, channel, connection, int(said["since"]), int(said["version"]))

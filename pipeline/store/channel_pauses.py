"""Channels that are not read for now: changed behind the list's back (`pipeline.rules.identity`), or paused by hand.

A pause is of an organisation and team, whichever connection reads the channel, and of one reason; it is written by the
settle of the page that showed why. The baseline of a channel lies beside it, from its first allow to its last.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

import redis

from pipeline.events import ChannelPaused
from pipeline.models import AllowedSlackChannel
from pipeline.rules.allowlist import Allowed
from pipeline.rules.identity import REASONS, Baseline, Earlier, Evidence, Judgement, PauseReason, Records, judge, twins
from pipeline.store import audit, counters
from pipeline.store.client import ask, ask_all
from pipeline.store.directory import Directory
from pipeline.store.events import Events
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes
from pipeline.store.vault import Vault

BY: Final = "sluice"
COUNTER: Final = "paused"
_NOTHING: Final = Judgement()


@dataclass(frozen=True, slots=True)
class ChannelPause:
    """Why a channel is not read, and since when (microseconds). `new_id` is what its id seems to have changed to."""

    org: str
    team: str
    channel: str
    reason: PauseReason
    at: int
    new_id: str | None = None
    by: str = BY


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement, and what it was made on: it is written only as long as that holds."""

    org: str
    team: str
    allowed: Allowed
    judgement: Judgement = _NOTHING
    rows: Mapping[str, bytes | None] = field(default_factory=dict)


class ChannelPauses:
    """The paused channels of all organisations."""

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault) -> None:
        self._client, self._shards = client, shards
        self._directory = Directory(client, shards, vault)

    def of(self, org: str, team: str | None) -> dict[str, list[ChannelPause]]:
        """The paused channels of a team, each with what holds it back."""
        found: dict[str, list[ChannelPause]] = {}
        for pause in read(org, ask(self._client, "HGETALL", self._shards.of_org(org).paused_channels(org))):
            if pause.team == team:
                found.setdefault(pause.channel, []).append(pause)
        return found

    def judge(
        self,
        org: str,
        team: str,
        allowed: Allowed,
        notices: Collection[Evidence],
        seen: list[AllowedSlackChannel],
        earlier: Earlier,
    ) -> Judged:
        """What notices and directory records of one batch show of the channels on the list, paused ones included."""
        if not allowed.channels or not (notices or seen):
            return Judged(org, team, allowed)
        listed = sorted(allowed.channels)
        known = {found.channel: found for found in self._directory.channels(org, team, listed)} if seen else {}
        renamed = sorted({record.channel for record in seen if twins(record, known, earlier)})
        known |= {found.channel: found for found in self._directory.channels(org, team, renamed)}
        rows = ask(self._client, "HMGET", self._shards.of_org(org).baselines(org), *(f"{team}|{one}" for one in listed))
        baselines = {name: baseline_of(row) for name, row in zip(listed, rows, strict=True)}
        judgement = judge(notices, seen, known, baselines, earlier)
        return Judged(org, team, allowed, judgement, dict(zip(listed, rows, strict=True)))

    def write(self, changes: Changes, events: Events, judged: Judged, now: int) -> None:
        """Make a judgement part of a settle. What is paused already, was answered meanwhile, or is on no list any more
        is left out of it, with all that belongs to it.
        """
        for evidence in judged.judgement.pauses:
            changes.when(self._pause(changes.part(), events, judged, evidence, now))
        for channel in judged.judgement.settled:
            row = judged.rows[channel]
            part = changes.part()
            keys = self._unanswered(part, judged, channel)
            keep(part, keys, judged.org, judged.team, channel, Baseline(False, now, baseline_of(row).at))
            changes.when(part)

    def _pause(self, part: Changes, events: Events, judged: Judged, evidence: Evidence, now: int) -> Changes:
        org, team, channel = judged.org, judged.team, evidence.channel
        keys = self._unanswered(part, judged, channel)
        pause = ChannelPause(org, team, channel, evidence.change, now, evidence.new_id)
        put(part, keys, pause)
        counters.add(part, keys, {f"{COUNTER}.{pause.reason}": 1})
        for connection in sorted(judged.allowed.channels[channel]):
            facts = {"channel": channel, "reason": pause.reason, "new_id": pause.new_id}
            audit.note(part, keys, "channel.paused", connection, BY, now, **facts)
            told = {"connection": connection, "team": team, "channel": channel}
            events.append(part, keys, ChannelPaused(at=now, reason=evidence.change, to=pause.new_id, **told))
        return part

    def _unanswered(self, part: Changes, judged: Judged, channel: str) -> Keys:
        """Hold a part to what was read when it was judged; lists from before there were baselines, to the list."""
        keys, name, row = self._shards.of_org(judged.org), f"{judged.team}|{channel}", judged.rows[channel]
        part.expect(row or "", "HGET", keys.baselines(judged.org), name)
        first = judged.allowed.first(channel)
        if row is None and first is not None:
            part.expect(1, "HEXISTS", keys.allow(judged.org), f"{name}|{first[0]}")
        return keys


def put(changes: Changes, keys: Keys, pause: ChannelPause) -> None:
    """Pause a channel as part of a change, which does not happen where it is paused for this reason already."""
    name = f"{pause.team}|{pause.channel}|{pause.reason}"
    said = {"at": pause.at, "by": pause.by} | ({"new_id": pause.new_id} if pause.new_id else {})
    changes.expect(0, "HEXISTS", keys.paused_channels(pause.org), name)
    changes.do("HSET", keys.paused_channels(pause.org), name, json.dumps(said)).do("SADD", keys.asking, pause.org)


def lift(
    changes: Changes, keys: Keys, org: str, team: str, channel: str, reasons: Iterable[PauseReason] = REASONS
) -> None:
    """End the pauses of a channel, or those for some reasons, as part of a change."""
    changes.do("HDEL", keys.paused_channels(org), *(f"{team}|{channel}|{reason}" for reason in reasons))


def keep(changes: Changes, keys: Keys, org: str, team: str, channel: str, baseline: Baseline) -> None:
    """Write what is known of a channel that somebody says yes to, as part of a change."""
    changes.do("HSET", keys.baselines(org), f"{team}|{channel}", json.dumps(baseline._asdict()))


def forget(changes: Changes, keys: Keys, org: str, team: str, channel: str) -> None:
    """Nobody allows the channel any more: end its pauses, and what was known of it, as part of a change."""
    lift(changes, keys, org, team, channel)
    changes.do("HDEL", keys.baselines(org), f"{team}|{channel}")


def start_anew(
    changes: Changes,
    keys: Keys,
    org: str,
    team: str,
    fresh: Iterable[str],
    orphaned: Iterable[str],
    shown: Records,
    epoch: int,
) -> None:
    """Channels that nobody allowed before are allowed as the directory shows them; with the last allower all ends."""
    for channel in orphaned:
        forget(changes, keys, org, team, channel)
    for channel in fresh:
        forget(changes, keys, org, team, channel)
        external = shown[channel].is_ext_shared if channel in shown else None
        keep(changes, keys, org, team, channel, Baseline(external, epoch, epoch))


def listing(client: redis.Redis, shards: Shards) -> list[ChannelPause]:
    """Every pause of every organisation."""
    members = ask_all(client, [("SMEMBERS", keys.asking) for keys in shards.all()])
    orgs = sorted(name.decode() for row in members for name in row)
    rows = ask_all(client, [("HGETALL", shards.of_org(org).paused_channels(org)) for org in orgs])
    return [pause for org, row in zip(orgs, rows, strict=True) for pause in read(org, row)]


def read(org: str, rows: Mapping[bytes, bytes]) -> list[ChannelPause]:
    """The pauses of one organisation, sorted."""
    found = []
    for name, value in rows.items():
        team, channel, reason = name.decode().split("|", 2)
        found.append(ChannelPause(org, team, channel, cast("PauseReason", reason), **json.loads(value)))
    return sorted(found, key=lambda pause: (pause.team, pause.channel, pause.reason))


def baseline_of(row: bytes | None) -> Baseline:
    """A baseline as it is stored."""
    return Baseline() if row is None else Baseline(**json.loads(row))

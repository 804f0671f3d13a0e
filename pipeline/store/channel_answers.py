"""A person's word on a channel: pause it by hand, or let it be read again."""

from collections.abc import Iterator
from dataclasses import dataclass

import redis

from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.rules.identity import Baseline
from pipeline.store import audit, counters, effects
from pipeline.store.allowlists import Allowlists, allowed_record
from pipeline.store.channel_pauses import COUNTER, ChannelPause, ChannelPauses, baseline_of, keep, lift, put
from pipeline.store.client import ask
from pipeline.store.connections import Connections, Registration, with_epoch
from pipeline.store.directory import Directory
from pipeline.store.keys import Keys, Shards
from pipeline.store.runs import MARKS, Runs
from pipeline.store.scripts import Changes, Word, now
from pipeline.store.vault import Vault


class CannotResumeError(Exception):
    """A pause that this answer does not end."""

    def __init__(self, pause: ChannelPause) -> None:
        super().__init__(pause.reason)
        self.pause = pause


@dataclass(frozen=True, slots=True)
class _Asked:
    """The channel that somebody answers for."""

    keys: Keys
    org: str
    team: str
    channel: str


class ChannelAnswers:
    """Pausing and resuming single channels, of all organisations."""

    def __init__(self, client: redis.Redis, shards: Shards, vault: Vault) -> None:
        self._client, self._shards, self._vault = client, shards, vault
        self._allowlists = Allowlists(client, shards, vault)
        self._pauses = ChannelPauses(client, shards, vault)
        self._connections = Connections(client, shards, vault)
        self._directory = Directory(client, shards, vault)
        self._runs = Runs(client, shards, overdue_us=0)  # it only reads runs here

    def pause(self, connection: str, channel: str, *, by: str) -> bool:
        """Pause a channel by hand; False where it was paused by hand already.

        Raises `Rejected`: not_registered, no_team, not_allowed (it is on no list of the team).
        """
        done = False

        def build(epoch: int) -> Changes | None:
            nonlocal done
            known, asked = self._asked(connection, channel)
            if any(pause.reason == "operator" for pause in self._paused(asked)):
                return None
            changes = self._guarded(asked, known)
            put(changes, asked.keys, ChannelPause(asked.org, asked.team, channel, "operator", epoch, by=by))
            counters.add(changes, asked.keys, {f"{COUNTER}.operator": 1})
            audit.note(changes, asked.keys, "channel.paused", connection, by, epoch, channel=channel, reason="operator")
            done = True
            return changes

        with_epoch(self._client, self._shards.of(connection), split_connection(connection)[1], build)
        return done

    def resume(self, connection: str, channel: str, *, by: str, operator: bool) -> list[ChannelPause]:
        """End every pause of a channel: its sharing is confirmed, its record delivered, its open windows are asked for
        at once. What was ended; nothing where it was not paused. Only an `operator` ends an operator's pause.

        Raises `CannotResumeError` (another id is another channel: the list has to name it), and as `pause`.
        """
        ended: list[ChannelPause] = []

        def build(epoch: int) -> Changes | None:
            nonlocal ended
            known, asked = self._asked(connection, channel)
            ended = self._paused(asked)
            for pause in ended:
                if pause.reason == "id_changed" or (pause.reason == "operator" and not operator):
                    raise CannotResumeError(pause)
            return self._resumed(asked, known, ended, epoch, by) if ended else None

        with_epoch(self._client, self._shards.of(connection), split_connection(connection)[1], build)
        return ended

    def _asked(self, connection: str, channel: str) -> tuple[Registration, _Asked]:
        known, org = self._connections.get(connection), split_connection(connection)[1]
        if known is None or not known.live:
            raise Rejected("not_registered")
        if known.team is None:
            raise Rejected("no_team")
        if not self._allowlists.effective(org, known.team).admits(channel):
            raise Rejected("not_allowed")
        return known, _Asked(self._shards.of(connection), org, known.team, channel)

    def _paused(self, asked: _Asked) -> list[ChannelPause]:
        return self._pauses.of(asked.org, asked.team).get(asked.channel, [])

    def _guarded(self, asked: _Asked, known: Registration) -> Changes:
        """Only while the connection is the one that was looked at, and somebody still allows the channel."""
        first = self._allowlists.effective(asked.org, asked.team).first(asked.channel)
        changes = Changes().expect(known.generation, "HGET", asked.keys.connection(known.connection), "generation")
        name = f"{asked.team}|{asked.channel}|{first[0] if first else ''}"
        return changes.expect(1, "HEXISTS", asked.keys.allow(asked.org), name)

    def _resumed(self, asked: _Asked, known: Registration, ended: list[ChannelPause], epoch: int, by: str) -> Changes:
        keys, org, team, channel = asked.keys, asked.org, asked.team, asked.channel
        changes = self._guarded(asked, known)
        for pause in ended:
            changes.expect(1, "HEXISTS", keys.paused_channels(org), f"{team}|{channel}|{pause.reason}")
        reasons = [pause.reason for pause in ended]
        lift(changes, keys, org, team, channel, reasons)  # and none that a page brings at this moment
        if "shared_externally" in reasons:
            keep(changes, keys, org, team, channel, Baseline(external=True, external_at=epoch, at=self._since(asked)))
        for found in self._others(asked):
            self._ask_again(changes, keys, found, channel)
        self._deliver_record(changes, asked, known, epoch)
        audit.note(changes, keys, "channel.resumed", known.connection, by, epoch, channel=channel, reasons=reasons)
        return changes

    def _since(self, asked: _Asked) -> int:
        """Confirming the sharing says nothing of the id: what is known of that stays."""
        row = ask(self._client, "HGET", asked.keys.baselines(asked.org), f"{asked.team}|{asked.channel}")
        return baseline_of(row).at

    def _others(self, asked: _Asked) -> Iterator[str]:
        """Every live connection of the organisation that reads this team."""
        for name in sorted(ask(self._client, "SMEMBERS", asked.keys.connections)):
            connection = name.decode()
            if split_connection(connection)[1] != asked.org:
                continue
            found = self._connections.get(connection)
            if found is not None and found.live and found.team == asked.team:
                yield connection

    def _ask_again(self, changes: Changes, keys: Keys, connection: str, channel: str) -> None:
        """Make the open windows that wait for this channel due, with all their tries before them, and plan what came
        since.

        Pages that were dropped under the pause cost tries: they are no sign that asking is in vain. A trigger that is
        being posted right now left the channel out; the state keeps its answer from putting the window off.
        """
        changes.do("ZADD", keys.due, "LT", now(), f"plan:{connection}")
        names = ask(self._client, "HMGET", keys.coverage(connection), *(f"{channel}|{mark}" for mark in MARKS.values()))
        for run in filter(None, (self._runs.get(name.decode()) for name in names if name)):
            if not run.open:
                continue
            again: dict[str, Word] = {"state": "blocked", "ask_at": 0, "failed": run.attempt, "reason": "resumed"}
            changes.expect(run.attempt, "HGET", keys.run(run.id), "attempt").hset(keys.run(run.id), again)
            changes.do("HDEL", keys.run(run.id), "progress").do("ZADD", keys.due, now(), f"{run.item}:{run.id}")

    def _deliver_record(self, changes: Changes, asked: _Asked, known: Registration, epoch: int) -> None:
        """The channel's own record was kept back as well: it goes out as the directory shows the channel now."""
        first = self._allowlists.effective(asked.org, asked.team).first(asked.channel)
        found = next(self._directory.channels(asked.org, asked.team, [asked.channel]), None)
        if first is None or found is None:
            return
        effects.append(
            changes,
            asked.keys,
            self._vault,
            connection=known.connection,
            generation=known.generation,
            epoch=epoch,
            records=[allowed_record(found, *first, epoch)],
        )

"""The ledger: every requested window, what its pages have proved, and how far each channel is covered."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import redis

from pipeline.rules.coverage import Proof, proof
from pipeline.rules.regimes import STANDARD, Regime, of_limit
from pipeline.rules.rereading import Day, days_within
from pipeline.rules.showing import Tally
from pipeline.rules.windows import DAY_US, FIRST_STEP_US, extend, half, next_step, plan_back, plan_live
from pipeline.store import sync_status
from pipeline.store.client import ask, ask_all, clock
from pipeline.store.events import Events
from pipeline.store.keys import Keys, Shards
from pipeline.store.ledger_events import tell_backfilled
from pipeline.store.progress import LIMITED, Channel, Channels, Days, pack, put, still_hidden, stretch, unpack
from pipeline.store.rereads import Rereads
from pipeline.store.runs import Run, Runs, Wanted
from pipeline.store.scripts import Changes, now
from pipeline.store.vault import Vault

FACTS_KEPT_SECONDS: Final = 30 * 24 * 3600
_MARK_GONE: Final = 1
"""The guard that fails where a channel does not wait for the run any more: somebody else was faster."""


class Ledger:
    """Runs and coverage of all connections. `events` tells the core service of them; without `delivers` (shadow) what
    was read is not in the mesh, and nobody is told that it is.
    """

    def __init__(
        self,
        client: redis.Redis,
        shards: Shards,
        vault: Vault,
        *,
        overdue_us: int,
        reread_days: int = 7,
        events: Events | None = None,
        delivers: bool = True,
    ) -> None:
        self._client, self._shards, self._days = client, shards, reread_days
        self._events, self._delivers = events, delivers
        self.runs = Runs(client, shards, overdue_us=overdue_us, events=events)
        self.channels = Channels(client, shards)
        self.rereads = Rereads(client, shards, vault, self.runs, self.channels, reread_days)

    def plan(
        self,
        connection: str,
        team: str,
        channels: Sequence[str],
        at: int,
        regime: Regime = STANDARD,
        *,
        fresh: int = 0,
    ) -> list[str]:
        """Request what is not covered and not asked for yet; the ids of the new runs. Safe to repeat.

        Live windows are all asked for, if they are at least `fresh` microseconds long; what is older only as far as the
        regime has places for it.
        """
        standing = self.channels.read(connection, channels)
        progress = [channel.progress for channel in standing]
        live = [Wanted("live", *one) for one in plan_live(progress, at, regime) if one.latest - one.oldest >= fresh]
        made = self._request(connection, team, live, standing, at)
        open_ = {run for one in standing for kind in ("back", "re", "th") if (run := one.fields.get(kind))}
        room = max(regime.flights - self.runs.going(open_), 0)
        later = [Wanted("back", *window) for window in plan_back(progress, regime)]
        later += self.rereads.wanted(connection, team, standing, at, regime) if len(later) < room else []
        made += self._request(connection, team, later[:room], standing, at)
        if made:
            self.runs.trim(connection)
        return made

    def _request(
        self, connection: str, team: str, wanted: Iterable[Wanted], standing: Sequence[Channel], at: int
    ) -> list[str]:
        """Only while what it was planned from still stands: a window that was covered meanwhile is not asked twice."""
        coverage, made = self._shards.of(connection).coverage(connection), []
        fields = {one.name: one.fields for one in standing}
        for one in wanted:
            changes, side = Changes(), "tail" if one.kind == "back" else "head"
            for channel in one.channels:
                changes.expect(fields[channel].get(side, ""), "HGET", coverage, f"{channel}|{side}")
            if name := self.runs.request(connection, team, one, at, changes):
                made.append(name)
        return made

    def halve(self, found: Run, at: int) -> bool:
        """Ask for half of a window that several attempts could not bring whole; what is left follows by itself.

        What still comes of the whole is delivered, but proves nothing any more. False for what is not to be halved.
        """
        keys = self._shards.of(found.connection)
        standing = self.channels.read(found.connection, found.channels)
        waiting = [one for one in standing if one.fields.get(found.mark) == found.id]
        # What was never read has no head yet: its first window is a slice like those of the backfill.
        sides = {found.kind == "live" and one.covered is not None for one in waiting}
        part = half(found.oldest, found.latest, older=sides == {True}) if len(sides) == 1 else None
        if part is None or found.kind not in ("live", "back"):
            return False
        changes = self.runs.close(found, "halved")
        for one in waiting:
            changes.expect(found.id, "HGET", keys.coverage(found.connection), f"{one.name}|{found.mark}")
        wanted = Wanted(found.kind, *part, [one.name for one in waiting])
        self.runs.add(changes, keys, found.connection, found.team, wanted, at)
        step = part[1] - part[0]
        for one in waiting:
            changes.do("HSET", keys.coverage(found.connection), f"{one.name}|step", step)
        return changes.commit(self._client) == 0

    def counted_since(self, epoch: int) -> int:
        """From when on (microseconds) what an attempt shows is counted by day: the days that will be read again."""
        return (epoch // DAY_US - self._days - 1) * DAY_US

    def get(self, name: str) -> Run | None:
        """A run by id, or None for one that is unknown or malformed."""
        return self.runs.get(name)

    def page(self, changes: Changes, keys: Keys, found: Run, attempt: int, facts: Sequence[str], dead: int) -> None:
        """Write a delivered page of an open run as part of the settle that ends it."""
        if facts:
            key = keys.facts(found.id, attempt)
            changes.hset(key, dict.fromkeys(facts, ""))
            changes.do("EXPIRE", key, FACTS_KEPT_SECONDS)
        changes.do("HINCRBY", keys.run(found.id), "pages", 1)
        if dead:
            changes.do("HINCRBY", keys.run(found.id), "dead", dead)
        seen = clock(self._client)  # looks and due times are the store's, whatever this machine's clock says
        changes.do("HSET", keys.run(found.id), "progress", seen)
        self.runs.fly(changes, keys, found, seen)
        changes.do("SADD", keys.touched, found.id)

    def touched(self, keys: Keys) -> list[str]:
        """Runs of this shard that had pages since they were last looked at."""
        return [name.decode() for name in ask(self._client, "SMEMBERS", keys.touched)]

    def look(self, keys: Keys, name: str) -> list[str]:
        """See what the run's pages prove; the channels that are newly covered. Safe to repeat."""
        found = self.get(name)
        if found is None or not found.open:
            ask(self._client, "SREM", keys.touched, name)
            return []
        proofs = self._proofs(keys, found)
        done, later = [], False
        for channel in self._waiting(keys, found):
            proved = next(((n, p) for n, facts in proofs if (p := _proof(facts, channel, found))), None)
            if proved is None:
                continue
            if self._take(keys, found, channel, *proved):
                done.append(channel)
            else:
                later = True
        # Read once more: what another looker's change came in the way of is still waited for.
        if not self._waiting(keys, found):
            self._close(keys, name)
        if not later:
            # Last, and only if no page came meanwhile: a look that dies half-way is taken again.
            untouched = Changes().expect(found.pages or "", "HGET", keys.run(name), "pages")
            untouched.do("SREM", keys.touched, name).commit(self._client)
        return done

    def _waiting(self, keys: Keys, found: Run) -> list[str]:
        """The channels that have not got the run's window yet; none comes back once it has left."""
        marks = (f"{channel}|{found.mark}" for channel in found.channels)
        state = ask(self._client, "HMGET", keys.coverage(found.connection), *marks)
        return [one for one, name in zip(found.channels, state, strict=True) if name == found.id.encode()]

    def _proofs(self, keys: Keys, found: Run) -> list[tuple[int, list[str]]]:
        """The facts of each attempt, the newest first."""
        numbers = range(found.attempt, 0, -1)
        rows = ask_all(self._client, [("HGETALL", keys.facts(found.id, n)) for n in numbers])
        return [(n, [fact.decode() for fact in row]) for n, row in zip(numbers, rows, strict=True)]

    def _take(self, keys: Keys, found: Run, channel: str, number: int, proved: Proof) -> bool:
        """Write what an attempt has proved of a channel. False: it is to be looked at again."""
        if found.kind in ("reread", "thread"):
            return self.rereads.judge(keys, found, channel, number, proved)
        return self._cover(keys, found, channel, proved)

    def _cover(self, keys: Keys, found: Run, channel: str, proved: Proof) -> bool:
        """Put the window to the channel's stretch, with what its days and threads showed. False: something else of the
        channel changed meanwhile, look again.
        """
        coverage = keys.coverage(found.connection)
        changes = Changes().expect(found.id, "HGET", coverage, f"{channel}|{found.mark}")
        names = ("head", "tail", "start", "step", "days", LIMITED)
        head, tail, start, step, packed, hidden = self.channels.guarded(changes, keys, found.connection, channel, names)
        before = stretch(head, tail, start)
        after = extend(before, found.oldest, found.latest)
        days, kept = unpack(packed), self.counted_since(found.epoch or 0) // DAY_US
        if after != before:
            days = _with(days, proved, days_within(found.oldest, found.latest, kept), found.requested_at)
        sliced = found.latest - found.oldest >= int(step or FIRST_STEP_US)
        fields = {"head": str(after.head), "tail": str(after.tail), "days": pack(days, kept), "last": found.id}
        fields |= _pace(found, proved, step, sliced=sliced, complete=after.tail <= int(start or 0))
        fields[LIMITED] = still_hidden(hidden, found, proved, after.tail)
        put(changes, coverage, channel, fields)
        if LIMITED in proved.flaws:
            changes.do("HSET", keys.run(found.id), "reason", LIMITED)
        changes.do("HDEL", coverage, f"{channel}|{found.mark}")
        if min(days, default=kept) < kept:  # a day has gone out of what is read again, and its threads with it
            self.rereads.forget(changes, keys, found.connection, channel, kept * DAY_US)
        self.rereads.remember(changes, keys, found, channel, proved.threads, kept * DAY_US)
        self.rereads.later(changes, keys, found, channel, proved.threads)
        if after.tail > int(start or 0) or sliced:
            changes.do("ZADD", keys.due, "LT", now(), f"plan:{found.connection}")
        finished = after.tail <= int(start or 0) and (before is None or before.tail > int(start or 0))
        if self._events and self._delivers and finished:
            tell_backfilled(self._events, changes, keys, found, channel, after.head, clock(self._client))
        sync_status.wanted(changes, keys, found.connection)
        return changes.commit(self._client) in (0, _MARK_GONE)

    def _close(self, keys: Keys, name: str) -> None:
        """Nothing of it is wanted any more: covered, or, where everything was revoked before it was, cancelled.

        Whoever asks again or fails to changes its state meanwhile: it is read anew until it stands still.
        """
        while (found := self.get(name)) is not None and found.open:
            held = [field for field in ask(self._client, "HKEYS", keys.run(name)) if field.startswith(b"held:")]
            state = "held" if held else "covered" if self._anything(keys, found) else "cancelled"
            if self.runs.close(found, state, keep_facts=bool(held)).commit(self._client) == 0:
                return

    def _anything(self, keys: Keys, found: Run) -> bool:
        """Whether any channel of the run is still there and, if that moves its head, has come as far as its window."""
        field, least = ("head", found.latest) if found.kind in ("live", "back") else ("since", 0)
        key, names = keys.coverage(found.connection), (f"{channel}|{field}" for channel in found.channels)
        return any(int(value or -1) >= least for value in ask(self._client, "HMGET", key, *names))

    def coverage(self, connection: str) -> dict[str, dict[str, Any]]:
        """Channel → head, tail and start (microseconds), open runs, allowed since."""
        return self.channels.shown(connection)


def _pace(found: Run, proved: Proof, step: str, *, sliced: bool, complete: bool) -> dict[str, str]:
    """How long the next slice is, and what this one took. Of a channel that is read to its start only a step stays that
    is shorter than the first one: there are many of these channels, and nobody reckons with it.
    """
    length, cost = int(step or FIRST_STEP_US), {}
    if sliced or found.kind == "back":
        length = next_step(length, proved.pages, of_limit(found.limit))
        cost = {"cost": f"{proved.pages}:{found.latest - found.oldest}"}
    if complete:
        return {"step": str(length) if length < FIRST_STEP_US else "", "cost": ""}
    return {"step": str(length), **cost}


def _with(days: Days, proved: Proof, whole: range, at: int) -> Days:
    """What was known of days with what a window that was not read before showed of them; `whole` lie inside it."""
    found = dict(days)
    for day in whole:
        found[day] = Day(Tally(), at)
    for day, tally in proved.days.items():
        known = found.get(day, Day(Tally()))
        found[day] = Day((known.tally or Tally()).plus(tally), known.read_at)
    return found


def _proof(facts: Sequence[str], channel: str, found: Run) -> Proof | None:
    return proof(facts, channel, replies=found.replies, thread=found.thread_ts)

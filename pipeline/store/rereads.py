"""Re-reading: days and threads that are read again, and the fences that end what they do not show any more."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import redis

from pipeline.models import Retraction
from pipeline.rules.coverage import Proof, proof
from pipeline.rules.regimes import Regime, of_limit
from pipeline.rules.rereading import Day, cycle, ended, moved, plan_again, verdict
from pipeline.rules.showing import Tally, Thread
from pipeline.rules.versions import ts_us
from pipeline.rules.windows import DAY_US, FIRST_STEP_US, SETTLING_US, next_step, slice_before
from pipeline.store import audit, counters
from pipeline.store.client import ask, clock
from pipeline.store.keys import Keys, Shards
from pipeline.store.looks import Look, Looks
from pipeline.store.missed import Missed
from pipeline.store.progress import LIMITED, Channel, Channels, pack, put, still_hidden, unpack, wish
from pipeline.store.reading import Reading, spread
from pipeline.store.runs import Run, Runs, Wanted
from pipeline.store.scripts import Changes, now
from pipeline.store.threads import began, place, read, value
from pipeline.store.vault import Vault
from pipeline.store.wishes import Wishes, doubt, send, write

_log = logging.getLogger(__name__)
_MOVED_AT_ONCE: Final = 1000
_MARK_GONE: Final = 1
"""The guard that fails where a channel does not wait for the run any more: somebody else was faster."""


class Rereads:
    """What is read again, and what follows from it."""

    def __init__(
        self, client: redis.Redis, shards: Shards, vault: Vault, runs: Runs, channels: Channels, days: int
    ) -> None:
        self._client, self._shards, self._vault = client, shards, vault
        self._runs, self._channels, self._days = runs, channels, days
        self._wishes = Wishes(client, shards, vault)
        self.looks, self.missed = Looks(client, shards), Missed(client, shards, runs, channels)

    def wanted(self, connection: str, team: str, standing: Sequence[Channel], at: int, regime: Regime) -> list[Wanted]:
        """What somebody asked to read again, then threads that moved, then days that are due for it."""
        keys = self._shards.of(connection)
        moved_ = [one.decode() for one in ask(self._client, "ZRANGE", keys.moved(connection), 0, _MOVED_AT_ONCE - 1)]
        if len(moved_) < _MOVED_AT_ONCE:
            left = {member.partition("|")[0] for member in moved_}
            self._wishes.fulfil(connection, team, (one for one in standing if one.name not in left))
        asked = [self._deep(one) for one in standing if "re" not in one.fields and one.deep and not one.deep.read]
        threads = self._threads(keys, connection, standing, moved_, at)
        since = cycle(at, spread(connection))
        stale = [one.stale for one in standing if one.deep is None]
        days = [Wanted("reread", *window, replies=False) for window in plan_again(stale, at, self._days, since, regime)]
        return asked + threads + days

    def _deep(self, one: Channel) -> Wanted:
        low, high = (one.deep.low, one.deep.high) if one.deep else (0, 0)
        step = int(one.fields.get("step", FIRST_STEP_US))
        return Wanted("reread", slice_before(high, step, low), high, [one.name])

    def _threads(
        self, keys: Keys, connection: str, standing: Sequence[Channel], moved_: Sequence[str], at: int
    ) -> list[Wanted]:
        """The longest waiting threads, one a channel at a time."""
        names, free = {one.name for one in standing}, {one.name for one in standing if "th" not in one.fields}
        wanted = []
        for member in moved_:
            channel, _, thread = member.partition("|")
            if channel not in names:
                self._revoked(keys, connection, channel, member)
            elif channel in free:
                free.discard(channel)
                wanted.append(Wanted("thread", 0, at - SETTLING_US, [channel], thread_ts=thread))
        return wanted

    def _revoked(self, keys: Keys, connection: str, channel: str, member: str) -> None:
        """Forget a thread of a channel that is not allowed any more; that of one which is only paused waits."""
        gone = Changes().expect("", "HGET", keys.coverage(connection), f"{channel}|since")
        gone.do("ZREM", keys.moved(connection), member).commit(self._client)

    def again(self, connection: str, channels: Iterable[str], since: int, *, by: str) -> list[str]:
        """Have what is covered of these channels from `since` on read again whole (`Wishes.make`)."""
        return self._wishes.make(connection, self._channels.read(connection, list(channels)), since, by=by)

    def later(self, changes: Changes, keys: Keys, found: Run, channel: str, threads: Mapping[str, Thread]) -> None:
        """Replies are read as far as the window goes: threads that went on after it are to be read on their own."""
        for ts, thread in threads.items():
            if thread.latest and ts_us(thread.latest) > found.latest:
                changes.do("ZADD", keys.moved(found.connection), "NX", found.requested_at, f"{channel}|{ts}")

    def remember(
        self, changes: Changes, keys: Keys, found: Run, channel: str, threads: Mapping[str, Thread], since: int
    ) -> None:
        """Keep how far threads that began after `since` have come, having been read."""
        fields = {place(ts): value(ts, thread) for ts, thread in threads.items() if ts_us(ts) >= since}
        if fields:
            changes.hset(keys.threads(found.connection, channel), fields)

    def forget(self, changes: Changes, keys: Keys, connection: str, channel: str, since: int) -> None:
        """Keep nothing of threads that began before `since`: nobody holds them against anything any more."""
        threads = keys.threads(connection, channel)
        for field in ask(self._client, "HKEYS", threads):
            if ts_us(began(field.decode())) < since:
                changes.do("HDEL", threads, field)

    def judge(self, keys: Keys, found: Run, channel: str, number: int, proved: Proof) -> bool:
        """What a complete reading means for a channel: written with its fences. False: it cannot be told yet.

        A reading under two credentials may have seen two different people's Slack; which it was is only known once
        Paragon was asked after the last page.
        """
        look = self.looks.get(found.connection)
        if look is None or look.at <= (found.progress_at or 0):
            self.looks.want(keys, found.connection)
            return False
        reading = self._reading(keys, found, channel, number, proved, look)
        coverage = keys.coverage(found.connection)
        reading.changes.expect(found.id, "HGET", coverage, f"{channel}|{found.mark}")
        reading.changes.do("HDEL", coverage, f"{channel}|{found.mark}")
        if not reading.sound:
            counters.add(reading.changes, keys, {"reread.unsound": 1})
        self._supersede(reading)
        self._send(reading, self._thread(reading) if found.kind == "thread" else self._window(reading))
        reading.changes.do("ZADD", keys.due, "LT", now(), f"plan:{found.connection}")
        return reading.changes.commit(self._client) in (0, _MARK_GONE)

    def _reading(self, keys: Keys, found: Run, channel: str, number: int, proved: Proof, look: Look) -> Reading:
        attempt = ask(self._client, "HMGET", keys.run(found.id), f"epoch:{number}", f"credential:{number}")
        epoch, credential = (value.decode() if value else "" for value in attempt)
        sound = not proved.flaws and credential == (look.credential or "") and look.status != "INVALID"
        return Reading(keys, found, channel, number, int(epoch or 0), proved, sound, Changes())

    def release(self, name: str, *, by: str) -> bool:
        """Sweep after all what a reading left for an operator. False where nothing waits."""
        found = self._runs.get(name)
        if found is None or found.state != "held":
            return False
        keys = self._shards.of(found.connection)
        for field, number in ask(self._client, "HGETALL", keys.run(name)).items():
            what, _, channel = field.decode().partition(":")
            if what == "held":
                self._release(keys, found, channel, int(number), by)
        self._runs.close(found, "covered").do("SREM", keys.sweeps, name).commit(self._client)
        return True

    def _release(self, keys: Keys, found: Run, channel: str, number: int, by: str) -> None:
        facts = [fact.decode() for fact in ask(self._client, "HKEYS", keys.facts(found.id, number))]
        proved = proof(facts, channel, replies=found.replies, thread=found.thread_ts)
        epoch = ask(self._client, "HGET", keys.run(found.id), f"epoch:{number}")
        if proved is None or epoch is None:
            return
        reading = Reading(keys, found, channel, number, int(epoch), proved, True, Changes())
        # Only while the channel is allowed: what was revoked meanwhile has its fence.
        since = ask(self._client, "HGET", keys.coverage(found.connection), f"{channel}|since")
        if since is None or int(since) > reading.epoch:
            return
        reading.changes.expect(since, "HGET", keys.coverage(found.connection), f"{channel}|since")
        judged = self._thread if found.kind == "thread" else self._window
        self._send(reading, judged(reading, released=True))
        audit.note(reading.changes, keys, "reread.released", found.connection, by, clock(self._client), run=found.id)
        reading.changes.commit(self._client)

    def _window(self, reading: Reading, *, released: bool = False) -> list[Retraction]:
        """A day, or a longer window that somebody asked for; what it does not show is gone unless it is too much."""
        found, channel, changes = reading.run, reading.channel, reading.changes
        coverage = reading.keys.coverage(found.connection)
        names = ("days", "deep", "step", "tail", LIMITED)
        packed, deep, step, tail, hidden = self._channels.guarded(
            changes, reading.keys, found.connection, channel, names
        )
        if found.replies and not released:
            self._further(reading, deep, int(step or FIRST_STEP_US))
        if (hides := still_hidden(hidden, found, reading.proved, int(tail or 0))) != hidden:
            put(changes, coverage, channel, {LIMITED: hides})
        days, shown = unpack(packed), reading.proved.days
        whole = range((found.oldest + 1) // DAY_US, (found.latest + 1) // DAY_US)
        said = {verdict(days[day].tally if day in days else None, shown.get(day, Tally())) for day in whole}
        held = reading.sound and "brake" in said and not (found.replies or released)
        counts = reading.sound and not held
        for day in whole:
            known = days[day].tally if day in days else None
            days[day] = Day(shown.get(day, Tally()) if counts else known, found.requested_at)
        changes.do("HSET", coverage, f"{channel}|days", pack(days, reading.epoch // DAY_US - self._days - 1))
        if held:
            self._hold(reading)
        if not counts:
            return []
        gone = found.replies or not said <= {"same", "first"}
        return ([reading.fence()] if gone else []) + self._lanes(reading)

    def _further(self, reading: Reading, deep: str, step: int) -> None:
        """The next piece of a longer reading lies before this one. A newer wish is not answered by an older reading."""
        found, coverage, before = reading.run, reading.keys.coverage(reading.run.connection), wish(deep)
        if before is None or before.high != found.latest:
            return
        after = before.further(found.oldest, reading.epoch, sound=reading.sound)
        write(reading.changes, coverage, reading.channel, after)
        if after is not None and not after.read:
            step = next_step(step, reading.proved.pages, of_limit(found.limit))
            reading.changes.do("HSET", coverage, f"{reading.channel}|step", step)

    def _lanes(self, reading: Reading) -> list[Retraction]:
        """Threads of the window: those that moved are to be read, those that are no more end."""
        found, changes, seen = reading.run, reading.changes, reading.proved.threads
        threads = reading.keys.threads(found.connection, reading.channel)
        kept = reading.epoch - (self._days + 1) * DAY_US
        self.forget(changes, reading.keys, found.connection, reading.channel, kept)
        known = {ts: thread for ts, thread in self._known(threads).items() if found.oldest < ts_us(ts) <= found.latest}
        gone = ended(known, seen)
        for ts in gone:
            changes.do("HDEL", threads, place(ts))
            changes.do("ZREM", reading.keys.moved(found.connection), f"{reading.channel}|{ts}")
        if found.replies:
            self.remember(changes, reading.keys, found, reading.channel, seen, reading.epoch - self._days * DAY_US)
            self.later(changes, reading.keys, found, reading.channel, seen)
            return [reading.fence(ts) for ts in (*gone, *seen)]
        for ts in moved(known, seen):
            changes.do("ZADD", reading.keys.moved(found.connection), "NX", reading.epoch, f"{reading.channel}|{ts}")
        return [reading.fence(ts) for ts in gone]

    def _thread(self, reading: Reading, *, released: bool = False) -> list[Retraction]:
        """One thread that moved. One that cannot be judged waits for the next night."""
        found, changes, ts = reading.run, reading.changes, reading.run.thread_ts
        coverage = reading.keys.coverage(found.connection)
        [deep] = self._channels.guarded(changes, reading.keys, found.connection, reading.channel, ["deep"])
        asked = wish(deep)
        if asked is None or reading.epoch >= (asked.below or 0):
            # Else it was read before what somebody wants read again, and has to be read for that, too.
            changes.do("ZREM", reading.keys.moved(found.connection), f"{reading.channel}|{ts}")
        now_ = Thread(0, "") if ts in reading.proved.missing else reading.proved.threads.get(ts)
        if not reading.sound or now_ is None:
            doubt(changes, coverage, reading.channel, deep)
            return []
        threads = reading.keys.threads(found.connection, reading.channel)
        before = self._known(threads).get(ts)
        said = verdict(Tally(before.replies) if before else None, Tally(now_.replies))
        if said == "brake" and not released:
            self._hold(reading)
            doubt(changes, coverage, reading.channel, deep)
            return []
        if now_.replies:
            self.remember(changes, reading.keys, found, reading.channel, {ts: now_}, 0)
        else:
            changes.do("HDEL", threads, place(ts))
        return [reading.fence(ts)]

    def _known(self, threads: str) -> dict[str, Thread]:
        return read(ask(self._client, "HGETALL", threads))

    def _hold(self, reading: Reading) -> None:
        """So much would go that an operator must look first: `release` does it after all."""
        found = reading.run
        reading.changes.do("HSET", reading.keys.run(found.id), f"held:{reading.channel}", reading.number)
        reading.changes.do("SADD", reading.keys.sweeps, found.id)
        counters.add(reading.changes, reading.keys, {"reread.held": 1})
        facts = {"run": found.id, "connection": found.connection, "channel": reading.channel}
        _log.error("reread.held", extra=facts)

    def _supersede(self, reading: Reading) -> None:
        """What an earlier reading of the same window left for an operator is answered by this one."""
        for name in ask(self._client, "SMEMBERS", reading.keys.sweeps):
            other = self._runs.get(name.decode())
            if other is None or other.window != reading.run.window:
                continue
            key, field = reading.keys.run(other.id), f"held:{reading.channel}"
            waiting = {one.decode() for one in ask(self._client, "HKEYS", key) if one.startswith(b"held:")}
            reading.changes.do("HDEL", key, field)
            if waiting == {field}:
                reading.changes.do("SREM", reading.keys.sweeps, other.id).do("HSET", key, "state", "covered")

    def _send(self, reading: Reading, fences: list[Retraction]) -> None:
        """The fences go with the change: the mesh ends what was not seen, present or still on its way."""
        if fences:
            keys, connection = reading.keys, reading.run.connection
            send(reading.changes, self._client, self._vault, keys, connection, reading.epoch, fences)

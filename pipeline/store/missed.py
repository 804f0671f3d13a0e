"""Readings that several attempts could not bring whole: they end, so that other days and threads have their turn."""

import logging
from typing import Final

import redis

from pipeline.rules.rereading import Day
from pipeline.rules.windows import DAY_US, FIRST_STEP_US, HOUR_US
from pipeline.store import counters
from pipeline.store.keys import Keys, Shards
from pipeline.store.progress import Channels, pack, unpack, wish
from pipeline.store.runs import Run, Runs
from pipeline.store.scripts import Changes, now
from pipeline.store.wishes import doubt, write

_AGAIN: Final = ("reread", "thread")
_log = logging.getLogger(__name__)


class Missed:
    """The end of readings that only look again at what was read before: nothing is lost by it but news."""

    def __init__(self, client: redis.Redis, shards: Shards, runs: Runs, channels: Channels) -> None:
        self._client, self._shards, self._runs, self._channels = client, shards, runs, channels

    def abandon(self, found: Run, at: int) -> bool:
        """End a reading that several attempts could not bring whole: its channels have other days and threads.

        A day's turn comes with the next night; a thread goes behind the others; a longer reading that somebody asked
        for goes on in shorter pieces. False for what is not to be given up like that.
        """
        if found.kind not in _AGAIN:
            return False
        keys, changes = self._shards.of(found.connection), self._runs.close(found, "missed")
        coverage = keys.coverage(found.connection)
        for one in self._channels.read(found.connection, found.channels):
            if one.fields.get(found.mark) != found.id:
                continue
            changes.expect(found.id, "HGET", coverage, f"{one.name}|{found.mark}")
            changes.do("HDEL", coverage, f"{one.name}|{found.mark}")
            if found.thread_ts:
                changes.do("ZADD", keys.moved(found.connection), "XX", at, f"{one.name}|{found.thread_ts}")
                doubt(changes, coverage, one.name, one.fields.get("deep", ""))
            else:
                self._missed(changes, keys, found, one.name)
        counters.add(changes, keys, {f"{found.kind}.missed": 1})
        changes.do("ZADD", keys.due, "LT", now(), f"plan:{found.connection}")
        _log.warning("reread.missed", extra={"run": found.id, "connection": found.connection})
        return changes.commit(self._client) == 0

    def _missed(self, changes: Changes, keys: Keys, found: Run, channel: str) -> None:
        """The days of a reading had their turn this night; what somebody asked for goes on in shorter pieces, and past
        what does not come even so.
        """
        coverage, names = keys.coverage(found.connection), ("days", "deep", "step")
        packed, deep, step = self._channels.guarded(changes, keys, found.connection, channel, names)
        if not found.replies:
            days = unpack(packed)
            for day in range((found.oldest + 1) // DAY_US, (found.latest + 1) // DAY_US):
                days[day] = Day(days[day].tally if day in days else None, found.requested_at)
            changes.do("HSET", coverage, f"{channel}|days", pack(days, min(days)))
        elif found.latest - found.oldest > HOUR_US:
            changes.do("HSET", coverage, f"{channel}|step", max(int(step or FIRST_STEP_US) // 4, HOUR_US))
        else:
            before = wish(deep)
            after = before.further(found.oldest, 0, sound=False) if before and before.high == found.latest else before
            write(changes, coverage, channel, after)
            _log.error("reread.skipped", extra={"run": found.id, "connection": found.connection, "channel": channel})

"""What can become of a page between its workflow and Sluice: lost, cut, late, sent twice, overtaken by others."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from simulator.callbacks import Callback
from simulator.faults import Faults
from simulator.triggers import Triggers

Wait = Callable[[], Awaitable[None]]
Lane = tuple[object, ...]

LONGEST_LATE: Final = 20.0
"""Seconds after which a late page goes out though nobody has asked again."""
_LOOK: Final = 0.05
_SHUFFLED_MINUTES: Final = 3.0
_MUCH_LATER_MINUTES: Final = 60.0


@dataclass
class _Order:
    """How many pages of a shuffled run were handed over, and the latest of them that has gone out."""

    handed: int = 0
    latest: int = 0


@dataclass
class Mishaps:
    """Decides for each page of a messages run. `minute` is a scaled minute in seconds."""

    faults: Faults
    triggers: Triggers
    minute: float
    lost: int = 0
    _shuffled: dict[Lane, bool] = field(default_factory=dict)
    _orders: defaultdict[Lane, _Order] = field(default_factory=lambda: defaultdict(_Order))

    def trips(self, callback: Callback) -> list[Wait | None]:
        """How often the page is sent, and what each time waits for: None goes at once, an empty list never."""
        key = tuple(str(callback.body.get(name)) for name in ("channel", "thread_ts", "cursor", "attempt"))
        if not callback.in_run:
            return [None]
        if self.faults.strikes("drop", *key):
            self.faults.struck("drop")
            self.lost += 1
            return []
        callback.cut = self.faults.strikes("truncate", *key)
        if not callback.cut and self.faults.strikes("late", *key):
            return [lambda: self._until_asked_again(callback)]
        first = self._shuffle(callback, key)
        return [first, *self._again(key)]

    def _again(self, key: tuple[str, ...]) -> list[Wait | None]:
        if not self.faults.strikes("duplicate", *key):
            return []
        self.faults.struck("duplicate")
        much_later = self.faults.draw("much later", *key)
        seconds = (much_later - 0.5) * 2 * _MUCH_LATER_MINUTES * self.minute
        return [None if much_later < 0.5 else lambda: asyncio.sleep(seconds)]

    def _shuffle(self, callback: Callback, key: tuple[str, ...]) -> Wait | None:
        """Half of the lanes are shuffled: each page waits a while of its own."""
        lane = (callback.body.get("run_id"), callback.body.get("attempt"), callback.body.get("channel"))
        if lane not in self._shuffled:
            self._shuffled[lane] = self.faults.strikes("reorder", *lane[1:], callback.body.get("oldest"))
        if not self._shuffled[lane]:
            return None
        order = self._orders[lane]
        order.handed += 1
        number, seconds = order.handed, self.faults.draw("shuffle", *key) * _SHUFFLED_MINUTES * self.minute
        return lambda: self._overtaken(order, number, seconds)

    async def _overtaken(self, order: _Order, number: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if number < order.latest:
            self.faults.struck("reorder")
        order.latest = max(order.latest, number)

    async def _until_asked_again(self, callback: Callback) -> None:
        """Until Sluice has triggered the same run once more, or the dust is to settle."""
        clock, run, attempt = asyncio.get_running_loop().time, str(callback.body["run_id"]), callback.body["attempt"]
        given_up = clock() + LONGEST_LATE
        while "late" in self.faults.on and clock() < given_up:
            if self.triggers.newest(run) > int(attempt or 0):
                self.faults.struck("late")
                return
            await asyncio.sleep(_LOOK)

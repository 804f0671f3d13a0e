"""A beat that keeps no file: each tick carries its slot; what a slot causes has one effect however often it comes."""

import time
from typing import Any

from celery.beat import Scheduler

from workers.names import DISPATCH, UPKEEP

DISPATCH_SECONDS = 1.0
UPKEEP_SECONDS = 30.0

TICKS = {
    "dispatch": {"task": DISPATCH, "schedule": DISPATCH_SECONDS, "options": {"expires": 10}},
    "upkeep": {"task": UPKEEP, "schedule": UPKEEP_SECONDS, "options": {"expires": 60}},
}


def slot(now: float, seconds: float) -> int:
    """The number of the tick that `now` (Unix seconds) falls into."""
    return int(now // seconds)


class SlotScheduler(Scheduler):
    """Celery's scheduler, in memory, that gives each entry its slot as the only argument."""

    def apply_async(self, entry: Any, *args: Any, **kwargs: Any) -> Any:
        """Send one tick."""
        entry.args = (slot(time.time(), entry.schedule.seconds),)
        return super().apply_async(entry, *args, **kwargs)  # type: ignore[no-untyped-call]

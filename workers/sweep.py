"""The sweep: drains what nobody drains, without the broker. `python -m workers.sweep`

Looks at every shard once a second. One that is not draining and whose oldest work has been due for more than two
seconds is drained here, whatever the bell says: lost rings, dead brokers and workers that answer pings and consume
nothing cost seconds, never data. Scheduled items that nobody has taken for half a minute are run here too.
"""

import logging
import signal
import sys
import threading
from collections import Counter

from pipeline import flow
from pipeline.errors import Unavailable
from pipeline.store.client import ask, ask_all
from pipeline.store.durability import NotDurableError
from pipeline.store.keys import Keys
from settings import Settings, SettingsError
from workers import lifecycle
from workers.names import TRIGGER

EVERY_SECONDS = 1.0
LATE_US = 2 * 1_000_000
OVERDUE_US = 30 * 1_000_000
_log = logging.getLogger("workers.sweep")


def late_shards(process: lifecycle.Process) -> list[Keys]:
    """Shards that are not draining though something has been due for more than two seconds."""
    stores, shards = process.stores, process.stores.shards.all()
    seconds, micros = ask(stores.client, "TIME")
    states = ask_all(stores.client, [("GET", keys.state) for keys in shards])
    lowest = ask_all(stores.client, [("ZRANGE", keys.ready, 0, 0, "WITHSCORES") for keys in shards])
    before = seconds * 1_000_000 + micros - LATE_US
    rows = zip(shards, states, lowest, strict=True)
    return [keys for keys, state, row in rows if row and row[0][1] < before and not _draining(state)]


def _draining(state: bytes | None) -> bool:
    return state is not None and state.startswith(b"draining:")


def sweep(process: lifecycle.Process) -> Counter[str]:
    """One round; counts of what had to be done here."""
    done: Counter[str] = Counter()
    for keys in late_shards(process):
        counts = flow.drain(process.stores, keys.shard, ring=lambda _: None)
        _log.warning("sweep.drained", extra={"shard": keys.shard, "settled": _settled(counts)})
        done["drained"] += 1
    done += process.outgoing.dispatch(lambda name, what: _call(process, name, what), overdue_us=OVERDUE_US)
    return done


def _settled(counts: Counter[str]) -> int:
    return sum(number for name, number in counts.items() if name.startswith("settled."))


def _call(process: lifecycle.Process, name: str, what: str) -> None:
    """What a worker would do with the task."""
    (process.outgoing.trigger if name == TRIGGER else process.outgoing.patch)(what)


def run(process: lifecycle.Process, stop: threading.Event) -> None:
    """Sweep until told to stop; the store's outages are waited out."""
    while not stop.wait(EVERY_SECONDS):
        try:
            sweep(process)
        except Unavailable as outage:
            _log.warning("sweep.unavailable", extra={"kind": outage.what})


def main() -> int:
    """Start, sweep, stop at SIGTERM."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    try:
        run(lifecycle.start(Settings.load("sweep")), stop)
    except (SettingsError, NotDurableError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

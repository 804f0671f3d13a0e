"""The sweep: drains what nobody drains, without the broker. `python -m workers.sweep`

Looks at every shard once a second. One that is not draining and whose oldest work has been due for more than two
seconds is drained here, whatever the bell says: lost rings, dead brokers and workers that answer pings and consume
nothing cost seconds, never data. Scheduled items that nobody has taken for half a minute are run here too, in a
thread of their own: a Paragon that takes its time must not keep the backlog waiting.
"""

import logging
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

from pipeline import flow
from pipeline.errors import Unavailable
from pipeline.store.durability import NotDurableError
from pipeline.store.shard import late
from settings import Settings, SettingsError
from workers import lifecycle
from workers.names import LOOK, TELL, TRIGGER

EVERY_SECONDS = 1.0
LATE_US = 2 * 1_000_000
OVERDUE_US = 30 * 1_000_000
ALONE_SECONDS = 60.0
"""For so long after an item that nobody took, the next ones are not waited for as long."""
_log = logging.getLogger("workers.sweep")


class Sweep:
    """The two duties of the sweep. A shard that still has work after its drain is drained again the next round:
    its ring goes nowhere here, and waiting until it is late again would leave the backlog lying.
    """

    def __init__(self, process: lifecycle.Process) -> None:
        self._process = process
        self._rung: set[int] = set()
        self._alone_until = 0.0

    def drain(self) -> Counter[str]:
        """One round over the late shards; counts of what was done."""
        done: Counter[str] = Counter()
        stores = self._process.stores
        shards, self._rung = self._rung | {keys.shard for keys in late(stores.client, stores.shards, LATE_US)}, set()
        for shard in sorted(shards):
            counts = self._one(shard)
            settled = sum(number for name, number in counts.items() if name.startswith("settled."))
            _log.warning("sweep.drained", extra={"shard": shard, "settled": settled})
            done.update(drained=1, settled=settled)
        return done

    def _one(self, shard: int) -> Counter[str]:
        """Drain one shard. A bug that one shard's entries bring out must not keep the others waiting."""
        try:
            return flow.drain(self._process.stores, shard, ring=self._rung.add)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - it is logged whole, and the next round comes
            _log.exception("sweep.failed", extra={"shard": shard})
            return Counter(failed=1)

    def call(self) -> Counter[str]:
        """Run the scheduled items that nobody takes; how many of each kind."""
        alone = time.monotonic() < self._alone_until
        done = self._process.outgoing.dispatch(self._run, overdue_us=LATE_US if alone else OVERDUE_US)
        if done["plan"]:  # Nobody else took the plan, so nobody else will take what it asks for.
            done += self._process.outgoing.dispatch(self._run)
        if done.total() > done["waiting"]:
            self._alone_until = time.monotonic() + ALONE_SECONDS
        return done

    def _run(self, name: str, what: str) -> None:
        """What a worker would do with the task."""
        if name == TELL:
            self._process.telling.tell(int(what))
            return
        outgoing = self._process.outgoing
        {TRIGGER: outgoing.trigger, LOOK: self._process.looking.look}.get(name, outgoing.patch)(what)


def repeat(work: Callable[[], Counter[str]], stop: threading.Event) -> None:
    """Work until told to stop; the store's outages are waited out. A bug stops the others too, to start anew."""
    pause = EVERY_SECONDS
    try:
        while not stop.wait(pause):
            try:
                pause = 0.0 if work()["settled"] else EVERY_SECONDS
            except Unavailable as outage:
                pause = EVERY_SECONDS
                _log.warning("sweep.unavailable", extra={"kind": outage.what})
    finally:
        stop.set()


def main() -> int:
    """Start, sweep, stop at SIGTERM."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    try:
        sweep = Sweep(lifecycle.start(Settings.load("sweep")))
    except (SettingsError, NotDurableError, Unavailable) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    # A daemon: a call that is under way at the end is due again, and nobody waits for it.
    threading.Thread(target=repeat, args=(sweep.call, stop), name="calls", daemon=True).start()
    repeat(sweep.drain, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())

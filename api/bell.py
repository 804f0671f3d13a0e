"""The bell: asks the workers to drain a shard, by name. It may fail, for the sweep is there; it must never block."""

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from celery import Celery

from workers.names import DRAIN, sending

_MOST_WAITING = 1000
_log = logging.getLogger(__name__)


def make_sender(broker_url: str) -> Celery:
    """A Celery application that only sends."""
    app = Celery("sluice", set_as_current=False)
    app.conf.update(sending(broker_url))
    return app


class Bell:
    """Rings from a thread of its own."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bell")
        self._waiting = 0
        self.counts: Counter[str] = Counter()

    def __call__(self, shard: int) -> None:
        """Ask for a drain of this shard, soon; while the broker hangs, further rings are dropped and counted."""
        if self._waiting >= _MOST_WAITING:
            self.counts["dropped"] += 1
            return
        self._waiting += 1
        self._thread.submit(self._ring, shard)

    def _ring(self, shard: int) -> None:
        try:
            self._app.send_task(DRAIN, args=[shard], expires=60)
            self.counts["rung"] += 1
        except Exception as error:  # noqa: BLE001 - whatever a broker's death raises, the sweep does the work
            self.counts["failed"] += 1
            _log.warning("bell.failed", extra={"shard": shard, "kind": type(error).__name__})
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Drop what waits."""
        self._thread.shutdown(wait=False, cancel_futures=True)

"""The bell: asks the workers to drain a shard, by name. It may fail, for the sweep is there; it must never block."""

import logging
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from celery import Celery

from pipeline.certificates import distrusted
from workers.names import DRAIN, sending

_EXPIRES_SECONDS = 60
_log = logging.getLogger(__name__)


def make_sender(broker_url: str) -> Celery:
    """A Celery application that only sends."""
    app = Celery("sluice", set_as_current=False)
    app.conf.update(sending(broker_url))
    return app


class Bell:
    """Rings from a thread of its own, any thread may call it. `counts`: rung, failed, coalesced, dropped."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bell")
        self._lock = threading.Lock()
        self._waiting: set[int] = set()
        self.counts: Counter[str] = Counter()

    def __call__(self, shard: int) -> None:
        """Ask for a drain of this shard, soon. One that waits to be sent already is enough, so a broker that hangs
        makes nothing pile up.
        """
        with self._lock:
            if shard in self._waiting:
                self.counts["coalesced"] += 1
                return
            self._waiting.add(shard)
        try:
            self._thread.submit(self._ring, shard)
        except RuntimeError:  # closed: the sweep does it
            self.counts["dropped"] += 1

    def _ring(self, shard: int) -> None:
        with self._lock:
            self._waiting.discard(shard)
        try:
            self._app.send_task(DRAIN, args=[shard], expires=_EXPIRES_SECONDS)
            self.counts["rung"] += 1
        except Exception as error:  # noqa: BLE001 - whatever a broker's death raises, the sweep does the work
            self.counts["failed"] += 1
            kind = "certificate not trusted" if distrusted(error) else type(error).__name__
            _log.warning("bell.failed", extra={"shard": shard, "kind": kind})

    def close(self) -> None:
        """Drop what waits, and let go of the broker."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._app.close()

"""A session: one unit of work, one organisation, one module, one model, one thread."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import NamedTuple

from pydantic import BaseModel

from common_mesh import wire
from common_mesh.batches import Batch, cut
from common_mesh.errors import MeshError, SourceFailed
from common_mesh.flight import Flight
from common_mesh.report import Report
from common_mesh.sender import Sender


class Shared(NamedTuple):
    """What a session uses of its engine. `check` raises after a fork or a close."""

    sender: Sender
    check: Callable[[], None]
    executor: Callable[[], Executor]
    in_flight: int


class MeshSession:
    """Made by `MeshEngine.create_session`. Belongs to the first thread that sends with it."""

    def __init__(self, shared: Shared, org: str, module: str, model: str) -> None:
        self._shared = shared
        self._path = wire.path(org, module, model, "batches")
        self._thread: int | None = None
        self._sending = threading.Lock()

    def send_all_models(self, models: Iterable[BaseModel]) -> Report:
        """Deliver every model of the iterable, in constant memory, and report what became of each.

        What fits one batch is sent from this thread; more travels in several batches at once. Raises `Unavailable`,
        `Refused`, `ProtocolError`, or `SourceFailed` when the iterable raises: `.report` then says what was
        acknowledged; RuntimeError when a second thread, a forked child or its own iterable sends with the session, or
        the engine is closed. A batch is applied as a whole or not at all, and sending a record again changes nothing.
        """
        with self._alone():
            report = Report()
            try:
                self._send(models, report)
            except MeshError as error:
                error.report = report
                raise
            finally:
                report.rejected.sort(key=lambda rejection: rejection.index)
            return report

    def _send(self, models: Iterable[BaseModel], report: Report) -> None:
        batches = _guarded(cut(models, self._shared.sender.limits, report))
        first = next(batches, None)
        if first is not None and first.last:
            self._send_here(first, report)
        elif first is not None:
            self._send_flight(first, batches, report)

    def _send_here(self, batch: Batch, report: Report) -> None:
        try:
            report.add(self._deliver(batch))
        except MeshError as error:
            report.add(error.report)
            raise

    def _send_flight(self, first: Batch, batches: Iterator[Batch], report: Report) -> None:
        flight = Flight(self._shared.executor(), self._deliver, self._shared.in_flight, report)
        try:
            flight.send(first)
            for batch in batches:
                flight.send(batch)
            flight.land()
        finally:
            flight.await_all()  # whatever went wrong, the report counts what arrived

    def _deliver(self, batch: Batch) -> Report:
        return self._shared.sender.deliver(self._path, batch)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._shared.check()
        me = threading.get_ident()
        # Taken or not in one step: two threads that begin at the same moment must not both get through.
        taken = self._sending.acquire(blocking=False)
        try:
            owner = self._thread or me if taken else self._thread
            if owner != me:
                raise RuntimeError("this MeshSession belongs to another thread: do not share it, make one per thread")
            if not taken:
                raise RuntimeError("this MeshSession is sending already: its own iterable must not send with it")
            self._thread = me
            yield
        finally:
            if taken:
                self._sending.release()


def _guarded(batches: Iterator[Batch]) -> Iterator[Batch]:
    """What the iterable raises, as `SourceFailed`: it must not be taken for a failure of the mesh."""
    while True:
        try:
            batch = next(batches, None)
        except Exception as error:
            raise SourceFailed(f"the iterable of models raised {type(error).__name__}") from error
        if batch is None:
            return
        yield batch

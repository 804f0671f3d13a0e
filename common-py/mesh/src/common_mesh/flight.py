"""Several batches on the way at once, and never more than that."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

from common_mesh.batches import Batch
from common_mesh.errors import MeshError
from common_mesh.report import Report


class Flight:
    """Delivers batches on an executor; at most `width` at once. Collects their reports and the first failure."""

    def __init__(self, executor: Executor, deliver: Callable[[Batch], Report], width: int, report: Report) -> None:
        self._executor = executor
        self._deliver = deliver
        self._width = width
        self._report = report
        self._pending: set[Future[Report]] = set()
        self._failure: BaseException | None = None

    def send(self, batch: Batch) -> None:
        """Take a batch, after waiting for room. Raises the first failure of an earlier one."""
        while len(self._pending) >= self._width:
            self._collect()
        self._raise()
        self._pending.add(self._executor.submit(self._deliver, batch))

    def land(self) -> None:
        """Wait for every batch. Raises the first failure."""
        self.await_all()
        self._raise()

    def await_all(self) -> None:
        """Wait for every batch, and count what was acknowledged."""
        while self._pending:
            self._collect()

    def _collect(self) -> None:
        done, self._pending = wait(self._pending, return_when=FIRST_COMPLETED)
        for future in done:
            failure = future.exception()
            if failure is None:
                self._report.add(future.result())
                continue
            if isinstance(failure, MeshError):
                self._report.add(failure.report)
            self._failure = self._failure or failure

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

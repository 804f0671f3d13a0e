"""Parallel branches of a workflow: as in Paragon's fan-out, one that fails does not stop the others."""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

Work = Coroutine[Any, Any, None]
Spawn = Callable[[Work], asyncio.Task[None]]


class StepFailed(Exception):
    """A step of a workflow failed for good, which ends its branch."""


class Fan:
    """`async with Fan(spawn) as branch: branch.start(work)`; leaving waits for all, then raises what one raised."""

    def __init__(self, spawn: Spawn) -> None:
        self._spawn = spawn
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Work) -> asyncio.Task[None]:
        """Run a branch beside the others."""
        self._tasks.append(task := self._spawn(work))
        return task

    async def __aenter__(self) -> "Fan":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:  # fmt: skip
        if isinstance(error, asyncio.CancelledError):
            return
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        if error is None and (failed := next((end for end in ended if isinstance(end, BaseException)), None)):
            raise failed

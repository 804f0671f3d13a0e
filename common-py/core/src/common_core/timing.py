"""How long something took, and how it ended, told to a logger, a histogram or a function.

    >>> ticks = iter([0.0, 1.5, 2.0, 2.25])
    >>> said = []
    >>> stage = timed("parse", said.append, clock=lambda: next(ticks))
    >>> with stage:
    ...     pass
    >>> @stage
    ... def parse(text):
    ...     return int(text)
    >>> parse("what a customer wrote")
    Traceback (most recent call last):
    ValueError: invalid literal for int() with base 10: 'what a customer wrote'
    >>> for took in said:
    ...     print(took)
    Took(what='parse', seconds=1.5, outcome='ok', failure='')
    Took(what='parse', seconds=0.25, outcome='failed', failure='ValueError')

One `timed` is a context manager (`with`, `async with`) and a decorator; it may be used again, inside itself, and by
many threads and tasks at once. What it decorates may be a function, a coroutine function, or a generator function of
either kind; a generator is timed from its first step to its end, with the time that its consumer takes (`asend` and
`athrow` do not reach into an asynchronous one). What ends by an exception is told too, with its type and never with
its words.
"""

import asyncio
import functools
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar, cast, runtime_checkable

Outcome = Literal["running", "ok", "failed", "cancelled"]
Clock = Callable[[], float]
_Function = TypeVar("_Function", bound=Callable[..., Any])
_CANCELLED = (asyncio.CancelledError, GeneratorExit)


@dataclass(slots=True)
class Took:
    """One measurement; `failure` is the type of the exception that ended it, or empty."""

    what: str
    seconds: float = 0.0
    outcome: Outcome = "running"
    failure: str = ""


@runtime_checkable
class Histogram(Protocol):
    """Takes seconds, as `prometheus_client`'s histograms and summaries do."""

    def observe(self, amount: float, /) -> object:
        """Count one observation."""


Sink = logging.Logger | Histogram | Callable[[Took], object]

# What is being measured in this thread or task, outermost first.
_running: ContextVar[tuple[tuple["Timed", Any, Took], ...]] = ContextVar("common_core_timing", default=())


def timed(
    what: str,
    *sinks: Sink,
    clock: Clock = time.perf_counter,
    outcome_label: str | None = None,
    level: int = logging.INFO,
) -> "Timed":
    """Measure what is called `what`, and tell each sink: a logger, a histogram, or a function that takes a `Took`.

    With `outcome_label`, a histogram is asked for `.labels(**{outcome_label: outcome})` first; without, all outcomes go
    into one. `clock` counts seconds and never goes back. `level` is the loggers'. TypeError: something is no sink.
    What a sink raises comes through.
    """
    return Timed(what, [_teller(sink, outcome_label, level) for sink in sinks], clock)


class Timed:
    """Made by `timed`."""

    def __init__(self, what: str, tellers: list[Callable[[Took], object]], clock: Clock) -> None:
        self._what, self._tellers, self._clock = what, tellers, clock

    def __enter__(self) -> Took:
        measured = self._measured()
        took = measured.__enter__()
        _running.set((*_running.get(), (self, measured, took)))
        return took

    def __exit__(self, *raised: Any) -> None:
        running = _running.get()
        at = max((at for at, (owner, *_) in enumerate(running) if owner is self), default=None)
        if at is None:
            raise RuntimeError(f"{self._what} was entered in another thread or task than it is left in")
        _running.set(running[:at] + running[at + 1 :])
        running[at][1].__exit__(*raised)

    async def __aenter__(self) -> Took:
        return self.__enter__()

    async def __aexit__(self, *raised: Any) -> None:
        self.__exit__(*raised)

    def __call__(self, function: _Function) -> _Function:
        """The function, measured at each call."""
        wrapper = next(wrap for is_kind, wrap in _WRAPPERS if is_kind(function))
        wrapped: Any = functools.wraps(function)(wrapper(self, function))
        return cast(_Function, wrapped)

    @contextmanager
    def _measured(self) -> Iterator[Took]:
        took, start = Took(self._what), self._clock()
        try:
            yield took
        except BaseException as error:
            self._tell(took, start, "cancelled" if isinstance(error, _CANCELLED) else "failed", type(error).__name__)
            raise
        self._tell(took, start, "ok", "")

    def _tell(self, took: Took, start: float, outcome: Outcome, failure: str) -> None:
        took.seconds, took.outcome, took.failure = self._clock() - start, outcome, failure
        for teller in self._tellers:
            teller(took)


def _teller(sink: Any, outcome_label: str | None, level: int) -> Callable[[Took], object]:
    if isinstance(sink, logging.Logger):
        return functools.partial(_log, sink, level)
    if outcome_label is not None and hasattr(sink, "labels"):
        return lambda took: sink.labels(**{outcome_label: took.outcome}).observe(took.seconds)
    if isinstance(sink, Histogram):
        return lambda took: sink.observe(took.seconds)
    if callable(sink):
        told: Callable[[Took], object] = sink
        return told
    raise TypeError(f"{type(sink).__name__} is no logger, has no `observe`, and cannot be called")


def _log(logger: logging.Logger, level: int, took: Took) -> None:
    ending = {"failure": took.failure} if took.failure else {}
    fields = {"what": took.what, "seconds": round(took.seconds, 6), "outcome": took.outcome, **ending}
    logger.log(level, "timed", extra=fields)


def _plain(timer: Timed, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with timer._measured():
            return function(*args, **kwargs)

    return call


def _coroutine(timer: Timed, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with timer._measured():
            return await function(*args, **kwargs)

    return call


def _generator(timer: Timed, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with timer._measured():
            return (yield from function(*args, **kwargs))

    return call


def _async_generator(timer: Timed, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        with timer._measured():
            async with aclosing(function(*args, **kwargs)) as items:
                async for item in items:
                    yield item

    return call


_WRAPPERS: tuple[tuple[Callable[[Any], bool], Callable[[Timed, Any], Callable[..., Any]]], ...] = (
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.isgeneratorfunction, _generator),
    (callable, _plain),
)

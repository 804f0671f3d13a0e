"""The fields that every record gets where it is logged: of this thread or task, and of what it hands them on to."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")
_context: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar(
    "common_core_log_context",
    default={},  # noqa: B039 - never mutated
)


@contextlib.contextmanager
def bind(**ids: Any) -> Iterator[None]:
    """Add fields to every record logged inside, in this thread or task.

    Tasks started inside and `asyncio.to_thread` take them along by themselves; a thread does by `carried`.

    >>> with bind(shard=3):
    ...     with bind(receipt="ab"):
    ...         dict(bound())
    {'shard': 3, 'receipt': 'ab'}
    >>> dict(bound())
    {}
    """
    token = _context.set({**_context.get(), **ids})
    try:
        yield
    finally:
        # A generator may be closed by another task than it was used by: that one never had these fields.
        with contextlib.suppress(ValueError):
            _context.reset(token)


def bound() -> Mapping[str, Any]:
    """The fields bound here and now."""
    return _context.get()


def carried(function: Callable[_Args, _Result]) -> Callable[_Args, _Result]:
    """The function with the fields of here and now, to be called in any thread.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor() as pool, bind(shard=3):
    ...     dict(pool.submit(bound).result()), dict(pool.submit(carried(bound)).result())
    ({}, {'shard': 3})
    """
    here = contextvars.copy_context()

    @functools.wraps(function)
    def call(*args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        return here.copy().run(function, *args, **kwargs)  # a context is entered once at a time

    return call

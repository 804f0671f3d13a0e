"""Where records go, and what becomes one: the root logger's handler, and what nobody caught."""

import contextlib
import logging
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Literal, TextIO

from common_core.log_manager.formats import Console, JsonLines
from common_core.log_manager.speech import FORBIDDEN, Speech, name_of

_FORMATTERS: dict[str, type[JsonLines] | type[Console]] = {"json": JsonLines, "console": Console}
_log = logging.getLogger(__name__)


def setup(
    *,
    level: str | int = "INFO",
    fmt: Literal["json", "console"] = "json",
    stream: TextIO | None = None,
    forbidden: Iterable[str] = (),
    speaking: tuple[type[BaseException], ...] = (),
    adopt: Iterable[str] = (),
    uncaught: bool = True,
) -> None:
    """Set up the root logger; call it again to change it. Raises ValueError for an unknown level or format.

    `stream` is stderr unless given; `forbidden` adds words to `FORBIDDEN`; `speaking` are exception types whose
    message may be logged; `adopt` names loggers (uvicorn's, Celery's) that lose handlers of their own; `uncaught` logs
    what nobody caught, of the program and of its threads.

    >>> setup(fmt="xml")
    Traceback (most recent call last):
    ValueError: fmt is one of json, console
    """
    if fmt not in _FORMATTERS:
        raise ValueError(f"fmt is one of {', '.join(_FORMATTERS)}")
    handler = _Handler(stream)
    handler.setFormatter(_FORMATTERS[fmt](Speech(FORBIDDEN | {word.lower() for word in forbidden}, speaking)))
    root = logging.getLogger()
    root.setLevel(level)
    root.handlers[:] = [handler]
    for name in adopt:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    if uncaught:
        sys.excepthook = _ended
        threading.excepthook = _thread_ended


def _ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The program ends by an exception; Ctrl-C is none worth a line."""
    if issubclass(kind, KeyboardInterrupt):
        return
    _log.critical("uncaught", exc_info=(kind, error, trace))


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is None or issubclass(ended.exc_type, SystemExit):
        return
    name = ended.thread.name if ended.thread else None
    exc_info = (ended.exc_type, ended.exc_value, ended.exc_traceback)
    _log.critical("uncaught in a thread", exc_info=exc_info, extra={"thread_name": name})


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to the stream; a record that cannot be written is named, not dumped with its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Say which logger and which kind of failure; `logging`'s own would print the message and its arguments."""
        kind = sys.exc_info()[0]
        with contextlib.suppress(Exception):
            sys.stderr.write(f"a log record of {record.name} was not written: {name_of(kind or Exception)}\n")

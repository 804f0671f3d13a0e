"""Logging set up by one call: JSON lines or a console, bound context, and nothing that a log must not hold.

    >>> import io, logging
    >>> stream = io.StringIO()
    >>> setup(level="INFO", fmt="console", stream=stream)
    >>> with bind(run_id="r1"):
    ...     logging.getLogger("gate").info("page taken", extra={"count": 3, "api_token": "abc"})
    >>> stream.getvalue().split(maxsplit=1)[1]
    'INFO gate: page taken api_token=[redacted] count=3 run_id=r1\\n'

What keeps secrets and documents out:

- a value whose *key* has a forbidden word in it (`api_token`, `sourceText`) is redacted, at any depth;
- a bearer token or JWT inside a message is redacted;
- an object of an unknown type is logged as its type, not its `repr`;
- an exception is its chain of types and `file:line`: no source lines, no locals, and no message, which may quote a
  document (`JSONDecodeError`, Pydantic's `ValidationError`, `KeyError`), but for types in `speaking`.
"""

import contextlib
import json
import logging
import math
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

from common_core.serialization import default

REDACTED = "[redacted]"
FORBIDDEN = frozenset(
    [
        *("secret", "token", "authorization", "auth", "password", "passwd", "key", "credential", "cookie", "jwt"),
        *("signature", "text", "body", "content", "payload", "document", "doc", "email"),
        *("exc", "traceback", "args", "kwargs"),  # Celery's failure records carry these as ready-made strings
    ]
)
"""Words of a key that make its value unspeakable; compared as whole words, singular or plural."""

_context: ContextVar[Mapping[str, Any]] = ContextVar("common_core_log_context", default={})  # noqa: B039 - never mutated
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_IN_TEXT = re.compile(r"(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}|eyJ[\w-]{5,}\.[\w-]+\.[\w-]*")
_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_DEEPEST, _LONGEST_CHAIN, _MOST_FRAMES = 6, 8, 30


def setup(
    *,
    level: str | int = "INFO",
    fmt: Literal["json", "console"] = "json",
    stream: TextIO | None = None,
    forbidden: Iterable[str] = (),
    speaking: tuple[type[BaseException], ...] = (),
    adopt: Iterable[str] = (),
) -> None:
    """Set up the root logger; call it again to change it. Raises ValueError for an unknown level or format.

    `stream` is stderr unless given; `forbidden` adds words to `FORBIDDEN`; `speaking` are exception types whose
    message may be logged; `adopt` names loggers (uvicorn's, Celery's) that lose handlers of their own.
    """
    if fmt not in _FORMATTERS:
        raise ValueError(f"fmt is one of {', '.join(_FORMATTERS)}")
    handler = _Handler(stream)
    handler.setFormatter(_FORMATTERS[fmt](FORBIDDEN | {word.lower() for word in forbidden}, speaking))
    root = logging.getLogger()
    root.setLevel(level)
    root.handlers[:] = [handler]
    for name in adopt:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


@contextlib.contextmanager
def bind(**ids: Any) -> Iterator[None]:
    """Add fields to every record logged inside, in this thread or task and in those it starts with its context.

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
        _context.reset(token)


def bound() -> Mapping[str, Any]:
    """The fields bound here and now."""
    return _context.get()


def described(error: BaseException, speaking: tuple[type[BaseException], ...] = ()) -> list[dict[str, Any]]:
    """An exception and its causes, outermost first: `type`, `at` (`file:line function`, innermost last).

    >>> try:
    ...     json.loads("{secret")
    ... except ValueError as error:
    ...     [link["type"] for link in described(error)]
    ['json.decoder.JSONDecodeError']
    """
    chain: list[dict[str, Any]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(chain) < _LONGEST_CHAIN:
        seen.add(id(current))
        chain.append(_link(current, speaking))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def _link(error: BaseException, speaking: tuple[type[BaseException], ...]) -> dict[str, Any]:
    frames = traceback.walk_tb(error.__traceback__)
    # Built from code objects: `traceback.extract_tb` would read source lines, and those hold literals. The last three
    # parts of a path find the file and say nothing about the machine.
    codes = [(Path(frame.f_code.co_filename).parts[-3:], line, frame.f_code.co_name) for frame, line in frames]
    places = [f"{'/'.join(path)}:{line} {name}" for path, line, name in codes]
    link: dict[str, Any] = {"type": _name(type(error)), "at": places[-_MOST_FRAMES:]}
    if isinstance(error, speaking):
        link["says"] = _SECRET_IN_TEXT.sub(REDACTED, str(error))
    if isinstance(error, BaseExceptionGroup):
        link["members"] = [_name(type(member)) for member in error.exceptions[:_LONGEST_CHAIN]]
    return link


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class _Formatter(logging.Formatter):
    """What both formats share: the record as a flat dict of speakable fields."""

    def __init__(self, words: frozenset[str], speaking: tuple[type[BaseException], ...]) -> None:
        super().__init__()
        self._words = words
        self._speaking = speaking

    def _event(self, record: logging.LogRecord) -> str:
        message = record.msg if isinstance(record.msg, str) else str(self._speakable(record.msg, _DEEPEST))
        with contextlib.suppress(TypeError, ValueError, KeyError):  # a wrong template is still worth its words
            message = message % self._arguments(record.args) if record.args else message
        return _SECRET_IN_TEXT.sub(REDACTED, message)

    def _arguments(self, args: Any) -> Any:
        if isinstance(args, Mapping):
            return {key: self._field(str(key), value) for key, value in args.items()}
        return tuple(self._speakable(value, _DEEPEST) for value in args)

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        extras = {key: value for key, value in vars(record).items() if key not in _OF_EVERY_RECORD}
        fields = {key: self._field(key, value) for key, value in {**bound(), **extras}.items()}
        return dict(sorted(fields.items()))

    def _field(self, key: str, value: Any, depth: int = _DEEPEST) -> Any:
        return REDACTED if self._is_forbidden(key) else self._speakable(value, depth)

    def _is_forbidden(self, key: str) -> bool:
        words = [word.lower() for word in _WORDS.findall(key)]
        return any(word in self._words or word.removesuffix("s") in self._words for word in words)

    def _speakable(self, value: Any, depth: int) -> Any:
        """The value as JSON without what must not be said; an exception is its type unless it may speak."""
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, str):
            return _SECRET_IN_TEXT.sub(REDACTED, value)
        if isinstance(value, BaseException):
            return (
                _SECRET_IN_TEXT.sub(REDACTED, str(value)) if isinstance(value, self._speaking) else _name(type(value))
            )
        if depth == 0:
            return "…"
        if isinstance(value, Mapping):
            return {str(key): self._field(str(key), inner, depth - 1) for key, inner in value.items()}
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if isinstance(value, list | tuple):
            return [self._speakable(inner, depth - 1) for inner in value]
        return self._unknown(value, depth)

    def _unknown(self, value: Any, depth: int) -> Any:
        try:
            return self._speakable(default(value), depth - 1)
        except Exception:  # noqa: BLE001 - whatever a foreign object raises, the record is worth more than the field
            return f"<{_name(type(value))}>"

    def _chain(self, record: logging.LogRecord) -> list[dict[str, Any]]:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        return described(error, self._speaking) if error else []


class JsonLines(_Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `event`, then fields, then `error` if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, plain ASCII, so that no stream's encoding can fail on it."""
        line: dict[str, Any] = {"time": _time(record), "level": record.levelname, "logger": record.name}
        line["event"] = self._event(record)
        for key, value in self._fields(record).items():
            line[f"{key}_" if key in line or key == "error" else key] = value
        if chain := self._chain(record):
            line["error"] = chain
        return json.dumps(line, separators=(",", ":"))


class Console(_Formatter):
    """For people: `time LEVEL logger: event key=value`, an exception's chain on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, with control characters escaped, so that no value can forge another line."""
        pairs = "".join(f" {key}={value}" for key, value in self._fields(record).items())
        line = f"{_time(record)} {record.levelname} {record.name}: {self._event(record)}{pairs}"
        lines = [_one_line(line)]
        for link in self._chain(record):
            says = f": {link['says']}" if "says" in link else ""
            lines.append(_one_line(f"  {link['type']}{says}"))
            lines.extend(_one_line(f"    at {place}") for place in reversed(link["at"]))
        return "\n".join(lines)


_FORMATTERS: dict[str, type[_Formatter]] = {"json": JsonLines, "console": Console}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _one_line(text: str) -> str:
    escaped = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return escaped.encode("utf-8", "backslashreplace").decode("utf-8")


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to the stream; a record that cannot be written is named, not dumped with its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Say which logger and which kind of failure; `logging`'s own would print the message and its arguments."""
        kind = sys.exc_info()[0]
        with contextlib.suppress(Exception):
            sys.stderr.write(f"a log record of {record.name} was not written: {_name(kind or Exception)}\n")

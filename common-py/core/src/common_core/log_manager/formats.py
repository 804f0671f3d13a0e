"""How a record is written: a JSON object a line, or a line for people."""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from common_core.log_manager.context import bound
from common_core.log_manager.speech import Speech, described, without_secrets

_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class _Formatter(logging.Formatter):
    """What both formats share: the record as a flat dict of speakable fields."""

    def __init__(self, speech: Speech) -> None:
        super().__init__()
        self._speech = speech

    def _event(self, record: logging.LogRecord) -> str:
        message = record.msg if isinstance(record.msg, str) else str(self._speech.speakable(record.msg))
        if record.name == "asyncio":  # below the first line it quotes tasks with what they raised
            message = message.partition("\n")[0]
        with contextlib.suppress(TypeError, ValueError, KeyError):  # a wrong template is still worth its words
            message = message % self._arguments(record.args) if record.args else message
        return without_secrets(message)

    def _arguments(self, args: Any) -> Any:
        if isinstance(args, Mapping):
            return {key: self._speech.field(str(key), value) for key, value in args.items()}
        return tuple(self._speech.speakable(value) for value in args)

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        extras = {key: value for key, value in vars(record).items() if key not in _OF_EVERY_RECORD}
        fields = {key: self._speech.field(key, value) for key, value in {**bound(), **extras}.items()}
        return dict(sorted(fields.items()))

    def _chain(self, record: logging.LogRecord) -> list[dict[str, Any]]:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        return described(error, self._speech.speaking) if error else []


class JsonLines(_Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `event`, then fields, then `error` if there is one.

    >>> from common_core.log_manager.speech import FORBIDDEN
    >>> record = logging.makeLogRecord({"name": "gate", "levelname": "INFO", "msg": "taken", "count": 3})
    >>> json.loads(JsonLines(Speech(FORBIDDEN)).format(record))["count"]
    3
    """

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
        return "\n".join(map(_one_line, [line, *_lines(self._chain(record), "  ")]))


def _lines(chain: list[dict[str, Any]], indent: str) -> Iterator[str]:
    for link in chain:
        yield f"{indent}{link['type']}" + (f": {link['says']}" if "says" in link else "")
        yield from (f"{indent}  at {place}" for place in reversed(link["at"]))
        for member in link.get("members", ()):
            yield from _lines(member, f"{indent}  | ")


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _one_line(text: str) -> str:
    escaped = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return escaped.encode("utf-8", "backslashreplace").decode("utf-8")

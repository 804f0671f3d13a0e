"""The fields of a callback's envelope, each with its reader: (name, value) → what the envelope holds. Pure.

A value comes from JSON or from a query, so a number or a yes may come as a word: workflow engines write templates.
None means "not said"; an empty string is "not said" too, except for a cursor and a thread, where it is a statement.
Every reader raises `EnvelopeError(422, name, kind)` and nothing else.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.payload import EnvelopeError, Kind
from pipeline.rules.versions import ts_us

Value = str | int | bool | None
Reader = Callable[[str, object], Value]

_LONGEST: Final = 1024
_LARGEST_NUMBER: Final = 2**53
_CHANNEL: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ERROR_WORD: Final = re.compile(r"[a-z0-9_]{1,64}")
_FLAGS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "": None}


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise EnvelopeError(422, name, "string_type")
    if len(value) > _LONGEST or not value.isprintable():
        raise EnvelopeError(422, name, "string_value")
    return value


def _id(name: str, value: object) -> str | None:
    return _text(name, value) or None


def _connection(name: str, value: object) -> str | None:
    connection = _id(name, value)
    try:
        return connection and "/".join(split_connection(connection))
    except Rejected:
        raise EnvelopeError(422, name, "connection") from None


def _channel(name: str, value: object) -> str | None:
    channel = _id(name, value)
    if channel and not _CHANNEL.fullmatch(channel):
        raise EnvelopeError(422, name, "channel")
    return channel


def _ts(name: str, value: object) -> str:
    ts = _text(name, value)
    try:
        if ts:
            ts_us(ts)
    except Rejected:
        raise EnvelopeError(422, name, "ts") from None
    return ts


def _bound(name: str, value: object) -> str | None:
    return _ts(name, value) or None


def _flag(name: str, value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in _FLAGS:
        raise EnvelopeError(422, name, "bool_type")
    return _FLAGS[value]


def _number(name: str, value: object) -> int | None:
    if value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    if type(value) is not int or not 0 <= value <= _LARGEST_NUMBER:
        raise EnvelopeError(422, name, "int_type")
    return value


def _error_word(_: str, value: object) -> str:
    """Slack's own words are short and lower-case; anything else could be content."""
    return value if isinstance(value, str) and _ERROR_WORD.fullmatch(value) else "other"


_EVERY: Final[Mapping[str, Reader]] = {
    "connection": _connection,
    "run_id": _id,
    "attempt": _number,
    "cursor": _text,
    "next_cursor": _text,
    "has_more": _flag,
    "snapshot": _flag,
    "is_limited": _flag,
    "ok": _flag,
    "error": _error_word,
}
_WINDOW: Final[Mapping[str, Reader]] = {"channel": _channel, "thread_ts": _ts, "oldest": _bound, "latest": _bound}

READERS: Final[Mapping[Kind, Mapping[str, Reader]]] = {
    "messages": {**_EVERY, **_WINDOW},
    "channels": _EVERY,
    "users": _EVERY,
}
REQUIRED: Final[Mapping[Kind, tuple[str, ...]]] = {
    "messages": ("channel",),
    "channels": ("connection",),
    "users": ("connection",),
}
"""What no other source can give: the connection, run and attempt of messages are in their run token too."""

"""Which characters of Slack's strings are kept, and what an id and a `ts` look like. Pure."""

import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
# C0 without tab and line feed, DEL, C1. A carriage return goes too, so that "\r\n" is one line's end.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_TS = re.compile(r"[0-9]{1,10}(?:\.[0-9]{0,6})?\Z")


def clean(string: str) -> str:
    """The string without control characters, lone surrogates replaced by U+FFFD: always encodable as UTF-8."""
    if not _UNWANTED.search(string):
        return string
    return _SURROGATE.sub("�", _CONTROL.sub("", string))


def text_or_none(value: Any) -> str | None:
    """A clean string that says something; None for anything else."""
    return (clean(value) or None) if isinstance(value, str) else None


def id_or_none(value: Any) -> str | None:
    """An id as Slack writes them, None for anything else."""
    return value if isinstance(value, str) and _ID.match(value) else None


def ts_or_none(value: Any) -> str | None:
    """A `ts` that `versions.ts_us` understands, None for anything else."""
    return value if isinstance(value, str) and _TS.match(value) else None

"""One line of a batch → a record, or a constant word that says what is wrong with it. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

EPOCH_DIGITS = 16
MAX_ID_BYTES = 1024
_VERSION = re.compile(r"[0-9]{32}")
_INT64 = 2**63 - 1


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


# Made once: `json.loads` and `json.dumps` with options make a new one for every line.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Bad(Exception):
    """This line is no record. `reason` is one of the words of PROTOCOL.md; `id` is given where it could be read."""

    def __init__(self, reason: str, rid: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.id = rid


@dataclass(frozen=True, slots=True)
class Record:
    """A state of one id: the highest version wins. `body` is the JSON text as it is kept, `fields` what it says."""

    id: str
    version: str
    deleted: bool
    ts_us: int | None
    fields: dict[str, Any]
    body: str

    @property
    def epoch(self) -> str:
        """The version's first 16 digits: which run read this state."""
        return self.version[:EPOCH_DIGITS]


def read_record(line: bytes) -> Record:
    """A line of NDJSON as a record. Raises `Bad`.

    Written anew rather than kept as it came: of two equal keys the last is read, so only that one may be kept.
    """
    fields = _object(line)
    rid = _id(fields)
    version, deleted, ts_us = fields.get("version"), fields.get("deleted", False), fields.get("ts_us")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise Bad("bad_version", rid)
    if not isinstance(deleted, bool):
        raise Bad("bad_deleted", rid)
    if ts_us is not None and not is_time(ts_us):
        raise Bad("bad_ts_us", rid)
    return Record(rid, version, deleted, ts_us, fields, _body(fields, rid))


def is_time(value: object) -> bool:
    """Whether `value` is microseconds since the epoch, as SQLite can keep them."""
    return type(value) is int and 0 <= value < _INT64


def is_text(value: object) -> bool:
    """Whether `value` is a string that has a UTF-8 form: lone surrogates have none."""
    if not isinstance(value, str):
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object(line: bytes) -> dict[str, Any]:
    try:
        # Decoded here: json.loads would take UTF-16 and UTF-32 for JSON too.
        document = _DECODER.decode(line.decode())
    except (ValueError, RecursionError):
        raise Bad("not_json") from None
    if not isinstance(document, dict):
        raise Bad("not_object")
    return document


def _id(fields: dict[str, Any]) -> str:
    rid = fields.get("id")
    if not isinstance(rid, str) or not is_text(rid) or not 0 < len(rid.encode()) <= MAX_ID_BYTES or "\0" in rid:
        raise Bad("bad_id")
    return rid


def _body(fields: dict[str, Any], rid: str) -> str:
    try:
        body = _ENCODER.encode(fields)
    except (ValueError, RecursionError):  # 1e999 reads as infinity
        raise Bad("not_json", rid) from None
    return body if is_text(body) else json.dumps(fields, separators=(",", ":"))

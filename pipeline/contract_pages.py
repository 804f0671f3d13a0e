"""The records of a callback as the contract sees them: which ones have the identity that Slack gave them. Pure."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final, Literal, NamedTuple

import msgspec

from pipeline.envelope import LISTS, Kind, Undecodable
from pipeline.errors import Rejected
from pipeline.payload import EnvelopeError, read_object
from pipeline.rules.showing import Showing, showing
from pipeline.rules.versions import ts_us

Level = Literal["fail", "warn", "note"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong (`fail`: refused), in the way (`warn`: proves nothing, or dies) or worth a `note`."""

    level: Level
    field: str
    says: str


_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_WRAPPERS: Final = frozenset({"message_changed", "message_deleted"})
_DEAD: Final[Mapping[str, tuple[str, str]]] = {
    "not_an_object": ("", "are no objects: post Slack's objects as they are"),
    "no_ts": ("ts", "have no `ts`, which is a message's identity: post Slack's objects as they are"),
    "bad_ts": ("ts", "have a `ts` that is not Slack's string of digits, a point, digits: a number has lost some"),
    "no_id": ("id", "have no `id`; a `name` is none, since names change: post Slack's objects as they are"),
    "bad_id": ("id", "have an `id` that is not Slack's"),
    "channel_mismatch": ("channel", "name another channel than the envelope's `channel`"),
    "too_deep": ("", "are nested too deep to be held"),
    "bad_number": ("", "hold a number that nothing can hold"),
}


class Page:
    """One callback, read for its names."""

    def __init__(self, kind: Kind, body: bytes, query: Mapping[str, str]) -> None:
        self.kind, self.body, self.query = kind, body, query

    @property
    def list_name(self) -> str:
        """The field that holds the records."""
        return LISTS[self.kind]

    @cached_property
    def fields(self) -> Mapping[str, msgspec.Raw]:
        """The body's fields, undecoded; none where it is no object."""
        try:
            return read_object(self.body)
        except EnvelopeError:
            return {}

    def value(self, name: str) -> object:
        """A field's value out of the body, else the query; None where it is not said or cannot be read."""
        if name not in self.fields:
            return self.query.get(name)
        try:
            value: object = msgspec.json.decode(self.fields[name])
        except (msgspec.DecodeError, RecursionError):
            return None
        return value


class Judged(NamedTuple):
    """`dead`: reasons, one a record that has no identity; `shows`: threads and messages a day."""

    dead: list[str]
    shows: Showing
    findings: list[Finding]


def judge(kind: Kind, records: Sequence[object], channel: str) -> Judged:
    """Which records could not go on, and why. `channel` is the envelope's, "" for a directory."""
    identity = "ts" if kind == "messages" else "id"
    dead = [reason for record in records if (reason := _reason(record, identity, channel))]
    findings = [
        Finding("warn", _DEAD[reason][0] or "records", f"{number} of {len(records)} records {_DEAD[reason][1]}.")
        for reason, number in Counter(dead).items()
    ]
    return Judged(dead, showing(records if kind == "messages" else (), thread="", since=0), findings)


def _reason(record: object, identity: str, channel: str) -> str:
    if isinstance(record, Undecodable):
        return record.reason
    if not isinstance(record, dict):
        return "not_an_object"
    if identity == "ts" and record.get("subtype") in _WRAPPERS:
        return ""  # what it is about lies inside; the mapping judges it
    value = record.get(identity)
    if value is None:
        return f"no_{identity}"
    right = isinstance(value, str) and (_is_ts(value) if identity == "ts" else bool(_ID.fullmatch(value)))
    if not right:
        return f"bad_{identity}"
    named = (record.get("channel"), record.get("channel_id")) if channel else ()
    return "channel_mismatch" if any(_is_another(one, channel) for one in named) else ""


def _is_another(named: object, channel: str) -> bool:
    return named not in (None, "", channel) and not (isinstance(named, dict) and named.get("id") == channel)


def _is_ts(value: str) -> bool:
    try:
        ts_us(value)
    except Rejected:
        return False
    return True

"""How far each channel of a connection is covered: one stretch a channel, what its last days showed, its open runs."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from pipeline.rules.coverage import Proof
from pipeline.rules.outlook import Cost
from pipeline.rules.rereading import Day, Stale, Wish
from pipeline.rules.showing import MARK_BYTES, Tally
from pipeline.rules.windows import FIRST_STEP_US, Progress, Stretch
from pipeline.store.client import ask
from pipeline.store.keys import Keys, Shards
from pipeline.store.runs import MARKS, Run
from pipeline.store.scripts import Changes

FIELDS: Final = ("head", "tail", "start", "step", "since", "days", "deep", "last", "cost", "limited", *MARKS.values())
_TIMES: Final = ("head", "tail", "start", "since", "limited")
Days = dict[int, Day]
LIMITED: Final = "limited"
"""The flaw of pages whose older messages Slack's plan hides, the reason that is kept with their run, and the field of
the channel.
"""
_SECOND_US: Final = 1_000_000
_NEVER: Final = "!"
_PACKED: Final = "."
"""What days that are kept by their distances begin with."""


class Channels:
    """The coverage of all channels."""

    def __init__(self, client: redis.Redis, shards: Shards) -> None:
        self._client, self._shards = client, shards

    def read(self, connection: str, channels: Sequence[str]) -> list["Channel"]:
        """Where these channels stand."""
        state = self._fields(connection)
        return [Channel(name, state.get(name, {})) for name in channels]

    def all(self, connection: str) -> list["Channel"]:
        """Where all of its channels stand."""
        return [Channel(name, fields) for name, fields in sorted(self._fields(connection).items())]

    def shown(self, connection: str) -> dict[str, dict[str, Any]]:
        """Channel → head, tail, start (microseconds), open runs, allowed since."""
        shown: dict[str, dict[str, Any]] = {}
        for channel, fields in self._fields(connection).items():
            numbers = {what: int(fields[what]) for what in _TIMES if what in fields}
            names = {what: fields[what] for what in (*MARKS.values(), "last") if what in fields}
            again = wish(fields.get("deep", ""))
            shown[channel] = numbers | names | ({"again": again.high} if again else {})
        return shown

    def guarded(self, changes: Changes, keys: Keys, connection: str, channel: str, fields: Sequence[str]) -> list[str]:
        """Values of these fields, "" for one that is not there; the change holds only while they are the same."""
        key = keys.coverage(connection)
        found = ask(self._client, "HMGET", key, *(f"{channel}|{name}" for name in fields))
        said = [value.decode() if value is not None else "" for value in found]
        for name, value in zip(fields, said, strict=True):
            changes.expect(value, "HGET", key, f"{channel}|{name}")
        return said

    def _fields(self, connection: str) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for name, value in ask(self._client, "HGETALL", self._shards.of(connection).coverage(connection)).items():
            channel, _, what = name.decode().rpartition("|")
            found.setdefault(channel, {})[what] = value.decode()
        return found


@dataclass(frozen=True, slots=True)
class Channel:
    """The fields of one channel, and what the planners make of them."""

    name: str
    fields: Mapping[str, str]

    @property
    def covered(self) -> Stretch | None:
        """What is proved of it. A head alone was written before there were tails: all before it is read."""
        return stretch(*(self.fields.get(name, "") for name in ("head", "tail", "start")))

    @property
    def progress(self) -> Progress:
        """For live windows and backfill."""
        start, step = int(self.fields.get("start", 0)), int(self.fields.get("step", FIRST_STEP_US))
        return Progress(self.name, self.covered, start, step, live="run" in self.fields, back="back" in self.fields)

    @property
    def cost(self) -> Cost | None:
        """What its last slice took."""
        requests, _, length = self.fields.get("cost", "").partition(":")
        return Cost(int(requests), int(length)) if length else None

    @property
    def stale(self) -> Stale:
        """For re-reading."""
        return Stale(self.name, self.covered, unpack(self.fields.get("days")), "re" in self.fields)

    @property
    def deep(self) -> Wish | None:
        """What somebody wants read again whole, with every thread."""
        return wish(self.fields.get("deep", ""))


def stretch(head: str, tail: str, start: str) -> Stretch | None:
    """The covered stretch out of its fields."""
    return Stretch(int(tail or start or 0), int(head)) if head else None


def put(changes: Changes, coverage: str, channel: str, fields: Mapping[str, str]) -> None:
    """Write fields of a channel; one that is "" goes."""
    changes.hset(coverage, {f"{channel}|{name}": value for name, value in fields.items() if value})
    for name, value in fields.items():
        if not value:
            changes.do("HDEL", coverage, f"{channel}|{name}")


def still_hidden(before: str, found: Run, proved: Proof, tail: int) -> str:
    """Up to when Slack's plan may hide messages of a channel (microseconds), "" for nowhere, after a proved window.

    Such a window counts as read: Slack shows no more of it. It is not to pass for whole: once a reading of all of it
    hides nothing, the mark goes back.
    """
    if LIMITED in proved.flaws:
        return str(max(int(before or 0), found.latest))
    if before and found.replies and found.oldest < int(before) <= found.latest:
        return str(found.oldest) if found.oldest > tail else ""
    return before


def wish(value: str) -> Wish | None:
    """What is to be read again out of its field. One without `top` was written when nobody asked what it proves."""
    low, high, top, below, *_ = [*value.split(":"), "", "", ""]
    if not high:
        return None
    return Wish(int(low), int(high), int(top or high), 0 if not top else int(below) if below else None)


def wished(one: Wish) -> str:
    """The same as a field."""
    return f"{one.low}:{one.high}:{one.top}:{'' if one.below is None else one.below}"


def pack(days: Mapping[int, Day], oldest: int) -> str:
    """What is known of days as one field; what lies before day `oldest` is forgotten.

    A day is `number:messages:mark:read`, its number and when it was read (seconds) as the distance from the day before
    it; where they mostly are, one day on and at the same time, they are left out. One that was never read has "!".
    """
    packed, number, read = [], -1, 0
    for day, (tally, read_at) in sorted(days.items()):
        if day >= oldest:
            at = read_at // _SECOND_US
            packed.append(f"{_unless(1, day - number)}:{_tally(tally)}:{_unless(0, at - read) if at else _NEVER}")
            number, read = day, at or read
    return _PACKED + ";".join(packed)


def unpack(value: str | None) -> Days:
    """The days of such a field."""
    if value and not value.startswith(_PACKED):
        return _spelled_out(value)
    days: Days = {}
    number, read = -1, 0
    for part in filter(None, (value or "").removeprefix(_PACKED).split(";")):
        step, count, mark, later = part.split(":")
        number += int(step or 1)
        read += int(later or 0) if later != _NEVER else 0
        read_at = read * _SECOND_US if later != _NEVER else 0
        days[number] = Day(Tally(int(count), _mark(mark)) if count else None, read_at)
    return days


def _spelled_out(value: str) -> Days:
    """As it was kept in layout 2: every number whole, the mark in hexadecimal."""
    parts = (part.split(":") for part in value.split(";") if part)
    return {
        int(number): Day(Tally(int(count)).plus(Tally(0, int(mark, 16))) if count else None, int(read_at) * _SECOND_US)
        for number, count, mark, read_at in parts
    }


def _unless(usual: int, number: int) -> str:
    return "" if number == usual else str(number)


def _tally(tally: Tally | None) -> str:
    if tally is None:
        return ":"
    return f"{tally.messages}:{urlsafe_b64encode(tally.mark.to_bytes(MARK_BYTES)).decode()}"


def _mark(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text))

"""One channel of a zipped export: its days in the zip, an index of them, and the few days that are in memory.

A `ts` says in which span it lies. A span is one day's file, or several that overlap in time. The index has a line for
each span and for each thread; it is made when the channel is first used, by reading each day once.
"""

import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from simulator.export_cache import Latest
from simulator.export_zip import MOST_BYTES, BadZip, Member, Zip
from simulator.slack.paging import SlackError, micros

Json = dict[str, Any]

DAYS_IN_MEMORY: Final = 16 * 1024 * 1024
"""Bytes of unpacked days, over all channels."""
INDEX_IN_MEMORY: Final = 32 * 1024 * 1024
"""Bytes of indexes, over all channels."""


@dataclass
class Table:
    """The days of one folder of the zip: five numbers each."""

    day: "array[int]" = field(default_factory=lambda: array("Q"))
    offset: "array[int]" = field(default_factory=lambda: array("Q"))
    packed: "array[int]" = field(default_factory=lambda: array("I"))
    size: "array[int]" = field(default_factory=lambda: array("I"))
    crc: "array[int]" = field(default_factory=lambda: array("I"))
    method: "array[int]" = field(default_factory=lambda: array("B"))

    def add(self, day: int, member: Member) -> None:
        """One day's file. `day` only orders them."""
        for column, value in zip(
            (self.day, self.offset, self.packed, self.size, self.crc, self.method),
            (day, member.offset, member.packed, member.size, member.crc, member.method),
            strict=True,
        ):
            column.append(value)

    def extend(self, other: "Table") -> None:
        """The days of another folder of the same channel."""
        for name in vars(self):
            getattr(self, name).extend(getattr(other, name))

    def order(self) -> list[int]:
        """The rows by day."""
        return sorted(range(len(self.day)), key=lambda row: (self.day[row], self.offset[row]))

    def member(self, row: int) -> Member:
        """Where a row's file is."""
        return Member("day.json", self.offset[row], self.packed[row], self.size[row], self.crc[row], self.method[row])


class Head(msgspec.Struct):
    """What of a message says where it belongs."""

    ts: Any = None
    thread_ts: Any = None
    subtype: Any = None


@dataclass
class Span:
    """The messages of a span: undecoded by microsecond; sorted keys of history; replies as (parent, key), sorted."""

    messages: dict[int, bytes] = field(default_factory=dict)
    history: list[int] = field(default_factory=list)
    replies: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Index:
    """Sorted columns: of spans (rows of the table from `first` to `last`, `low` to `high` in time), of threads."""

    first: "array[int]" = field(default_factory=lambda: array("I"))
    last: "array[int]" = field(default_factory=lambda: array("I"))
    low: "array[int]" = field(default_factory=lambda: array("q"))
    high: "array[int]" = field(default_factory=lambda: array("q"))
    parents: "array[int]" = field(default_factory=lambda: array("q"))
    begins: "array[int]" = field(default_factory=lambda: array("I"))
    ends: "array[int]" = field(default_factory=lambda: array("I"))
    counts: tuple[int, int] = (0, 0)

    def span(self, key: int) -> int | None:
        """The number of the span that may hold a key."""
        at = bisect_right(self.low, key) - 1
        return at if at >= 0 and key <= self.high[at] else None

    @property
    def cost(self) -> int:
        """Bytes, about."""
        return 1000 + 24 * len(self.first) + 16 * len(self.parents)


Indexes = Latest[Index]
Spans = Latest[Span]


class Days:
    """Reads one channel. Raises `SlackError("internal_error")` for a day that cannot be read: Slack says so too."""

    def __init__(self, source: Zip, table: Table, indexes: Indexes, spans: Spans) -> None:
        self._zip, self._table = source, table
        self._indexes, self._spans = indexes, spans
        self._rows: array[int] = array("I", table.order())

    @property
    def index(self) -> Index:
        """Made at the first use, and again where it had to make room."""
        return self._indexes.get(self, self._indexed)

    def raw(self, key: int) -> bytes | None:
        """A message's JSON, None where there is none."""
        at = self.index.span(key)
        return None if at is None else self._span(at).messages.get(key)

    def first(self) -> list[bytes]:
        """The messages of the first day."""
        return self._messages(self._rows[0]) if self._rows else []

    def keys(self) -> Iterator[int]:
        """All keys, oldest first."""
        for at in range(len(self.index.first)):
            yield from sorted(self._span(at).messages)

    def history(self, high: int) -> Iterator[int]:
        """Keys of history from `high` down."""
        for at in range(bisect_right(self.index.low, high) - 1, -1, -1):
            keys = self._span(at).history
            yield from reversed(keys[: bisect_right(keys, high)])

    def replies(self, parent: int) -> list[int]:
        """The keys of a thread, oldest first, its parent left out."""
        index = self.index
        at = bisect_left(index.parents, parent)
        if at == len(index.parents) or index.parents[at] != parent:
            return []
        found = []
        for span in range(index.begins[at], index.ends[at] + 1):
            replies = self._span(span).replies
            first, last = bisect_left(replies, (parent, 0)), bisect_left(replies, (parent + 1, 0))
            found += [key for _, key in replies[first:last]]
        return found

    def _span(self, at: int) -> Span:
        index = self.index
        return self._spans.get((self, at), lambda: self._read(index.first[at], index.last[at]))

    def _read(self, first: int, last: int) -> tuple[Span, int]:
        """The rows from `first` to `last` as one span, and the bytes that it costs."""
        rows = self._rows[first : last + 1]
        size = sum(self._table.size[row] for row in rows)
        if size > MOST_BYTES:
            raise SlackError("internal_error")
        span = Span()
        for row in rows:
            for raw in self._messages(row):
                _put(span, raw)
        span.history.sort()
        span.replies.sort()
        return span, size + 200 * len(span.messages)

    def _messages(self, row: int) -> list[bytes]:
        try:
            return _split(self._zip.read(self._table.member(row)))
        except (BadZip, ValueError, RecursionError):
            raise SlackError("internal_error") from None

    def _indexed(self) -> tuple[Index, int]:
        building = _Building()
        for row in range(len(self._rows)):
            building.add(row, self._read(row, row)[0], self._read)
        index = building.done()
        return index, index.cost


@dataclass
class _Building:
    """An index while the days are read, oldest first."""

    spans: list[tuple[int, int, int, int]] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    threads: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, row: int, span: Span, read: Callable[[int, int], tuple[Span, int]]) -> None:
        """One more day; where it reaches back into spans before it, they are one span from now on."""
        if not span.messages:
            return
        first, low, high = row, min(span.messages), max(span.messages)
        while self.spans and low <= self.spans[-1][3]:
            first, _, earlier, later = self.spans.pop()
            self.sizes.pop()
            low, high = min(low, earlier), max(high, later)
            span, _ = read(first, row)
        self.spans.append((first, row, low, high))
        self.sizes.append((len(span.messages), len(span.history)))
        at = len(self.spans) - 1
        for parent, _ in span.replies:
            begins, ends = self.threads.get(parent, (at, at))
            self.threads[parent] = min(begins, at), max(min(ends, at), at)

    def done(self) -> Index:
        """The columns."""
        index = Index()
        for first, last, low, high in self.spans:
            index.first.append(first)
            index.last.append(last)
            index.low.append(low)
            index.high.append(high)
        for parent, (begins, ends) in sorted(self.threads.items()):
            index.parents.append(parent)
            index.begins.append(begins)
            index.ends.append(ends)
        index.counts = sum(size for size, _ in self.sizes), sum(size for _, size in self.sizes)
        return index


def _split(data: bytes) -> list[bytes]:
    """The messages of a day, undecoded. Raises `ValueError` for what is no list."""
    try:
        return [bytes(raw) for raw in msgspec.json.decode(data, type=list[msgspec.Raw])]
    except msgspec.DecodeError:  # half a surrogate pair, which Slack's own cutting leaves, is none of JSON's faults
        value = json.loads(data)
    if not isinstance(value, list):
        raise ValueError
    return [json.dumps(message).encode() for message in value]


def _put(span: Span, raw: bytes) -> None:
    """An export may repeat a message (a broadcast shows twice) or hold one without a `ts`: Slack would show neither."""
    try:
        head = msgspec.json.decode(raw, type=Head)
        key = micros(str(head.ts))
        parent = micros(str(head.thread_ts)) if head.thread_ts else key
    except (msgspec.DecodeError, SlackError):
        return
    if key in span.messages:
        return
    span.messages[key] = raw
    if parent == key or head.subtype == "thread_broadcast":
        span.history.append(key)
    if parent != key:
        span.replies.append((parent, key))

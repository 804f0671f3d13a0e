"""The records of an input, one by one: of a page, a list, an export's day, or lines of any of these."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from cli.preview_frames import Damaged, Frames, Value
from cli.preview_lines import first_line, is_whole, lines
from cli.preview_source import CAP, BadInput, Line, Opened, Source, frames_of
from pipeline.envelope_fields import READERS
from pipeline.payload import LISTS, EnvelopeError, Kind

_MOST_FIELDS: Final = 1000


class Item(NamedTuple):
    """One record: its number from 1, its offset, its bytes (None: longer than the cap), the channel of its page.

    `line` is 0 where the input was not read by lines.
    """

    number: int
    at: int
    raw: bytes | None
    channel: str | None = None
    line: int = 0


class Hurt(NamedTuple):
    """Where the input is no JSON; `line` as in `Item`."""

    at: int
    line: int
    says: str


class WrongKind(BadInput):
    """The input is a page of another kind."""

    def __init__(self, found: Kind) -> None:
        super().__init__(f"This is a page of {found}: say `--kind {found}`.")
        self.found = found


@dataclass
class Items:
    """The records of `kind`; after the last one the other fields tell what was met on the way.

    `wants_channel`: messages are looked up a channel for, also behind their list.
    """

    kind: Kind
    wants_channel: bool = True
    pages: int = 0
    gaps: Counter[str] = field(default_factory=Counter)
    late_channel: bool = False
    hurt: list[Hurt] = field(default_factory=list)
    damaged: int = 0
    read: int = 0
    at: int = 0
    line: int = 0

    def of(self, opened: Opened) -> Iterator[Item]:
        """Every record of an input. Damage ends a list or a page; of lines, only the line. Raises `BadInput`."""
        first = first_line(opened)
        if first is not None and is_whole(first):
            opened.head = first
            yield from self._lines(opened)
            return
        yield from self._guarded(opened)

    def _lines(self, opened: Opened) -> Iterator[Item]:
        base = opened.base
        for number, (line, size) in enumerate(lines(opened), 1):
            self.line = number
            if line is None:
                self.read += 1
                yield Item(self.read, base, None, line=number)
            else:
                yield from self._guarded(Line(line, base))
            base += size
            self.at = base

    def _guarded(self, source: Source) -> Iterator[Item]:
        frames = frames_of(source)
        try:
            while frames.peek():
                yield from self._top(source, frames)
        except Damaged as damage:
            self.note(damage.at + source.base, damage.says)

    def note(self, at: int, says: str) -> None:
        """Count a damaged place of the input; the first few are kept."""
        self.damaged += 1
        if len(self.hurt) < 10:
            self.hurt.append(Hurt(at, self.line, says))

    def _top(self, source: Source, frames: Frames) -> Iterator[Item]:
        match frames.peek():
            case b"[":
                yield from self._list(source, frames, None)
            case b"{":
                yield from self._object(source, frames)
            case _:
                raise Damaged(frames.at, "this is no JSON object and no list")

    def _list(self, source: Source, frames: Frames, channel: str | None) -> Iterator[Item]:
        frames.take(b"[")
        if frames.peek() == b"]":
            frames.take(b"]")
            return
        while True:
            yield self._item(source, frames.value(), channel)
            if frames.take(b",", b"]") == b"]":
                return

    def _item(self, source: Source, value: Value, channel: str | None) -> Item:
        self.read += 1
        self.at = value.at + source.base
        return Item(self.read, self.at, value.raw, channel, self.line)

    def _object(self, source: Source, frames: Frames) -> Iterator[Item]:
        """A page, if it holds the list of our kind; else a record by itself."""
        found = _Object(frames.at, self.kind)
        frames.take(b"{")
        more = frames.peek() != b"}"
        while more:
            name = found.name(frames.value())
            frames.take(b":")
            if name == LISTS[self.kind] and frames.peek() == b"[":
                if found.is_page:
                    raise Damaged(frames.at, f"`{name}` comes twice in one page")
                self.pages += 1
                channel = self._channel(source, found)
                yield from self._list(source, frames, channel)
                found.is_page = True
            else:
                found.add(name, frames)
            more = frames.take(b",", b"}") == b","
        if not found.size:
            frames.take(b"}")
        if found.is_page:
            self.late_channel |= found.is_late
        elif found.is_gap:
            self.gaps[found.error] += 1
        else:
            yield self._item(source, found.value(), None)

    def _channel(self, source: Source, found: "_Object") -> str | None:
        """The page's own; where it was not said before the list, whatever is said behind it."""
        if self.kind != "messages" or not self.wants_channel:
            return None
        raw = found.fields.get("channel")
        if raw is None and (again := source.again(found.at)) is not None:
            with again:
                raw = _look_ahead(Frames(again, CAP))
        else:
            found.watches = raw is None
        return None if raw is None else _read_channel(found.at, raw)


class _Object:
    """What is known of an object while its fields come in."""

    def __init__(self, at: int, kind: Kind) -> None:
        self.at, self.kind = at, kind
        self.fields: dict[str, bytes] = {}
        self.is_page = self.watches = self.is_late = False
        self.size = 0
        self._parts: list[bytes] = []

    def name(self, value: Value) -> str:
        """A field's name. Raises `Damaged`."""
        try:
            name = msgspec.json.decode(value.raw or b"", type=str)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Damaged(value.at, "this is no JSON") from None
        self.size += value.size
        return name

    def add(self, name: str, frames: Frames) -> None:
        """One field that is not our list. Raises `WrongKind`, `Damaged`."""
        if frames.peek() == b"[":
            _refuse_other(self.kind, name)
        value = frames.value()
        self.size += value.size
        self.is_late |= self.watches and self.is_page and name == "channel"
        if value.raw is None or self.size > CAP or len(self._parts) > _MOST_FIELDS:
            self.size = max(self.size, CAP + 1)
            self._parts.clear()
            return
        self.fields[name] = value.raw if len(value.raw) <= 1024 else b""
        self._parts.append(msgspec.json.encode(name) + b":" + value.raw)

    @property
    def is_gap(self) -> bool:
        """Slack's answer that it has no page."""
        return self.fields.get("ok") == b"false"

    @property
    def error(self) -> str:
        """The word of that answer."""
        try:
            word = READERS["messages"]["error"]("error", msgspec.json.decode(self.fields.get("error", b'""')))
        except (EnvelopeError, msgspec.DecodeError):
            word = None
        return str(word or "other")

    def value(self) -> Value:
        """The whole object as one record."""
        raw = b"{" + b",".join(self._parts) + b"}" if self.size <= CAP else None
        return Value(self.at, self.size, raw)


def _refuse_other(kind: Kind, name: str) -> None:
    """A list that pages of another kind have. A channel's own record may hold its `members`."""
    for other, list_name in LISTS.items():
        if name == list_name and other != kind and not (kind == "channels" and name == "members"):
            raise WrongKind(other)


def _look_ahead(frames: Frames) -> bytes | None:
    """The `channel` of the object that begins here, wherever it stands in it; damage is found by the reading proper."""
    try:
        frames.take(b"{")
        while True:
            name = frames.value()
            frames.take(b":")
            value = frames.value()
            if name.raw == b'"channel"':
                return value.raw
            if frames.take(b",", b"}") == b"}":
                return None
    except Damaged:
        return None


def _read_channel(at: int, raw: bytes) -> str | None:
    try:
        channel = READERS["messages"]["channel"]("channel", msgspec.json.decode(raw))
    except (EnvelopeError, msgspec.DecodeError):
        raise Damaged(at, "the `channel` of this page is no channel id: the webhook refuses it (422)") from None
    return None if channel is None else str(channel)

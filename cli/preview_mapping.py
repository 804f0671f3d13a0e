"""What the pipeline would make of one raw record: the same decoding, the same gate, the same mapping."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from cli.preview_frames import Damaged
from cli.preview_items import Item, Items, WrongKind
from cli.preview_source import BadInput, Opened
from pipeline.errors import Rejected
from pipeline.models import Internal
from pipeline.payload import LISTS, EnvelopeError, Kind, Undecodable, read_records
from pipeline.rules.allowlist import Allowed, Entry, union
from pipeline.slack.census import Census
from pipeline.slack.characters import id_or_none
from pipeline.slack.directory import map_channel, map_user
from pipeline.slack.mapping import map_message
from pipeline.slack.names import Names

EPOCH: Final = 0
"""No run asked for what is previewed: the first half of each version is zeros."""
NOBODY: Final = "nobody/preview"
_WRAPPERS: Final = ("message_changed", "message_deleted")


class Outcome(NamedTuple):
    """What became of one record: `written`, `dropped`, `withheld` or `quarantined`, and the word for why.

    `is_strange`: it has no identity of its kind, and may be of another.
    """

    kind: str
    reason: str
    record: Internal | None = None
    wrapper: str = ""
    is_strange: bool = False


def decoded(kind: Kind, at: int, raw: bytes) -> object:
    """One record by the code that reads callbacks, which judges half surrogates, depth and numbers.

    Raises `Damaged` for what is no JSON after all.
    """
    try:
        records = read_records(b'{"%b":[%b]}' % (LISTS[kind].encode(), raw), kind)
    except EnvelopeError as error:
        raise Damaged(at, f"this is no JSON ({error.kind})") from None
    if len(records) != 1:
        raise Damaged(at, "this is no JSON")
    return records[0]


@dataclass
class Gate:
    """Who may pass. `allow` holds channel ids; with `everything` whichever channel is named is on the list.

    `census` tells afterwards what the mapping withheld of other channels, and what it does not know.
    """

    kind: Kind
    team: str
    channel: str = ""
    allow: frozenset[str] = frozenset()
    everything: bool = False
    names: Names = field(default_factory=Names)
    census: Census = field(default_factory=Census)

    def pass_on(self, item: Item) -> Outcome:
        """Decode, admit, map. Raises `Damaged` for what is no JSON after all."""
        if item.raw is None:
            return Outcome("quarantined", "too_large")
        raw = decoded(self.kind, item.at, item.raw)
        try:
            if isinstance(raw, Undecodable):
                return Outcome("quarantined", raw.reason)
            outcome = self._message(raw, item.channel) if self.kind == "messages" else self._entry(raw)
        except Rejected as error:
            outcome = Outcome("quarantined", error.reason, wrapper=_wrapper(raw))
        return outcome._replace(is_strange=True) if self._is_strange(raw) else outcome

    def _is_strange(self, raw: object) -> bool:
        identity = "ts" if self.kind == "messages" else "id"
        return not isinstance(raw, dict) or (identity not in raw and not _wrapper(raw))

    def _message(self, raw: object, paged: str | None) -> Outcome:
        if self.channel:
            raw = _unplaced(raw)
        channel = self.channel or paged or _own_channel(raw)
        allowed = self._allowed(channel)
        if not allowed.admits(channel):
            return Outcome("withheld", allowed.refusal(channel))
        record = map_message(raw, team=self.team, channel=channel, epoch=EPOCH, names=self.names, census=self.census)
        wrapper = _wrapper(raw)
        if record is None:
            return Outcome("dropped", "notice", wrapper=wrapper)
        return Outcome("written", "message", record, wrapper)

    def _entry(self, raw: object) -> Outcome:
        """A member of the team passes; a channel's own record only if the channel is allowed."""
        if self.kind == "users":
            return Outcome("written", "user", map_user(raw, team=self.team, epoch=EPOCH, census=self.census))
        record = map_channel(raw, team=self.team, epoch=EPOCH, census=self.census)
        allowed = self._allowed(record.channel)
        if not allowed.admits(record.channel):
            return Outcome("withheld", allowed.refusal(record.channel))
        return Outcome("written", "allowed_slack_channel", record)

    def _allowed(self, channel: str) -> Allowed:
        named = {*self.allow, channel} - {""} if self.everything else self.allow
        return union((Entry(self.team, one, NOBODY, EPOCH) for one in named), self.team)


def read_names(files: list[str], team: str, allow: frozenset[str], *, everything: bool) -> Names:
    """Display names of users, and names of allowed channels, out of directory files. Raises `BadInput`."""
    users: dict[str, str] = {}
    channels: dict[str, str] = {}
    for name in files:
        for raw in _directory(name):
            try:
                _name(raw, team, users, channels)
            except Rejected:
                continue  # an entry without an id names nobody
    return Names(users, {one: name for one, name in channels.items() if everything or one in allow})


def _directory(name: str) -> list[Any]:
    """The raw records of one file, whichever of the two kinds its pages are. Raises `BadInput`."""
    try:
        return _records(name, "users")
    except WrongKind as other:
        return _records(name, other.found)


def _records(name: str, kind: Kind) -> list[Any]:
    items = Items(kind)
    with Opened(name) as opened:
        try:
            found = [decoded(kind, item.at, item.raw) for item in items.of(opened) if item.raw is not None]
        except Damaged as damage:
            items.note(damage.at, damage.says)
    if items.hurt:
        raise BadInput(f"{name} is damaged at byte {items.hurt[0].at}: {items.hurt[0].says}.")
    return found


def _name(raw: Any, team: str, users: dict[str, str], channels: dict[str, str]) -> None:
    """A user has a profile, or says that it is a bot or not; everything else with an id and a name is a channel."""
    if isinstance(raw, Mapping) and ("profile" in raw or "is_bot" in raw):
        user = map_user(raw, team=team, epoch=EPOCH)
        users[user.user_id or ""] = user.display_name or user.real_name or user.name or user.user_id or ""
        return
    channel = map_channel(raw, team=team, epoch=EPOCH)
    if channel.name:
        channels[channel.channel] = channel.name


def _own_channel(raw: object) -> str:
    """The channel that a message names itself: an id, or an object with one, as search gives it."""
    named = raw.get("channel") if isinstance(raw, dict) else None
    return id_or_none(named.get("id") if isinstance(named, dict) else named) or ""


def _unplaced(raw: object) -> object:
    """The message without the channel that it names itself, for `--channel` says it."""
    if not isinstance(raw, dict):
        return raw
    inner = {"message": _unplaced(raw["message"])} if isinstance(raw.get("message"), dict) else {}
    return {name: value for name, value in raw.items() if name != "channel"} | inner


def _wrapper(raw: object) -> str:
    subtype = raw.get("subtype") if isinstance(raw, dict) else None
    return subtype if subtype in _WRAPPERS else ""

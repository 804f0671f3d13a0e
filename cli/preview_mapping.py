"""What the pipeline would make of one raw record: the same decoding, the same gate, the same mapping."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from cli.preview_decoding import EPOCH, decoded
from cli.preview_directory import Directory
from cli.preview_items import Item
from pipeline.errors import Rejected
from pipeline.models import AllowedSlackChannel, Internal
from pipeline.payload import Kind, Undecodable
from pipeline.rules.allowlist import Allowed, Entry, union
from pipeline.rules.identity import is_direct
from pipeline.slack.census import Census
from pipeline.slack.characters import id_or_none
from pipeline.slack.directory import map_channel, map_user
from pipeline.slack.mapping import map_message
from pipeline.slack.names import Names
from pipeline.slack.notices import channel_notice, is_channel_notice

NOBODY: Final = "nobody/preview"
_WRAPPERS: Final = ("message_changed", "message_deleted")
_STATES: Final = ("message", "previous_message")


class Outcome(NamedTuple):
    """What became of one record: `written`, `dropped`, `withheld` or `quarantined`, and the word for why.

    `is_strange`: it has no identity of its kind, and may be of another.
    """

    kind: str
    reason: str
    record: Internal | None = None
    wrapper: str = ""
    is_strange: bool = False


@dataclass
class Gate:
    """Who may pass. `allow` holds channel ids; with `everything` whichever channel is named is on the list.

    `direct_messages`: whether these may be on it (SLUICE_ALLOW_DIRECT_MESSAGES). `notices` counts what Slack told of
    channels, for which the pipeline pauses them. `census` tells afterwards what the mapping withheld of other channels,
    and what it does not know.
    """

    kind: Kind
    team: str
    channel: str = ""
    allow: frozenset[str] = frozenset()
    everything: bool = False
    directory: Directory = field(default_factory=Directory)
    direct_messages: bool = False
    census: Census = field(default_factory=Census)
    notices: Counter[str] = field(default_factory=Counter)
    _last: tuple[str, Allowed] | None = None

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
        return not isinstance(raw, dict) or not (identity in raw or _wrapper(raw) or is_channel_notice(raw))

    def _message(self, raw: object, paged: str | None) -> Outcome:
        if self.channel:
            raw = _unplaced(raw)
        channel = self.channel or paged or _own_channel(raw)
        allowed = self._allowed(channel)
        if not allowed.admits(channel):
            return Outcome("withheld", allowed.refusal(channel))
        if notice := channel_notice(raw, team=self.team, channel=channel):
            self.notices[notice.change] += 1
        record = map_message(raw, team=self.team, channel=channel, epoch=EPOCH, names=self._names, census=self.census)
        if record is None:
            return Outcome("dropped", "notice", wrapper=_wrapper(raw))
        return Outcome("written", "message", record, _wrapper(raw))

    def _entry(self, raw: object) -> Outcome:
        """A member of the team passes; a channel's own record only if the channel is allowed."""
        if self.kind == "users":
            return Outcome("written", "user", map_user(raw, team=self.team, epoch=EPOCH, census=self.census))
        record = map_channel(raw, team=self.team, epoch=EPOCH, census=self.census)
        allowed = self._listed(record.channel, record)
        if not allowed.admits(record.channel):
            return Outcome("withheld", allowed.refusal(record.channel))
        return Outcome("written", "allowed_slack_channel", record)

    @cached_property
    def _names(self) -> Names:
        """Of channels only those that are allowed have one."""
        named = (one for one in self.directory.channels.values() if one.name)
        names = {one.channel: one.name or "" for one in named if self._listed(one.channel, one).admits(one.channel)}
        return Names(self.directory.users, names)

    def _allowed(self, channel: str) -> Allowed:
        """The list for messages of a channel; the next message is mostly of the same one."""
        if self._last is None or self._last[0] != channel:
            self._last = channel, self._listed(channel, self.directory.channels.get(channel))
        return self._last[1]

    def _listed(self, channel: str, record: AllowedSlackChannel | None) -> Allowed:
        """The list, as far as one channel is concerned, of which `record` says what kind it is."""
        named = {*self.allow, channel} - {""} if self.everything else self.allow
        allowed = union((Entry(self.team, one, NOBODY, EPOCH) for one in named), self.team)
        if self.direct_messages or not is_direct(channel, record):
            return allowed
        return allowed.without({channel: "direct_message"})


def _own_channel(raw: object) -> str:
    """The channel that a message names itself: an id, or an object with one, as search gives it."""
    named = raw.get("channel") if isinstance(raw, dict) else None
    return id_or_none(named.get("id") if isinstance(named, dict) else named) or ""


def _unplaced(raw: object) -> object:
    """The message without the channel that it names itself, for `--channel` says it."""
    if not isinstance(raw, dict):
        return raw
    inner = {name: _unplaced(raw[name]) for name in _STATES if isinstance(raw.get(name), dict)}
    return {name: value for name, value in raw.items() if name not in ("channel", "channel_id")} | inner


def _wrapper(raw: object) -> str:
    subtype = raw.get("subtype") if isinstance(raw, dict) else None
    return subtype if subtype in _WRAPPERS else ""

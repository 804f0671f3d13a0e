"""What the allowlist lets through. Pure, and closed by default: what is not plainly allowed is not.

An entry says that one connection allows one channel of one team since an epoch. The list of an organisation and team
is the union over its live connections.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

DropReason = Literal["not_allowed", "no_list", "old_generation", "unknown_channel", "channel_paused", "direct_message"]


class Entry(NamedTuple):
    """`connection` allows `channel` of `team` since epoch `since`, by version `version` of its list."""

    team: str
    channel: str
    connection: str
    since: int
    version: int = 0


class Allowance(NamedTuple):
    """One connection's word for a channel."""

    since: int
    version: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """The effective list of one organisation and team: channel → who allows it since when.

    `kept_back` are channels on it of which nothing may pass now all the same.
    """

    channels: dict[str, dict[str, Allowance]] = field(default_factory=dict)
    kept_back: dict[str, DropReason] = field(default_factory=dict)

    def admits(self, channel: str | None) -> bool:
        """Whether records of this channel may be forwarded."""
        return bool(channel) and channel in self.channels and channel not in self.kept_back

    def refusal(self, channel: str | None) -> DropReason:
        """Why a channel that is not admitted is not."""
        if not channel:
            return "unknown_channel"
        if channel in self.kept_back:
            return self.kept_back[channel]
        return "not_allowed" if self.channels else "no_list"

    def without(self, reasons: Mapping[str, DropReason]) -> "Allowed":
        """The same list, with more of its channels kept back; the first reason stands."""
        found = {channel: reason for channel, reason in reasons.items() if channel in self.channels}
        return Allowed(self.channels, {**found, **self.kept_back}) if found else self

    def since(self, channel: str, connection: str) -> int | None:
        """The epoch since which this connection allows the channel; None where it does not, or it is kept back."""
        if channel in self.kept_back:
            return None
        found = self.channels.get(channel, {}).get(connection)
        return None if found is None else found.since

    def first(self, channel: str, *, without: str = "") -> tuple[str, Allowance] | None:
        """Who allows the channel longest, not counting `without`."""
        others = [pair for pair in self.channels.get(channel, {}).items() if pair[0] != without]
        return min(others, key=lambda pair: (pair[1].since, pair[0]), default=None)


def union(entries: Iterable[Entry], team: str) -> Allowed:
    """The effective list of one team."""
    channels: dict[str, dict[str, Allowance]] = {}
    for entry in entries:
        if entry.team == team:
            channels.setdefault(entry.channel, {})[entry.connection] = Allowance(entry.since, entry.version)
    return Allowed(channels)


class Difference(NamedTuple):
    """What a new list of one connection changes. `orphaned`: removed, and nobody else allows it any more."""

    added: list[str]
    removed: list[str]
    orphaned: list[str]


def difference(allowed: Allowed, connection: str, wanted: Iterable[str]) -> Difference:
    """Compare a connection's own entries with the list it wants. Putting the same list twice changes nothing."""
    own = {channel for channel, allowers in allowed.channels.items() if connection in allowers}
    target = set(wanted)
    removed = sorted(own - target)
    orphaned = [channel for channel in removed if len(allowed.channels[channel]) == 1]
    return Difference(sorted(target - own), removed, orphaned)

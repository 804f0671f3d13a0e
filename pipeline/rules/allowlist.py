"""What the allowlist lets through. Pure, and closed by default: what is not plainly allowed is not.

An entry says that one connection allows one channel of one team since an epoch. The list of an organisation and team
is the union over its live connections.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

DropReason = Literal["not_allowed", "no_list", "old_generation", "unknown_channel"]


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
    """The effective list of one organisation and team: channel → who allows it since when."""

    channels: dict[str, dict[str, Allowance]] = field(default_factory=dict)

    def admits(self, channel: str | None) -> bool:
        """Whether records of this channel may be forwarded."""
        return bool(channel) and channel in self.channels

    def refusal(self, channel: str | None) -> DropReason:
        """Why a channel that is not admitted is not."""
        if not channel:
            return "unknown_channel"
        return "not_allowed" if self.channels else "no_list"

    def since(self, channel: str, connection: str) -> int | None:
        """The epoch since which this connection allows the channel, or None where it does not."""
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

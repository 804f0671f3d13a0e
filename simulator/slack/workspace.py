"""One Slack workspace (team) in memory."""

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

from simulator.slack.channel import Channel
from simulator.slack.paging import SlackError

Json = dict[str, Any]

KINDS = ("is_im", "is_mpim", "is_private")
TYPE_NAMES = {"is_im": "im", "is_mpim": "mpim", "is_private": "private_channel"}


def type_of(record: Json) -> str:
    """Slack's name for the type of a conversation; the flags say it, the id's prefix does not."""
    return next((TYPE_NAMES[flag] for flag in KINDS if record.get(flag)), "public_channel")


@dataclass
class Workspace:
    """A team: its people, its channels by id in sorted order, and the user who connected it."""

    team: str
    name: str
    users: list[Json]
    channels: dict[str, Channel] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """The Slack token that Paragon holds for this workspace."""
        return f"xoxp-{self.team}-{hashlib.sha256(self.team.encode()).hexdigest()[:24]}"

    @property
    def installer(self) -> str:
        """The Slack user whose token it is: the first person who is one."""
        people = [u for u in self.users if not u.get("is_bot") and not u.get("deleted") and u["id"] != "USLACKBOT"]
        return str((people or self.users or [{"id": "U00000000"}])[0]["id"])

    def channel(self, channel: str) -> Channel:
        """A channel by id. Raises `SlackError("channel_not_found")`."""
        found = self.channels.get(channel)
        if found is None:
            raise SlackError("channel_not_found")
        return found

    def change_id(self, channel: str, new: str) -> None:
        """Give a channel another id, as Slack does, and to its messages that name it. Raises
        `SlackError("channel_not_found")`.
        """
        moved = self.channel(channel)
        moved.record["id"] = new
        for key, message in list(moved.messages.items()):
            if message.get("channel") == channel:
                moved.messages[key] = {**message, "channel": new}
        kept = {name: found for name, found in self.channels.items() if name != channel}
        self.channels = dict(sorted({**kept, new: moved}.items()))

    def messages(self) -> int:
        """How many messages the workspace holds."""
        return sum(len(channel.messages) for channel in self.channels.values())


def page_by_id(records: list[Json], start: str, limit: int) -> tuple[list[Json], str]:
    """At most `limit` of records sorted by id, from id `start` on, and the id that the next page starts at."""
    ids = [str(record["id"]) for record in records]
    at = bisect_left(ids, start)
    following = ids[at + limit] if at + limit < len(ids) else ""
    return records[at : at + limit], following

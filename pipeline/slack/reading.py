"""What one message is read with, and what reading it finds: names go in, mentions and links come out. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.models import Mentions, Reference
from pipeline.slack.census import Census, Kind
from pipeline.slack.foreign import is_another_message
from pipeline.slack.names import Names

_LABELLED = re.compile(r"<(?:[@#]|!subteam\^)([A-Za-z0-9_.-]{1,64})\|([^<>]++)>")
_BROADCASTS = frozenset({"here", "channel", "everyone"})
_NO_MENTIONS = Mentions()


@dataclass(slots=True)
class Found:
    """What a text points at, in order, each once (a dict keeps the order)."""

    users: dict[str, None] = field(default_factory=dict)
    channels: dict[str, None] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)
    broadcasts: dict[str, None] = field(default_factory=dict)
    links: dict[str, None] = field(default_factory=dict)

    def mentions(self) -> Mentions:
        """The mentions as the record holds them."""
        if not (self.users or self.channels or self.groups or self.broadcasts):
            return _NO_MENTIONS
        return Mentions(
            users=list(self.users),
            channels=list(self.channels),
            groups=list(self.groups),
            broadcasts=list(self.broadcasts),
        )


@dataclass(slots=True)
class Reading:
    """One message being read, in its own `channel`. Its methods render what a text points at, and note it."""

    names: Names
    channel: str = ""
    census: Census | None = None
    labels: dict[str, str] = field(default_factory=dict)
    """What `text` calls the users, channels and groups that blocks mention by their bare ids."""
    found: Found = field(default_factory=Found)
    references: list[Reference] = field(default_factory=list)
    withheld: int = 0
    """How many parts of the message are another channel's."""
    unread: bool = False
    """Something that a person sees could not be read."""

    def count(self, kind: Kind, name: object) -> None:
        """Tell the census, if anybody asked for one."""
        if self.census is not None:
            self.census.add(kind, name)

    def withhold(self, part: str, references: Iterable[Reference] = ()) -> None:
        """Note that another channel's content was left out: where it is, as far as that is known, and a count."""
        self.references += references
        self.withheld += 1
        self.count("withheld", part)

    def learn_labels(self, source: str) -> None:
        """Take the labels out of a message's mrkdwn: blocks have none of their own."""
        if "|" in source:
            self.labels.update((name, unescape(label)) for name, label in _LABELLED.findall(source))

    def user(self, user: str, label: str = "") -> str:
        """`@display name`: from the directory, else the label, else the id."""
        self.found.users[user] = None
        return "@" + (self.names.users.get(user) or self._label(user, label, "@") or user)

    def mentioned_channel(self, channel: str, label: str = "") -> str:
        """`#name`: from the directory if allowed, else the label, else the id."""
        self.found.channels[channel] = None
        return "#" + (self.names.channels.get(channel) or self._label(channel, label, "#") or channel)

    def group(self, group: str, label: str = "") -> str:
        """`@handle` of a user group: its label, else its id."""
        self.found.groups[group] = None
        return "@" + (self._label(group, label, "@") or group)

    def broadcast(self, name: str) -> str:
        """`@here`, `@channel`, `@everyone`; a name that is none of them notifies nobody whom we know of."""
        if name in _BROADCASTS:
            self.found.broadcasts[name] = None
        return "@" + name

    def link(self, address: str, label: str = "") -> str:
        """The label, or the address where there is none; `mailto:` and `tel:` are not read aloud.

        A label of another channel's message may quote it: there, the address is all.
        """
        self.found.links[address] = None
        if label and is_another_message(address, self.channel):
            return address
        return label or address.removeprefix("mailto:").removeprefix("tel:")

    def _label(self, name: str, label: str, sign: str) -> str:
        return (label or self.labels.get(name, "")).removeprefix(sign)


def unescape(text: str) -> str:
    """Slack escapes three characters; `&` comes last, so that `&amp;lt;` becomes `&lt;` and no more."""
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

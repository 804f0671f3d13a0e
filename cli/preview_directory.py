"""The users and channels that `--directory` names: for the names in texts, and for what kind a channel is of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.preview_decoding import EPOCH, decoded
from cli.preview_frames import Damaged
from cli.preview_items import Items, WrongKind
from cli.preview_source import BadInput, Opened
from pipeline.errors import Rejected
from pipeline.models import AllowedSlackChannel
from pipeline.payload import Kind
from pipeline.slack.directory import map_channel, map_user


@dataclass
class Directory:
    """Display names by user id, records by channel id."""

    users: dict[str, str] = field(default_factory=dict)
    channels: dict[str, AllowedSlackChannel] = field(default_factory=dict)

    def add(self, raw: Any, team: str) -> None:
        """One raw user or channel. Raises `Rejected` for what has no id.

        A user has a profile, or says that it is a bot or not; everything else is a channel.
        """
        if isinstance(raw, Mapping) and ("profile" in raw or "is_bot" in raw):
            user = map_user(raw, team=team, epoch=EPOCH)
            self.users[user.user_id or ""] = user.display_name or user.real_name or user.name or user.user_id or ""
        else:
            channel = map_channel(raw, team=team, epoch=EPOCH)
            self.channels[channel.channel] = channel


def read_directory(files: Iterable[str], team: str) -> Directory:
    """The directory in these files, whichever they hold. It is held whole. Raises `BadInput`."""
    directory = Directory()
    for name in files:
        for raw in _raw(name):
            try:
                directory.add(raw, team)
            except Rejected:
                continue  # an entry without an id names nobody
    return directory


def _raw(name: str) -> list[object]:
    try:
        return _records(name, "users")
    except WrongKind as other:
        return _records(name, other.found)


def _records(name: str, kind: Kind) -> list[object]:
    items = Items(kind)
    with Opened(name) as opened:
        try:
            found = [decoded(kind, item.at, item.raw) for item in items.of(opened) if item.raw is not None]
        except Damaged as damage:
            items.note(damage.at, damage.says)
    if items.hurt:
        raise BadInput(f"{name} is damaged at byte {items.hurt[0].at}: {items.hurt[0].says}.")
    return found

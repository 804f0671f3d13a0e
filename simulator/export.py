"""A Slack export, in Slack's own format, read into memory as a workspace.

`channels.json` (and `groups.json`, `mpims.json`, `dms.json` where present), `users.json`, and a folder for each
channel, named as the channel (a direct message's by its id), with one file of messages a day.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simulator.slack.channel import Channel
from simulator.slack.paging import SlackError
from simulator.slack.workspace import Workspace

Json = dict[str, Any]

LISTS: dict[str, Json] = {
    "channels.json": {"is_channel": True, "is_private": False},
    "groups.json": {"is_group": True, "is_private": True},
    "mpims.json": {"is_mpim": True, "is_private": True},
    "dms.json": {"is_im": True},
}


class BadExport(Exception):
    """One sentence that says what is wrong with the folder."""


def read_export(folder: Path) -> Workspace:
    """The workspace in a folder. Raises `BadExport`."""
    if not folder.is_dir():
        raise BadExport(f"{folder} is not a folder with a Slack export in it.")
    records = list(_records(folder))
    if not records:
        raise BadExport(f"{folder} holds no channels: a Slack export has a channels.json with a list in it.")
    users = [user for user in _list(folder / "users.json") if user.get("id")]
    users = sorted({str(user["id"]): user for user in users}.values(), key=lambda user: str(user["id"]))
    channels = {str(record["id"]): _channel(folder, record) for record in records}
    team = _team(users, channels, folder)
    return Workspace(team, folder.name, users, dict(sorted(channels.items())))


def _records(folder: Path) -> Iterator[Json]:
    for name, flags in LISTS.items():
        for record in _list(folder / name):
            if record.get("id"):
                yield {**flags, **record}


def _list(path: Path) -> list[Json]:
    if not path.is_file():
        return []
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        raise BadExport(f"{path} cannot be read as JSON.") from None
    if not isinstance(value, list):
        raise BadExport(f"{path} holds no list.")
    return [entry for entry in value if isinstance(entry, dict)]


def _channel(folder: Path, record: Json) -> Channel:
    channel = Channel(record)
    for name in (record.get("name"), record["id"]):
        if name and (folder / str(name)).resolve().parent == folder.resolve():
            for day in sorted((folder / str(name)).glob("*.json")):
                for message in _list(day):
                    _add(channel, message)
    for parent in channel.threads():
        if not channel.messages.get(parent, {}).get("reply_count"):
            channel.count_replies(parent)
    return channel


def _add(channel: Channel, message: Json) -> None:
    """An export may repeat a message (a broadcast shows twice) or hold one without a `ts`: Slack would show neither."""
    try:
        channel.add(message)
    except SlackError:
        return


def _team(users: list[Json], channels: dict[str, Channel], folder: Path) -> str:
    """The team that most records name; where none does, one derived from the channels' ids."""
    named: Counter[str] = Counter(str(user["team_id"]) for user in users if user.get("team_id"))
    for channel in channels.values():
        named.update(str(m["team"]) for m in channel.messages.values() if m.get("team"))
    if named:
        return named.most_common(1)[0][0]
    return "T" + hashlib.sha256("/".join(sorted(channels)).encode()).hexdigest()[:10].upper()

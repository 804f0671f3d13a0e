"""A Slack export, in Slack's own format, as a workspace: a folder is read into memory, a zip as it is asked for.

`channels.json` (and `groups.json`, `mpims.json`, `dms.json` where present), `users.json`, and a folder for each
channel, named as the channel (a direct message's by its id), with one file of messages a day.
"""

from pathlib import Path
from typing import Any

from simulator.export_archive import read_zip
from simulator.export_lists import LISTS, BadExport, channels_of, read_list, team_of, users_of
from simulator.slack.channel import Channel
from simulator.slack.paging import SlackError
from simulator.slack.workspace import Workspace

__all__ = ["BadExport", "check_export", "read_export"]

Json = dict[str, Any]


def read_export(path: Path) -> Workspace:
    """The workspace in a folder, or in a zip that stays open. Raises `BadExport`."""
    if path.is_file():
        return read_zip(path)
    if not path.is_dir():
        raise BadExport(f"{path} is not a folder with a Slack export in it, and no zip of one.")
    return _read_folder(path)


def check_export(path: Path) -> None:
    """Whether `read_export` would find an export here, without reading a day of it. Raises `BadExport`."""
    if path.is_dir() and not any((path / name).is_file() for name in LISTS):
        raise BadExport(f"{path} holds no channels: a Slack export has a channels.json with a list in it.")
    if not path.is_dir():
        read_export(path)


def _read_folder(folder: Path) -> Workspace:
    def find(name: str) -> bytes | None:
        return _bytes(folder / name) if (folder / name).is_file() else None

    records = list(channels_of(find, str(folder)))
    if not records:
        raise BadExport(f"{folder} holds no channels: a Slack export has a channels.json with a list in it.")
    users = users_of(find, str(folder))
    channels = {str(record["id"]): _channel(folder, record) for record in records}
    messages = (message for channel in channels.values() for message in channel.messages.values())
    team = team_of(users, messages, channels)
    return Workspace(team, folder.name, users, dict(sorted(channels.items())))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise BadExport(f"{path} cannot be read as JSON.") from None


def _channel(folder: Path, record: Json) -> Channel:
    channel = Channel(record)
    for name in (record.get("name"), record["id"]):
        if name and (folder / str(name)).resolve().parent == folder.resolve():
            for day in sorted((folder / str(name)).glob("*.json")):
                for message in read_list(_bytes(day), str(day)):
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

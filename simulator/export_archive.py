"""A zipped export as a workspace, however large: the lists are read, of the days only where they lie."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from unicodedata import normalize

from simulator.export_channel import ExportedChannel
from simulator.export_days import DAYS_IN_MEMORY, INDEX_IN_MEMORY, Days, Indexes, Spans, Table
from simulator.export_lists import LISTS, USERS, BadExport, channels_of, team_of, users_of
from simulator.export_zip import BadZip, Member, Zip
from simulator.slack.channel import Channel
from simulator.slack.paging import SlackError
from simulator.slack.workspace import Workspace

Json = dict[str, Any]

_DAY: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_LOOKED_AT: Final = 20
"""Channels whose first messages are asked for the team, where no user names it."""


def read_zip(path: Path) -> Workspace:
    """The workspace in a zip, which stays open as long as the workspace lives. Raises `BadExport`."""
    try:
        return _workspace(Zip(path), path)
    except BadZip as error:
        raise BadExport(f"{path} {error}") from None
    except OSError as error:
        raise BadExport(f"{path} cannot be read: {error.strerror}.") from None


def _workspace(source: Zip, path: Path) -> Workspace:
    top, lists = _lists(source)
    if not lists.keys() & LISTS.keys():
        raise BadZip("holds no channels.json (nor groups.json, mpims.json, dms.json): it is no Slack export.")
    if USERS not in lists:
        raise BadZip("holds no users.json: a Slack export has one beside its channels.json.")

    def find(name: str) -> bytes | None:
        return source.read(lists[name]) if name in lists else None

    records = list(channels_of(find, str(path)))
    if not records:
        raise BadZip("holds no channels: its lists are empty.")
    channels = _channels(source, records, _tables(source, top))
    users = users_of(find, str(path))
    team = team_of(users, () if any(user.get("team_id") for user in users) else _first_messages(channels), channels)
    return Workspace(team, path.stem, users, channels)


def _lists(source: Zip) -> tuple[str, dict[str, Member]]:
    """The folder that the export begins in ("" or one that ends in a slash), and its lists. Every member is checked."""
    source.check()
    found: dict[str, dict[str, Member]] = {}
    for member in source.members():
        top, slash, name = member.name.rpartition("/")
        if name in LISTS or name == USERS:
            found.setdefault(top + slash, {})[name] = member
    # A channel may be called like a list, and macOS adds a shadow of the export: the highest folder is the right one.
    top = min(found, key=lambda top: (top.startswith("__MACOSX"), top.count("/"), top), default="")
    return top, found.get(top, {})


def _tables(source: Zip, top: str) -> dict[str, Table]:
    """Folder of a channel → its days."""
    tables: dict[str, Table] = {}
    for member in source.members():
        folder, _, name = member.name.removeprefix(top).partition("/")
        if member.name.startswith(top) and name.endswith(".json") and "/" not in name:
            tables.setdefault(normalize("NFC", folder), Table()).add(_order(name), member)
    return tables


def _order(name: str) -> int:
    """A day's place among the others; what is named otherwise than Slack does comes first."""
    found = _DAY.match(name)
    return int("".join(found.groups())) if found else 0


def _channels(source: Zip, records: list[Json], tables: dict[str, Table]) -> dict[str, Channel]:
    indexes, spans = Indexes(INDEX_IN_MEMORY), Spans(DAYS_IN_MEMORY)
    channels: dict[str, Channel] = {}
    for record in sorted(records, key=lambda record: str(record["id"])):
        names = dict.fromkeys(normalize("NFC", str(name)) for name in (record.get("name"), record["id"]) if name)
        table = Table()
        for name in names:
            table.extend(tables.get(name, Table()))
        channels[str(record["id"])] = ExportedChannel(record, Days(source, table, indexes, spans))
    return channels


def _first_messages(channels: dict[str, Channel]) -> Iterator[Json]:
    for channel in list(channels.values())[:_LOOKED_AT]:
        try:
            yield from (json.loads(raw) for raw in channel.days.first()) if isinstance(channel, ExportedChannel) else ()
        except SlackError:
            continue  # a day that cannot be read names no team; whoever asks for its messages is told

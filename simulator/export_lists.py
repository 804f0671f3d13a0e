"""The lists of an export: its channels of four kinds, and its users."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

Json = dict[str, Any]
Find = Callable[[str], bytes | None]
"""The bytes of a list by its file's name, None where the export has no such file."""

LISTS: Final[dict[str, Json]] = {
    "channels.json": {"is_channel": True, "is_private": False},
    "groups.json": {"is_group": True, "is_private": True},
    "mpims.json": {"is_mpim": True, "is_private": True},
    "dms.json": {"is_im": True},
}
USERS: Final = "users.json"


class BadExport(Exception):
    """One sentence that says what is wrong with the folder or the zip."""


def read_list(data: bytes, name: str) -> list[Json]:
    """The objects of a JSON list. Raises `BadExport`, which calls the file `name`."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise BadExport(f"{name} cannot be read as JSON.") from None
    if not isinstance(value, list):
        raise BadExport(f"{name} holds no list.")
    return [entry for entry in value if isinstance(entry, dict)]


def channels_of(find: Find, place: str) -> Iterator[Json]:
    """The records of all four lists, with the flags that their kind has."""
    for name, flags in LISTS.items():
        data = find(name)
        for record in read_list(data, f"{place}/{name}") if data is not None else ():
            if record.get("id"):
                yield {**flags, **record}


def users_of(find: Find, place: str) -> list[Json]:
    """The users, sorted by id, each once."""
    data = find(USERS)
    users = read_list(data, f"{place}/{USERS}") if data is not None else []
    return sorted(
        {str(user["id"]): user for user in users if user.get("id")}.values(), key=lambda user: str(user["id"])
    )


def team_of(users: Iterable[Json], messages: Iterable[Json], channels: Iterable[str]) -> str:
    """The team that most records name; where none does, one derived from the channels' ids."""
    named: Counter[str] = Counter(str(user["team_id"]) for user in users if user.get("team_id"))
    named.update(str(message["team"]) for message in messages if message.get("team"))
    if named:
        return named.most_common(1)[0][0]
    return "T" + hashlib.sha256("/".join(sorted(channels)).encode()).hexdigest()[:10].upper()

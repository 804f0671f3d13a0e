"""Files of messages: where `url_private` leads, and their bytes, made while they are sent."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from simulator.slack.workspace import Workspace

Json = dict[str, Any]

HOST = "https://files.slack.example"
FOLDER = "files-pri"
CHUNK = 65_536
_PATH = re.compile(rf"{FOLDER}/(T\w+)-(F\w+)/(?:download/)?([^/]+)")


def hosted(team: str, file: str, name: str, mimetype: str, size: int, user: str) -> Json:
    """A file's metadata as a message carries it."""
    kind = name.rpartition(".")[2]
    return {"id": file, "created": 1700000000, "name": name, "title": name, "mimetype": mimetype, "size": size,
            "filetype": kind, "user": user, "mode": "hosted", "is_external": False,
            "url_private": f"{HOST}/{FOLDER}/{team}-{file}/{name}",
            "url_private_download": f"{HOST}/{FOLDER}/{team}-{file}/download/{name}"}  # fmt: skip


def find(workspace: Workspace, path: str) -> Json | None:
    """The metadata of the file that a path of `url_private` or `url_private_download` names, if this team has it."""
    found = _PATH.fullmatch(path)
    if found is None or found[1] != workspace.team:
        return None
    files = (file for channel in workspace.channels.values() for message in channel.messages.values()
             for file in message.get("files") or ())  # fmt: skip
    return next((file for file in files if file["id"] == found[2] and file.get("name") == found[3]), None)


def content(file: Json) -> Iterator[bytes]:
    """The file's bytes, the same each time; no text in any encoding."""
    for begin in range(0, file["size"], CHUNK):
        seed = f"{file['id']}:{begin}".encode()
        yield hashlib.shake_256(seed).digest(min(CHUNK, file["size"] - begin))

"""Models and lines that the tests send."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel


class Note(BaseModel):
    id: str
    version: str
    deleted: bool = False
    team: str = "T1"
    channel: str = "C1"
    ts_us: int | None = None
    text: str = ""


class Fence(BaseModel):
    id: str
    version: str
    deleted: bool = False
    target: str = "message"
    match: dict[str, str]
    after: int | None = None
    until: int | None = None
    below: str
    reason: str = "revoked"


def version(epoch: int, revision: int = 0) -> str:
    return f"{epoch:016d}{revision:016d}"


def note(number: int, epoch: int = 1, **more: Any) -> Note:
    return Note(id=f"n{number:06d}", version=version(epoch), ts_us=number, **more)


def notes(count: int, **more: Any) -> Iterator[Note]:
    return (note(number, **more) for number in range(count))


def fence(below: int, **more: Any) -> Fence:
    more.setdefault("match", {"channel": "C1"})
    scope = json.dumps([more["match"], more.get("after"), more.get("until")])
    return Fence(id=scope, version=version(below), below=f"{below:016d}", **more)


def ndjson(*models: BaseModel) -> bytes:
    return b"".join(model.model_dump_json().encode() + b"\n" for model in models)

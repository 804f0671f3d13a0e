"""Models in, batches out: lazily, by records and bytes. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from common_mesh.report import Rejection, Report


class Entry(NamedTuple):
    """One record on its way: its place in the iterable, its id for the report, its line."""

    at: int
    id: str | None
    line: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines that travel in one request. `last`: the iterable ended with it."""

    entries: list[Entry]
    last: bool = False

    @property
    def body(self) -> bytes:
        """The lines as NDJSON."""
        return b"\n".join([entry.line for entry in self.entries]) + b"\n"

    def halves(self) -> tuple["Batch", "Batch"]:
        """The batch as two, in order."""
        middle = len(self.entries) // 2
        return Batch(self.entries[:middle]), Batch(self.entries[middle:])


class Limits:
    """How much one batch may hold. A mesh that tells its own limits lowers them, for the engine's whole life."""

    __slots__ = ("bytes", "records")

    def __init__(self, records: int, size: int) -> None:
        self.records = records
        self.bytes = size

    def lower(self, records: int | None, size: int | None) -> None:
        """Adopt the mesh's limits where they are smaller."""
        self.records = min(self.records, records or self.records)
        self.bytes = min(self.bytes, size or self.bytes)

    def hold(self, records: int, size: int) -> bool:
        """Whether that many records of that many bytes make one batch."""
        return records <= self.records and size <= self.bytes


def cut(models: Iterable[BaseModel], limits: Limits, report: Report) -> Iterator[Batch]:
    """Batches of the models' JSON. A model that has none (a lone surrogate) is rejected into `report` by itself."""
    entries: list[Entry] = []
    size = 0
    for entry in _entries(models, report):
        grown = size + len(entry.line) + 1
        if entries and not limits.hold(len(entries) + 1, grown):
            yield Batch(entries)
            entries, grown = [], len(entry.line) + 1
        entries.append(entry)
        size = grown
    if entries:
        yield Batch(entries, last=True)


def _entries(models: Iterable[BaseModel], report: Report) -> Iterator[Entry]:
    for index, model in enumerate(models):
        if not isinstance(model, BaseModel):
            raise TypeError(f"item {index} is a {type(model).__name__}, not a Pydantic model")
        rid = getattr(model, "id", None)
        rid = rid if isinstance(rid, str) else None
        try:
            line = model.model_dump_json().encode()
        except (PydanticSerializationError, UnicodeEncodeError):
            report.rejected.append(Rejection(index, rid, "unserialisable"))
        else:
            yield Entry(index, rid, line)

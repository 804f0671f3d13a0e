"""What a mesh store does, whatever it keeps its records in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from common_mesh.report import Rejection


class Space(NamedTuple):
    """Where records live: one organisation, one module, one model."""

    org: str
    module: str
    model: str


class Request(NamedTuple):
    """An `Idempotency-Key` and the digest of the inflated body that it came with."""

    key: str
    digest: str


class KeyReused(Exception):
    """The same `Idempotency-Key` with another body."""


class Busy(Exception):
    """The store cannot take it now (its lock, its disk): 503."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A letter a line, and the rejected lines."""

    outcomes: str
    rejected: Sequence[Rejection]


class Filters(NamedTuple):
    """Which records a page shows: `ts_after < ts_us <= ts_until`, `version > version_after`; `dead` ones on demand."""

    all: bool = False
    ts_after: int | None = None
    ts_until: int | None = None
    version_after: str | None = None


class LoggedEffect(NamedTuple):
    """One applied change, in the order of application."""

    sequence: int
    id: str
    version: str
    outcome: str


class Store(Protocol):
    """A mesh's memory. `apply` is all or nothing, and when it returns the batch survives what the store survives."""

    def apply(self, space: Space, lines: Sequence[bytes], request: Request | None) -> Answer:
        """Take a batch. Raises `KeyReused` or `Busy`."""

    def count(self, space: Space) -> int:
        """Live records: neither deleted nor dead."""

    def spaces(self, org: str | None = None, module: str | None = None) -> dict[Space, int]:
        """Every space and its live records, of one organisation and module if given."""

    def records(self, space: Space, after: str, limit: int, filters: Filters) -> list[tuple[str, str]]:
        """(id, JSON text) by id, bytewise, after `after`."""

    def effects(self, space: Space, after: int, limit: int) -> list[LoggedEffect] | None:
        """The effects log after a sequence number; None where it is off."""

    def check(self) -> None:
        """Raises `Busy` if the store cannot be read."""

    def upkeep(self) -> None:
        """What is better done now and then than in a request."""

    def close(self) -> None:
        """Let go of everything."""


def tombstone(rid: str, version: str) -> str:
    """A dead record as a page shows it."""
    return json.dumps({"id": rid, "version": version, "deleted": False, "dead": True}, separators=(",", ":"))

"""What a mesh store does, whatever it keeps its records in."""

import json
from collections.abc import Iterable, Sequence
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


UNCUT = 2**63
"""A page's size that no page has."""


class Filters(NamedTuple):
    """Which records a page shows: `ts_after < ts_us <= ts_until`, `version > version_after`, ids that begin `prefix`.

    `all` shows the deleted and the dead too.
    """

    all: bool = False
    ts_after: int | None = None
    ts_until: int | None = None
    version_after: str | None = None
    prefix: str = ""


class States(NamedTuple):
    """How many records of a space are live, deleted, and dead by a retraction."""

    live: int = 0
    deleted: int = 0
    dead: int = 0


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

    def states(self, space: Space) -> States:
        """Every id that was ever seen, by what became of it."""

    def spaces(self, org: str | None = None, module: str | None = None) -> dict[Space, int]:
        """Every space and its live records, of one organisation and module if given."""

    def records(
        self, space: Space, after: str, limit: int, filters: Filters, size: int = UNCUT
    ) -> list[tuple[str, str]]:
        """(id, JSON text) by id, bytewise, after `after`; ends after the record that makes `size` characters full."""

    def effects(self, space: Space, after: int, limit: int) -> list[LoggedEffect] | None:
        """The effects log after a sequence number; None where it is off."""

    def check(self) -> None:
        """Raises `Busy` if the store cannot be read."""

    def upkeep(self) -> None:
        """What is better done now and then than in a request."""

    def close(self) -> None:
        """Let go of everything."""


def beyond(prefix: str) -> str | None:
    """The first text after all that begin with `prefix`, bytewise in UTF-8; None where there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if 0xD800 <= following <= 0xDFFF else following)


def cut(rows: Iterable[tuple[str, str]], size: int) -> list[tuple[str, str]]:
    """Rows until their texts come to `size` characters, that one included."""
    page: list[tuple[str, str]] = []
    for row in rows:
        page.append(row)
        size -= len(row[1])
        if size <= 0:
            break
    return page


def tombstone(rid: str, version: str) -> str:
    """A dead record as a page shows it."""
    return json.dumps({"id": rid, "version": version, "deleted": False, "dead": True}, separators=(",", ":"))

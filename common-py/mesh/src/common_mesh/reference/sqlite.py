"""A store in SQLite: one writer, one transaction and one upsert a batch, readers beside it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.exc import DBAPIError, OperationalError

from common_mesh.reference.rules import Reading, decide, read_batch
from common_mesh.reference.schema import contents, effects, metadata, open_engine, records, spaces
from common_mesh.reference.store import (
    UNCUT,
    Answer,
    Busy,
    Filters,
    LoggedEffect,
    Request,
    Space,
    States,
    beyond,
    cut,
    tombstone,
)
from common_mesh.reference.transaction import Transaction

COMPACT_AFTER = 200_000
"""Contents that are blanked before the file is written anew to give their space back."""

_PREFIX = "sqlite:///"


class SQLiteStore:
    """`url` is `sqlite:///path`. `log` switches the effects log. Thread-safe; several processes may share the file."""

    def __init__(self, url: str, *, log: bool = False, compact_after: int = COMPACT_AFTER) -> None:
        if not url.startswith(_PREFIX) or url in (_PREFIX, _PREFIX + ":memory:"):
            raise ValueError("the store must be sqlite:///path: it has to outlive the process")
        self._log = log
        self._compact_after = compact_after
        self._lock = threading.Lock()
        self._blanked = 0
        self._unclean = True  # whatever a killed process left in the write-ahead log
        self._writer = open_engine(url, begin="BEGIN IMMEDIATE", connections=1)
        self._readers = open_engine(url, begin="BEGIN", connections=4)
        with self._writer.begin() as connection:
            metadata.create_all(connection)

    def apply(self, space: Space, lines: Sequence[bytes], request: Request | None) -> Answer:
        """Take a batch: all of it or nothing, and on disk when this returns."""
        reading = read_batch(lines, space.model)
        with self._lock, _busy_when_locked():
            with self._writer.begin() as connection:
                transaction = Transaction(connection, space, log=self._log)
                answer = _applied(transaction, reading, request)
            self._blanked += transaction.blanked
            self._unclean |= transaction.blanked > 0
            self._clean()
        return answer

    def upkeep(self) -> None:
        """Empty the write-ahead log if a reader was in the way before; give blank space back if there is much of it."""
        with self._lock, _busy_when_locked():
            if self._blanked >= self._compact_after:
                self._pragma("VACUUM")
                self._blanked, self._unclean = 0, True
            self._clean()

    def _clean(self) -> None:
        """Content that is gone from the database still lies in its write-ahead log until that is emptied."""
        if self._unclean:
            busy = self._pragma("PRAGMA wal_checkpoint(TRUNCATE)") or (1,)
            self._unclean = bool(busy[0])

    def _pragma(self, statement: str) -> Any:
        connection = self._writer.raw_connection()  # outside of any transaction
        try:
            cursor = connection.cursor()
            row = cursor.execute(statement).fetchone()
            cursor.close()
            return row
        finally:
            connection.close()

    def count(self, space: Space) -> int:
        """Live records."""
        return self.spaces(*space).get(space, 0)

    def states(self, space: Space) -> States:
        """Every id, by what became of it."""
        c = records.c
        query = select(c.dead, c.deleted, func.count()).where(_in(c.space, space)).group_by(c.dead, c.deleted)
        with self._reading() as connection:
            found = {(dead, deleted): number for dead, deleted, number in connection.execute(query)}
        return States(found.get((False, False), 0), found.get((False, True), 0), found.get((True, False), 0))

    def spaces(self, org: str | None = None, module: str | None = None, model: str | None = None) -> dict[Space, int]:
        """Spaces that hold anything, with their live records."""
        live = select(func.count()).where(records.c.space == spaces.c.id, _live()).scalar_subquery()
        query = select(spaces.c.org, spaces.c.module, spaces.c.model, live)
        query = query.where(select(records.c.row).where(records.c.space == spaces.c.id).exists())
        for column, value in ((spaces.c.org, org), (spaces.c.module, module), (spaces.c.model, model)):
            query = query if value is None else query.where(column == value)
        with self._reading() as connection:
            return {Space(*row[:3]): row[3] for row in connection.execute(query.order_by(*query.selected_columns[:3]))}

    def records(
        self, space: Space, after: str, limit: int, filters: Filters, size: int = UNCUT
    ) -> list[tuple[str, str]]:
        """A page, by id."""
        c = records.c
        query = select(c.id, c.version, c.dead, contents.c.body).outerjoin(contents, contents.c.row == c.content)
        query = query.where(_in(c.space, space), c.id > after)
        if not filters.all:
            query = query.where(_live())
        if filters.prefix:
            query = query.where(c.id >= filters.prefix)
            query = query if (end := beyond(filters.prefix)) is None else query.where(c.id < end)
        if filters.version_after is not None:
            query = query.where(c.version > filters.version_after)
        if filters.ts_after is not None:
            query = query.where(c.ts_us > filters.ts_after)
        if filters.ts_until is not None:
            query = query.where(c.ts_us <= filters.ts_until)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(c.id).limit(limit))
            return cut(((row.id, tombstone(row.id, row.version) if row.dead else row.body) for row in rows), size)

    def effects(self, space: Space, after: int, limit: int) -> list[LoggedEffect] | None:
        """A page of the log."""
        if not self._log:
            return None
        c = effects.c
        query = select(c.sequence, c.id, c.version, c.outcome).where(_in(c.space, space), c.sequence > after)
        with self._reading() as connection:
            return [LoggedEffect(*row._tuple()) for row in connection.execute(query.order_by(c.sequence).limit(limit))]

    def check(self) -> None:
        """Raises `Busy` if the file cannot be read."""
        with self._reading() as connection:
            connection.execute(select(spaces.c.id).limit(1)).all()

    def close(self) -> None:
        """Close the file; waits for a transaction that runs."""
        with self._lock:
            self._readers.dispose()
            self._writer.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _busy_when_locked(), self._readers.connect() as connection:
            yield connection


def _applied(transaction: Transaction, reading: Reading, request: Request | None) -> Answer:
    remembered = transaction.remembered(request)
    if remembered is not None:
        return remembered
    plan = decide(reading, transaction.known(reading), transaction.fences(reading))
    transaction.write(plan)
    transaction.raise_all(reading.fences)
    answer = Answer(plan.outcomes, list(reading.rejected.values()))
    transaction.remember(request, answer)
    return answer


def _live() -> ColumnElement[bool]:
    return records.c.dead.is_(False) & records.c.deleted.is_(False)


def _in(column: ColumnElement[int], space: Space) -> ColumnElement[bool]:
    found = select(spaces.c.id).where(spaces.c.org == space.org, spaces.c.module == space.module)
    return column == found.where(spaces.c.model == space.model).scalar_subquery()


@contextmanager
def _busy_when_locked() -> Iterator[None]:
    try:
        yield
    except (OperationalError, DBAPIError) as error:
        raise Busy(type(error.orig).__name__) from error

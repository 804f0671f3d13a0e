"""A store in SQLite: one writer, one transaction and one upsert a batch, readers beside it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select
from sqlalchemy.exc import DBAPIError, OperationalError

from common_mesh.reference.rules import Reading, decide, read_batch
from common_mesh.reference.schema import effects, metadata, open_engine, records, spaces
from common_mesh.reference.store import Answer, Busy, Filters, LoggedEffect, Request, Space, tombstone
from common_mesh.reference.transaction import Transaction

_PREFIX = "sqlite:///"


class SQLiteStore:
    """`url` is `sqlite:///path`. `log` switches the effects log. Thread-safe; several processes may share the file."""

    def __init__(self, url: str, *, log: bool = False) -> None:
        if not url.startswith(_PREFIX) or url in (_PREFIX, _PREFIX + ":memory:"):
            raise ValueError("the store must be sqlite:///path: it has to outlive the process")
        self._log = log
        self._lock = threading.Lock()
        self._unclean = True
        self._writer = open_engine(url, begin="BEGIN IMMEDIATE", connections=1)
        self._readers = open_engine(url, begin="BEGIN", connections=4)
        with self._writer.begin() as connection:
            metadata.create_all(connection)

    def apply(self, space: Space, lines: Sequence[bytes], request: Request | None) -> Answer:
        """Take a batch: all of it or nothing, and on disk when this returns."""
        reading = read_batch(lines, space.model)
        with self._lock, _busy_when_locked():
            with self._writer.begin() as connection:
                answer, removed = self._apply(Transaction(connection, space, log=self._log), reading, request)
            self._unclean |= removed
            self._clean()
        return answer

    def _apply(self, transaction: Transaction, reading: Reading, request: Request | None) -> tuple[Answer, bool]:
        remembered = transaction.remembered(request)
        if remembered is not None:
            return remembered, False
        plan = decide(reading, transaction.known(reading), transaction.fences(reading))
        removed = transaction.write(plan)
        for fence in reading.fences:
            removed |= transaction.raise_to(fence)
        answer = Answer(plan.outcomes, list(reading.rejected.values()))
        transaction.remember(request, answer)
        return answer, removed

    def upkeep(self) -> None:
        """Empty the write-ahead log after content was removed: until then it would still lie in that file.

        A reader in the way puts it off to the next call.
        """
        with self._lock:
            self._clean()

    def _clean(self) -> None:
        if not self._unclean:
            return
        connection = self._writer.raw_connection()
        try:
            cursor = connection.cursor()
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() or (1, 0, 0)
            cursor.close()
            self._unclean = bool(busy)
        finally:
            connection.close()

    def count(self, space: Space) -> int:
        """Live records."""
        return self.spaces(*space).get(space, 0)

    def spaces(self, org: str | None = None, module: str | None = None, model: str | None = None) -> dict[Space, int]:
        """Spaces that hold anything, with their live records."""
        live = select(func.count()).where(records.c.space == spaces.c.id, _live()).scalar_subquery()
        query = select(spaces.c.org, spaces.c.module, spaces.c.model, live)
        query = query.where(select(records.c.row).where(records.c.space == spaces.c.id).exists())
        for column, value in ((spaces.c.org, org), (spaces.c.module, module), (spaces.c.model, model)):
            query = query if value is None else query.where(column == value)
        with self._reading() as connection:
            return {Space(*row[:3]): row[3] for row in connection.execute(query.order_by(*query.selected_columns[:3]))}

    def records(self, space: Space, after: str, limit: int, filters: Filters) -> list[tuple[str, str]]:
        """A page, by id."""
        c = records.c
        query = _of(select(c.id, c.version, c.dead, c.body), records.c.space, space).where(c.id > after)
        if not filters.all:
            query = query.where(_live())
        if filters.version_after is not None:
            query = query.where(c.version > filters.version_after)
        if filters.ts_after is not None:
            query = query.where(c.ts_us > filters.ts_after)
        if filters.ts_until is not None:
            query = query.where(c.ts_us <= filters.ts_until)
        with self._reading() as connection:
            return [_shown(row) for row in connection.execute(query.order_by(c.id).limit(limit))]

    def effects(self, space: Space, after: int, limit: int) -> list[LoggedEffect] | None:
        """A page of the log."""
        if not self._log:
            return None
        c = effects.c
        query = _of(select(c.sequence, c.id, c.version, c.outcome), c.space, space).where(c.sequence > after)
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


def _live() -> ColumnElement[bool]:
    return records.c.dead.is_(False) & records.c.deleted.is_(False)


def _of(query: Select[Any], column: ColumnElement[int], space: Space) -> Select[Any]:
    found = select(spaces.c.id).where(spaces.c.org == space.org, spaces.c.module == space.module)
    return query.where(column == found.where(spaces.c.model == space.model).scalar_subquery())


def _shown(row: Row[Any]) -> tuple[str, str]:
    return row.id, tombstone(row.id, row.version) if row.dead else row.body


@contextmanager
def _busy_when_locked() -> Iterator[None]:
    try:
        yield
    except (OperationalError, DBAPIError) as error:
        raise Busy(type(error.orig).__name__) from error

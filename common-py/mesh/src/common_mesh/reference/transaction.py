"""One batch's transaction on the SQLite store: what is known, what is fenced, one upsert, the fences' kills."""

import json
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert as upsert

from common_mesh.reference import killing
from common_mesh.reference.fences import Fence, Fences, key, values_of
from common_mesh.reference.records import is_text
from common_mesh.reference.rules import Effect, Known, Plan, Reading, Write
from common_mesh.reference.schema import (
    MATCHED,
    UNBOUNDED,
    answers,
    contents,
    effects,
    fences,
    records,
    shapes,
    spaces,
)
from common_mesh.reference.store import Answer, KeyReused, Request, Space
from common_mesh.report import Rejection

REMEMBERED_SECONDS = 900
"""How long an answer is kept for a retry of the same request."""

_LISTED = text("SELECT value FROM json_each(:list)")


class Transaction:
    """The statements of one batch, over a connection that holds the write lock."""

    def __init__(self, connection: Connection, space: Space, *, log: bool) -> None:
        self._connection = connection
        self._org_space = space
        self._log = log
        self._space = self._number(space)
        self._held: dict[str, int] = {}
        self.blanked = 0

    def _number(self, space: Space) -> int:
        named = space._asdict()
        query = select(spaces.c.id).filter_by(**named)
        found = self._connection.execute(query).scalar()
        if found is None:
            self._connection.execute(insert(spaces), named)
            found = self._connection.execute(query).scalar_one()
        return int(found)

    def remembered(self, request: Request | None) -> Answer | None:
        """The answer that this request got before. Raises `KeyReused` if it was another body."""
        if request is None:
            return None
        query = select(answers).filter_by(space=self._space, key=request.key)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.digest != request.digest:
            raise KeyReused
        return Answer(row.outcomes, [Rejection(*item) for item in json.loads(row.rejected)])

    def remember(self, request: Request | None, answer: Answer) -> None:
        """Keep the answer for a retry, and forget old ones."""
        if request is None:
            return
        now = int(time.time())
        self._connection.execute(delete(answers).where(answers.c.at < now - REMEMBERED_SECONDS))
        kept = {
            "outcomes": answer.outcomes,
            "rejected": json.dumps([(r.index, r.id, r.reason) for r in answer.rejected]),
            "at": now,
        }
        self._connection.execute(insert(answers), {"space": self._space, **request._asdict(), **kept})

    def known(self, reading: Reading) -> dict[str, Known]:
        """What is kept of the batch's ids."""
        ids = json.dumps(list({record.id for record in reading.records.values()}))
        query = select(records.c.id, records.c.version, records.c.dead, records.c.content)
        query = query.where(records.c.space == self._space, records.c.id.in_(_LISTED.bindparams(list=ids)))
        rows = self._connection.execute(query).all()
        self._held = {row.id: row.content for row in rows if not row.dead}
        return {row.id: Known(row.version, row.dead) for row in rows}

    def fences(self, reading: Reading) -> Fences:
        """The fences that any record of the batch could meet."""
        found = Fences()
        for (fields,) in self._connection.execute(select(shapes.c.fields).filter_by(space=self._space)).all():
            shape = tuple(json.loads(fields))
            met = {values_of(record, shape) for record in reading.records.values()} - {None}
            keys = json.dumps([key(values) for values in met if values is not None])
            query = select(fences).filter_by(space=self._space, fields=fields)
            for row in self._connection.execute(query.where(fences.c["values"].in_(_LISTED.bindparams(list=keys)))):
                found.raise_to(_fence(*row._tuple()[1:]))
        return found

    def write(self, plan: Plan) -> None:
        """One upsert for all that changes, its content appended, what it supersedes blanked; and the log."""
        if not plan.writes:
            return
        first = self._connection.execute(_NEXT_CONTENT).scalar_one()
        numbered = list(enumerate(plan.writes.values(), first))
        appended = [(row, write.record.body) for row, write in numbered if not write.dead]
        if appended:
            self._connection.exec_driver_sql(_APPEND, appended)
        self._connection.exec_driver_sql(_UPSERT, [self._row(write, row) for row, write in numbered])
        self._blank([self._held[rid] for rid in plan.writes if rid in self._held])
        self._append(self._space, plan.effects)

    def _blank(self, rows: Sequence[int]) -> None:
        if rows:
            blank = update(contents).values(body=None)
            self._connection.execute(blank.where(contents.c.row.in_(_LISTED.bindparams(list=json.dumps(rows)))))
            self.blanked += len(rows)

    def _row(self, write: Write, content: int) -> tuple[Any, ...]:
        """What the upsert binds, in the order of the table's columns."""
        record, dead = write
        if dead:
            return (self._space, record.id, record.version, False, True, None, *_UNMATCHED, None)
        said = [value if is_text(value := record.fields.get(name)) else None for name in MATCHED]
        return (self._space, record.id, record.version, record.deleted, False, record.ts_us, *said, content)

    def raise_all(self, sent: Sequence[Fence]) -> None:
        """Keep the batch's fences, and kill what those catch that rose."""
        if not sent:
            return
        targets = {fence.target: self._number(self._org_space._replace(model=fence.target)) for fence in sent}
        self._connection.execute(_SHAPES, [{"space": targets[f.target], "fields": key(f.fields)} for f in sent])
        risen = killing.risen(self._connection, ((targets[fence.target], fence) for fence in sent))
        for space in targets.values():
            found = [_fence(*rest) for number, *rest in risen if number == space]
            self._retract(space, killing.killed(self._connection, space, found))

    def _retract(self, space: int, killed: Sequence[Row[Any]]) -> None:
        self._blank([row.content for row in killed])
        self._append(space, sorted(Effect(row.id, row.version, "retracted") for row in killed))

    def _append(self, space: int, logged: Sequence[Effect]) -> None:
        if self._log and logged:
            self._connection.exec_driver_sql(_LOG, [(space, *effect) for effect in logged])


def _fence(fields: str, values: str, after: int, until: int, below: str) -> Fence:
    """A row of the table `fences`, its space left out; nobody asks for the target here."""
    return Fence("", tuple(json.loads(fields)), tuple(json.loads(values)), _bound(after), _bound(until), below)


def _bound(column: int) -> int | None:
    return None if column == UNBOUNDED else column


def _upsert() -> Any:
    statement = upsert(records).values({c.name: bindparam(c.name) for c in records.c if c.name != "row"})
    changed = {c.name: statement.excluded[c.name] for c in records.c if c.name not in ("row", "space", "id")}
    newer = statement.excluded.version > records.c.version
    return statement.on_conflict_do_update(index_elements=["space", "id"], set_=changed, where=newer)


def _driver(statement: Any, *binds: str) -> str:
    """The statement as the driver takes it, with `?` for `binds` in this order.

    SQLAlchemy would make a dictionary and a tuple anew for every row: a third of the time of a batch (`bench mesh`).
    """
    compiled = statement.compile(dialect=sqlite.dialect())
    if tuple(compiled.positiontup) != binds:
        raise AssertionError(f"binds {compiled.positiontup}")
    return str(compiled)


_COLUMNS = [column.name for column in records.c if column.name != "row"]
_UNMATCHED = (None,) * len(MATCHED)
_UPSERT = _driver(_upsert(), *_COLUMNS)
_APPEND = _driver(insert(contents), "row", "body")
_LOG = _driver(insert(effects).values(dict.fromkeys(("space", "id", "version", "outcome"))), "space", *Effect._fields)
_NEXT_CONTENT = select(func.coalesce(func.max(contents.c.row), 0) + 1)
_SHAPES = upsert(shapes).on_conflict_do_nothing()

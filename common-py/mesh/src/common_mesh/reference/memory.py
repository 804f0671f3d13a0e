"""A store in memory: the fake's, and the measure that the SQLite store is held to."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from common_mesh.reference.fences import Fence, Fences
from common_mesh.reference.rules import Effect, Known, Plan, Reading, Write, decide, read_batch
from common_mesh.reference.store import (
    UNCUT,
    Answer,
    Filters,
    KeyReused,
    LoggedEffect,
    Request,
    Space,
    States,
    cut,
    tombstone,
)


@dataclass
class _Kept:
    rows: dict[str, Write] = field(default_factory=dict)
    fences: Fences = field(default_factory=Fences)
    effects: list[LoggedEffect] = field(default_factory=list)


class MemoryStore:
    """Everything in dictionaries under one lock. `log` switches the effects log."""

    def __init__(self, *, log: bool = True) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._kept: dict[Space, _Kept] = {}
        self._answers: dict[tuple[Space, str], tuple[str, Answer]] = {}
        self._sequence = 0

    def apply(self, space: Space, lines: Sequence[bytes], request: Request | None) -> Answer:
        """Take a batch; the same key again gets the same answer."""
        reading = read_batch(lines, space.model)
        with self._lock:
            remembered = self._remembered(space, request)
            if remembered is not None:
                return remembered
            answer = self._apply(space, reading)
            if request is not None:
                self._answers[space, request.key] = (request.digest, answer)
            return answer

    def _remembered(self, space: Space, request: Request | None) -> Answer | None:
        if request is None or (space, request.key) not in self._answers:
            return None
        digest, answer = self._answers[space, request.key]
        if digest != request.digest:
            raise KeyReused
        return answer

    def _apply(self, space: Space, reading: Reading) -> Answer:
        kept = self._of(space)
        known = {rid: Known(row.record.version, row.dead) for rid, row in kept.rows.items()}
        plan = decide(reading, known, kept.fences)
        self._write(kept, plan)
        for target in dict.fromkeys(fence.target for fence in reading.fences):
            self._raise(space._replace(model=target), [fence for fence in reading.fences if fence.target == target])
        return Answer(plan.outcomes, list(reading.rejected.values()))

    def _write(self, kept: _Kept, plan: Plan) -> None:
        kept.rows.update(plan.writes)
        self._append(kept, plan.effects)

    def _raise(self, space: Space, fences: Sequence[Fence]) -> None:
        target = self._of(space)
        risen = [fence for fence in fences if target.fences.raise_to(fence)]
        alive = [row.record for _, row in sorted(target.rows.items()) if not row.dead]
        killed = [record for record in alive if any(fence.kills(record) for fence in risen)]
        target.rows.update({record.id: Write(record, True) for record in killed})
        self._append(target, [Effect(record.id, record.version, "retracted") for record in killed])

    def _of(self, space: Space) -> _Kept:
        return self._kept.setdefault(space, _Kept())

    def _append(self, kept: _Kept, effects: Sequence[Effect]) -> None:
        for effect in effects if self._log else ():
            self._sequence += 1
            kept.effects.append(LoggedEffect(self._sequence, *effect))

    def count(self, space: Space) -> int:
        """Live records."""
        with self._lock:
            kept = self._kept.get(space, _Kept())
            return sum(not (row.dead or row.record.deleted) for row in kept.rows.values())

    def states(self, space: Space) -> States:
        """Every id, by what became of it."""
        with self._lock:
            rows = list(self._kept.get(space, _Kept()).rows.values())
        dead = sum(row.dead for row in rows)
        deleted = sum(row.record.deleted and not row.dead for row in rows)
        return States(len(rows) - deleted - dead, deleted, dead)

    def spaces(self, org: str | None = None, module: str | None = None) -> dict[Space, int]:
        """Spaces that hold anything, with their live records."""
        with self._lock:
            found = sorted(s for s, kept in self._kept.items() if kept.rows)
        return {s: self.count(s) for s in found if org in (None, s.org) and module in (None, s.module)}

    def records(
        self, space: Space, after: str, limit: int, filters: Filters, size: int = UNCUT
    ) -> list[tuple[str, str]]:
        """A page, by id."""
        with self._lock:
            rows = sorted((rid, row) for rid, row in self._kept.get(space, _Kept()).rows.items() if rid > after)
        shown = [(rid, _text(row)) for rid, row in rows if _shows(row, filters)]
        return cut(shown[:limit], size)

    def effects(self, space: Space, after: int, limit: int) -> list[LoggedEffect] | None:
        """A page of the log."""
        if not self._log:
            return None
        with self._lock:
            return [e for e in self._kept.get(space, _Kept()).effects if e.sequence > after][:limit]

    def check(self) -> None:
        """Memory is always there."""

    def upkeep(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to let go of."""


def _text(row: Write) -> str:
    return tombstone(row.record.id, row.record.version) if row.dead else row.record.body


def _shows(row: Write, filters: Filters) -> bool:
    record, ts_us = row.record, None if row.dead else row.record.ts_us
    if not record.id.startswith(filters.prefix) or (not filters.all and (row.dead or record.deleted)):
        return False
    if filters.version_after is not None and record.version <= filters.version_after:
        return False
    if filters.ts_after is not None and (ts_us is None or ts_us <= filters.ts_after):
        return False
    return filters.ts_until is None or (ts_us is not None and ts_us <= filters.ts_until)

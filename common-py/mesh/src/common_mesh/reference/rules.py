"""Which state of a record wins: one pure decision for every store (PROTOCOL.md, "What wins")."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from common_mesh.reference.fences import Fence, Fences, read_fence
from common_mesh.reference.records import Bad, Record, read_record
from common_mesh.report import Rejection
from common_mesh.wire import LETTERS, RETRACTION, Outcome


class Known(NamedTuple):
    """What a store has of an id: its version, and whether a fence killed it (then nothing else is kept)."""

    version: str
    dead: bool


class Write(NamedTuple):
    """The new state of an id. `dead` keeps the version alone, so that nothing older can take the place."""

    record: Record
    dead: bool


class Effect(NamedTuple):
    """A line of the effects log."""

    id: str
    version: str
    outcome: Literal["created", "updated", "retracted"]


@dataclass(slots=True)
class Reading:
    """A batch as read: records and fences by line, and the lines that are neither."""

    records: dict[int, Record] = field(default_factory=dict)
    fences: list[Fence] = field(default_factory=list)
    rejected: dict[int, Rejection] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        """Lines of the batch."""
        return len(self.records) + len(self.rejected)


@dataclass(slots=True)
class Plan:
    """What a batch comes to: a letter a line, the last state of each id that changes, the effects in order."""

    outcomes: str = ""
    writes: dict[str, Write] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)


def read_batch(lines: Iterable[bytes], model: str) -> Reading:
    """Read every line by itself: a bad one costs nothing but itself."""
    reading = Reading()
    for index, line in enumerate(lines):
        try:
            record = read_record(line)
            if model == RETRACTION:
                reading.fences.append(read_fence(record))
            reading.records[index] = record
        except Bad as bad:
            reading.rejected[index] = Rejection(index, bad.id, bad.reason)
    return reading


def decide(reading: Reading, known: Mapping[str, Known], fences: Fences) -> Plan:
    """Take the records in order over what is known. A fenced one is `stale` and leaves its version, dead."""
    plan = Plan()
    letters = [LETTERS["rejected"]] * reading.lines
    states = dict(known)
    for index, record in reading.records.items():
        before = states.get(record.id)
        fenced = fences.kill(record)
        letters[index] = LETTERS[_outcome(record, before, fenced=fenced)]
        if before is None or record.version > before.version:
            states[record.id] = Known(record.version, fenced)
            plan.writes[record.id] = Write(record, fenced)
            plan.effects += _effects(record, before, fenced=fenced)
    plan.outcomes = "".join(letters)
    return plan


def _outcome(record: Record, before: Known | None, *, fenced: bool) -> Outcome:
    if fenced:
        return "stale"
    if before is None:
        return "created"
    if record.version == before.version and not before.dead:
        return "unchanged"
    return "updated" if record.version > before.version else "stale"


def _effects(record: Record, before: Known | None, *, fenced: bool) -> list[Effect]:
    if not fenced:
        return [Effect(record.id, record.version, "created" if before is None else "updated")]
    # The newer state is dead on arrival, and takes the older one with it.
    return [Effect(record.id, before.version, "retracted")] if before and not before.dead else []

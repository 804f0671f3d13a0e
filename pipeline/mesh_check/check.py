"""What a mesh keeps of the rules that Sluice relies on (common-py/mesh/PROTOCOL.md), found out by sending.

Everything is sent first, each promise with records of its own; then the mesh is read once, and what it holds in the
end is held against what it should hold. A mesh that cannot be read is not judged: that it accepted is all we know.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import common_mesh

from pipeline.delivery import MODULE, Delivery, Engine
from pipeline.errors import Unavailable
from pipeline.mesh_check.promise import Group, Promise
from pipeline.mesh_check.revocations import REVOCATIONS
from pipeline.mesh_check.states import STATES

Verdict = Literal["kept", "broken", "unseen"]
Found = Mapping[tuple[str, str], dict[str, Any]]


class Reader(Protocol):
    """What reading needs; `common_mesh.MeshReader` has it."""

    def records(self, org: str, module: str, model: str) -> Iterable[dict[str, Any]]:
        """Live records of a space."""

    def count(self, org: str, module: str, model: str) -> int:
        """How many live records a space has."""


@dataclass(frozen=True, slots=True)
class Line:
    """What came of one promise: `said` tells a person what it means for him."""

    name: str
    group: Group
    verdict: Verdict
    said: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """All lines, and the conclusions. `kept` only where every promise was seen to be."""

    org: str
    lines: list[Line]
    conclusions: list[str]

    @property
    def kept(self) -> bool:
        """Whether every promise was seen to be kept."""
        return all(line.verdict == "kept" for line in self.lines)


def check(
    engine: Engine, reader: Reader | None, org: str, *, settle: float = 0, sleep: Callable[[float], None] = time.sleep
) -> Outcome:
    """Try every promise in the scratch organisation `org`, and clean up; `settle` seconds pass before the reading.

    Raises `Unavailable` where the mesh is away: nothing can be said then.
    """
    delivery, epoch = Delivery(engine), time.time_ns() // 1000
    made = [make(epoch) for make in (*STATES, *REVOCATIONS)]
    refused = {promise.name: _sent(delivery, org, promise) for promise in made}
    sleep(settle)
    found, why = _read(reader, org, made)
    lines = [_judged(promise, refused[promise.name], found, why) for promise in made]
    _clean_up(delivery, org, made, epoch)
    return Outcome(org, lines, _conclusions(lines))


def _sent(delivery: Delivery, org: str, promise: Promise) -> str:
    """Send what the promise needs, in order; how the mesh refused it, '' where it did not.

    An outage is nobody's broken promise: it ends the check. A refusal of ours (a model that it does not know) is one.
    """
    for model, records in promise.sends:
        try:
            rejected = delivery.send(org, model, records)
        except Unavailable as error:
            if type(error) is Unavailable:
                raise
            return f"{model}: {error.what}"
        if rejected:
            return f"{model}: {', '.join(sorted(set(rejected.values())))}"
    return ""


def _read(reader: Reader | None, org: str, promises: Sequence[Promise]) -> tuple[Found | None, str]:
    """Live records by model and id, or None and why not."""
    if reader is None:
        return None, "no reading routes are known for it"
    models = sorted({model for promise in promises for model in promise.models if model != "retraction"})
    found: dict[tuple[str, str], dict[str, Any]] = {}
    try:
        for model in models:
            rows = list(reader.records(org, MODULE, model))
            if reader.count(org, MODULE, model) != len(rows):
                return None, f"its count of {model} is not that of its records"
            times = Counter(str(row.get("id")) for row in rows)
            # What stands there twice is no record of ours: it has none of the fields that are looked for.
            found |= {(model, rid): row if times[rid] == 1 else {} for row in rows if (rid := str(row.get("id")))}
    except common_mesh.MeshError as error:
        return None, error.what
    return found, ""


def _judged(promise: Promise, refused: str, found: Found | None, why: str) -> Line:
    if refused:
        return Line(promise.name, promise.group, "broken", f"the mesh does not take {refused}; {promise.broken}")
    if found is None:
        return Line(promise.name, promise.group, "unseen", f"accepted, but cannot be seen from here: {why}")
    if all(_holds(found, model, rid, said) for (model, rid), said in promise.ends.items()):
        return Line(promise.name, promise.group, "kept", promise.kept)
    return Line(promise.name, promise.group, "broken", promise.broken)


def _holds(found: Found, model: str, rid: str, said: Mapping[str, Any] | None) -> bool:
    """Whether a record is there as it should be (`said`), or is not there (None)."""
    row = found.get((model, rid))
    if said is None:
        return row is None
    return row is not None and all(row.get(name) == value for name, value in said.items())


def _conclusions(lines: Sequence[Line]) -> list[str]:
    """What it means for the product, in a sentence a group."""
    said = []
    for group, broken, unseen in _MEANINGS:
        verdicts = {line.verdict for line in lines if line.group == group}
        if "broken" in verdicts:
            said.append(broken)
        elif "unseen" in verdicts:
            said.append(unseen)
    return said or ["this mesh keeps everything that Sluice relies on"]


_MEANINGS: tuple[tuple[Group, str, str], ...] = (
    (
        "delivery",
        "delivery not guaranteed: what was acknowledged is not all there as it was sent",
        "delivery cannot be seen from here: whether all is there once must be looked at in the mesh itself",
    ),
    (
        "order",
        "order not guaranteed: an older state of a record can stand in the mesh",
        "order cannot be seen from here: whether an older state can replace a newer one must be looked at by hand",
    ),
    (
        "revocation",
        "revocation not guaranteed: content of a channel, thread or person that was retracted can stand in the mesh",
        "revocation not guaranteed as far as can be seen from here",
    ),
)


def _clean_up(delivery: Delivery, org: str, promises: Sequence[Promise], epoch: int) -> None:
    """Delete what the check has left live. Tombstones and fences stay: a mesh must not forget them."""
    for promise in promises:
        for model, records in promise.remains(epoch):
            try:
                delivery.send(org, model, records)
            except Unavailable:
                return

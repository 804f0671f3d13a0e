"""Retractions: a fence kills every record of its target that matches and has a lower epoch, here or to come. Pure.

Fences only ever rise: a scope (target, match, after, until) keeps the highest `below` that it was given, so the order
in which records and retractions arrive makes no difference to what is live in the end.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from common_mesh.reference.records import EPOCH_DIGITS, Bad, Record, is_text, is_time
from common_mesh.wire import RETRACTION

MAX_FIELDS = 16
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_BELOW = re.compile(rf"[0-9]{{{EPOCH_DIGITS}}}")

Shape = tuple[str, ...]
Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fence:
    """A record must have `values` in `fields` (sorted), be within (after, until], and of an epoch under `below`."""

    target: str
    fields: Shape
    values: Values
    after: int | None
    until: int | None
    below: str

    @property
    def window(self) -> tuple[int | None, int | None]:
        """What it asks of `ts_us`."""
        return (self.after, self.until)

    def covers(self, ts_us: int | None) -> bool:
        """Whether a record of that time is inside; one without a time is inside only a fence without bounds."""
        if self.after is None and self.until is None:
            return True
        if ts_us is None:
            return False
        return (self.after is None or self.after < ts_us) and (self.until is None or ts_us <= self.until)

    def kills(self, record: Record) -> bool:
        """The rule itself: all of `match` equal, within the window, and of a lower epoch."""
        return self.values == values_of(record, self.fields) and self.covers(record.ts_us) and record.epoch < self.below


def read_fence(record: Record) -> Fence:
    """A record of the model `retraction` as a fence. Raises `Bad`."""
    fields = record.fields
    below, after, until = fields.get("below"), fields.get("after"), fields.get("until")
    if record.deleted:
        raise Bad("fence_deleted", record.id)  # what it killed cannot come back, so lifting it would depend on order
    if not is_text(fields.get("target")) or fields["target"] in ("", RETRACTION):
        raise Bad("bad_target", record.id)
    if not isinstance(below, str) or not _BELOW.fullmatch(below) or below != record.epoch:
        raise Bad("bad_below", record.id)
    if any(bound is not None and not is_time(bound) for bound in (after, until)):
        raise Bad("bad_window", record.id)
    match = _match(fields.get("match"), record.id)
    return Fence(fields["target"], tuple(match), tuple(match.values()), after, until, below)


def _match(match: Any, rid: str) -> dict[str, str]:
    # An empty match would kill a whole model: by far more likely a mistake than a wish.
    if not isinstance(match, dict) or not 0 < len(match) <= MAX_FIELDS:
        raise Bad("bad_match", rid)
    if not all(_FIELD.fullmatch(field) and is_text(value) for field, value in match.items()):
        raise Bad("bad_match", rid)
    return dict(sorted(match.items()))


def values_of(record: Record, shape: Shape) -> Values | None:
    """The record's values of these fields, None unless all are strings."""
    values: list[str] = []
    for field in shape:
        value = record.fields.get(field)
        if not isinstance(value, str):
            return None
        values.append(value)
    return tuple(values)


def key(parts: tuple[str, ...]) -> str:
    """A shape or values as one text, for a column."""
    return json.dumps(parts, separators=(",", ":"))


class Fences:
    """The fences over one model: found by shape and values, so that a record meets few of them."""

    def __init__(self) -> None:
        self._by_shape: dict[Shape, dict[Values, dict[tuple[int | None, int | None], Fence]]] = {}

    def raise_to(self, fence: Fence) -> bool:
        """Keep the fence; False if one of the same scope stands as high already."""
        windows = self._by_shape.setdefault(fence.fields, {}).setdefault(fence.values, {})
        standing = windows.get(fence.window)
        if standing is not None and standing.below >= fence.below:
            return False
        windows[fence.window] = fence
        return True

    def kill(self, record: Record) -> bool:
        """Whether any fence kills this record."""
        for shape, by_values in self._by_shape.items():
            values = values_of(record, shape)
            if values is not None and any(f.kills(record) for f in by_values.get(values, {}).values()):
                return True
        return False

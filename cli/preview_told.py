"""What `./sluice preview` says on stderr: a line for each odd record, a table at the end; or one JSON object."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from cli.preview_decoding import EPOCH
from cli.preview_items import Hurt, Item, Items
from cli.preview_mapping import Gate, Outcome
from pipeline.slack.census import Census

_MOST_LINES: Final = 20
_WHY: Final = {
    "not_allowed": "its channel is not on the list of --allow",
    "no_list": "nothing is allowed: give --allow",
    "unknown_channel": "no channel is named: give --channel",
    "notice": "a notice that carries no message",
    "direct_message": "direct messages are not to be allowed: --direct-messages",
    "too_large": "longer than a whole callback may be",
}


@dataclass
class Tally:
    """Counts of what became of the records, and the first few that were quarantined; no content."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrappers: Counter[str] = field(default_factory=Counter)
    deleted: int = 0
    strangers: int = 0
    quarantined: list[tuple[Item, str]] = field(default_factory=list)

    def add(self, item: Item, outcome: Outcome) -> None:
        """One record's end."""
        self.counts[outcome.kind, outcome.reason] += 1
        self.deleted += outcome.record is not None and outcome.record.deleted
        self.strangers += outcome.is_strange
        if outcome.wrapper:
            self.wrappers[outcome.wrapper] += 1
        if outcome.kind == "quarantined" and len(self.quarantined) < _MOST_LINES:
            self.quarantined.append((item, outcome.reason))

    def of(self, kind: str) -> int:
        """How many records ended so."""
        return sum(number for (one, _), number in self.counts.items() if one == kind)


class Progress:
    """One line on a terminal that is written over, about once a second; nothing where stderr is none."""

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._shown = time.monotonic()
        self._on = sys.stderr.isatty()

    def show(self, items: Items) -> None:
        """Say how far the reading is."""
        if not self._on or time.monotonic() - self._shown < 1:
            return
        share = f" ({100 * items.at // self._size} %)" if self._size else ""
        print(f"\r\x1b[K{items.read} records, {items.at // 1_000_000} MB{share}", end="", file=sys.stderr, flush=True)
        self._shown = time.monotonic()

    def end(self) -> None:
        """Take the line away."""
        if self._on:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def report(items: Items, gate: Gate, tally: Tally, says: str) -> dict[str, Any]:
    """Everything as one object; `says` is the sentence of what ended the reading, "" if nothing did."""
    counted: dict[str, dict[str, int]] = {"written": {}, "dropped": {}, "withheld": {}, "quarantined": {}}
    for (kind, reason), number in sorted(tally.counts.items()):
        counted[kind][reason] = number
    places = [{"record": item.number, "byte": item.at, "reason": reason} for item, reason in tally.quarantined]
    return {
        "kind": items.kind,
        "team": gate.team,
        "epoch": EPOCH,
        "pages": items.pages,
        "read": items.read,
        **counted,
        "deleted": tally.deleted,
        "wrappers": dict(sorted(tally.wrappers.items())),
        "left_out": _named(gate.census, withheld=True),
        "unknown": _named(gate.census, withheld=False),
        "channel_notices": dict(sorted(gate.notices.items())),
        "gaps": dict(sorted(items.gaps.items())),
        "first_quarantined": places,
        "damage": [hurt._asdict() for hurt in items.hurt],
        "damaged": items.damaged,
        "says": says,
    }


def as_json(items: Items, gate: Gate, tally: Tally, says: str) -> str:
    """For programs."""
    return json.dumps(report(items, gate, tally, says))


def as_table(items: Items, gate: Gate, tally: Tally, says: str) -> str:
    """For people: the odd records one by one, then the table, then what is wrong with the input."""
    lines = [f"record {item.number} (byte {item.at}): quarantined: {reason}" for item, reason in tally.quarantined]
    if (more := tally.of("quarantined") - len(lines)) > 0:
        lines.append(f"… and {more} more")
    lines += [_damage(hurt) for hurt in items.hurt]
    lines += [f"Slack answered {word} instead of a page ({number})" for word, number in sorted(items.gaps.items())]
    lines.append(f"{items.read} {items.kind} read; team {gate.team}, epoch {EPOCH}")
    lines += [f"{kind:<12}{n:>9}  {reason:<22}{why}".rstrip() for kind, n, reason, why in _rows(gate, tally)]
    return "\n".join([*lines, *filter(None, [says])])


def _rows(gate: Gate, tally: Tally) -> Iterator[tuple[str, int, str, str]]:
    """(what became of them, how many, the word for why, why); indented where others of these rows hold them too."""
    for (kind, reason), number in sorted(tally.counts.items()):
        yield kind, number, reason, _WHY.get(reason, "")
    if tally.deleted:
        yield "  deleted", tally.deleted, "message", "written as a record without content"
    for name, number in sorted(tally.wrappers.items()):
        yield "  wrapper", number, name, "what it is about lies inside"
    for name, number in sorted(gate.notices.items()):
        yield "  notice", number, name, "the channel is paused until a person decides, if this is news"
    for name, number in _named(gate.census, withheld=True).items():
        yield "  left out", number, name, "another channel's content: a reference stays where one is known"
    for name, number in _named(gate.census, withheld=False).items():
        yield "  unknown", number, name, "new to this version; read as far as possible"


def _damage(hurt: Hurt) -> str:
    return f"{f'line {hurt.line}, ' if hurt.line else ''}byte {hurt.at}: {hurt.says}"


def _named(census: Census, *, withheld: bool) -> dict[str, int]:
    """Name → count; what is unknown is told with its kind, as `subtype foo`."""
    counts = sorted(census.counts.items())
    if withheld:
        return {name: number for (kind, name), number in counts if kind == "withheld"}
    return {f"{kind} {name}": number for (kind, name), number in counts if kind != "withheld"}

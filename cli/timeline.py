"""Coverage as a drawing: a line of marks for each channel, on an axis that leaves most room to the last days. Pure.

     2013-01-01    08-24         11-16         11-22      now
    |·············|····▒▒▒▒█████|█████████████|█████████████

Each part between two borders has a scale of its own: the years, the last 13 weeks, the last 7 days, the last day. A
line to one scale would show either the years or today. What is covered is one stretch without gaps, so a cell is
covered where its middle is; what is asked for or stuck is shown however short it is.
"""

import time
from collections.abc import Sequence
from itertools import pairwise
from textwrap import wrap
from typing import Final, Literal, NamedTuple

from pipeline.rules.windows import DAY_US, HOUR_US, SLACK_BEGAN_US, Stretch

Kind = Literal["covered", "again", "asked", "stuck", "never", "unwanted", "hidden"]
_PARTS: Final = ((91 * DAY_US, "13 weeks"), (7 * DAY_US, "7 days"), (DAY_US, "the last day"))
"""How long ago a part begins, and what it is called; before the first one is the rest."""
_LEGEND: Final[dict[Kind, str]] = {
    "covered": "covered",
    "again": "read again now",
    "asked": "asked for",
    "stuck": "stuck",
    "never": "not asked yet",
    "hidden": "Slack's plan may hide some",
}
_MARKS: Final[dict[Kind, tuple[str, str, str]]] = {
    "covered": ("█", "#", "32"),
    "again": ("▓", "+", "36"),
    "asked": ("▒", "=", "33"),
    "stuck": ("!", "!", "1;31"),
    "never": ("·", ".", "2"),
    "hidden": ("░", "-", "35"),
    "unwanted": (" ", " ", ""),
}
"""A kind's character, the one of ASCII, its colour."""


class Line(NamedTuple):
    """What is known of one channel (microseconds). At or before `start` nothing is wanted; up to `hidden` Slack's plan
    may hide some of what is covered; `said` ends the line.
    """

    name: str
    said: str
    start: int = 0
    covered: Stretch | None = None
    asked: tuple[Stretch, ...] = ()
    again: tuple[Stretch, ...] = ()
    stuck: tuple[Stretch, ...] = ()
    hidden: int = 0


class Ink(NamedTuple):
    """How it is drawn: whether the terminal can show more than ASCII, and whether it shows colours."""

    unicode: bool = True
    colours: bool = False

    def mark(self, kind: Kind) -> str:
        """The character of a kind, without its colour."""
        return _MARKS[kind][0 if self.unicode else 1]

    def drawn(self, kinds: Sequence[Kind]) -> str:
        """Cells as text: neighbours of a kind share a colour."""
        made, at = "", 0
        while at < len(kinds):
            end = next((i for i in range(at, len(kinds)) if kinds[i] != kinds[at]), len(kinds))
            made += self._coloured(kinds[at], self.mark(kinds[at]) * (end - at))
            at = end
        return made

    def _coloured(self, kind: Kind, text: str) -> str:
        colour = _MARKS[kind][2] if self.colours else ""
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


class Part(NamedTuple):
    """A piece of the axis: its cells are equally long."""

    begin: int
    end: int
    cells: int
    name: str

    def bounds(self) -> list[Stretch]:
        """The cells, each (oldest, latest]."""
        ends = [self.begin + (self.end - self.begin) * i // self.cells for i in range(self.cells + 1)]
        return [Stretch(*pair) for pair in pairwise(ends)]


def axis(lines: Sequence[Line], now: int, width: int) -> list[Part]:
    """The parts of an axis of `width` characters, borders included, from the oldest that is wanted until now."""
    oldest = min((max(line.start, SLACK_BEGAN_US) for line in lines), default=now)
    oldest = min(oldest, now - HOUR_US)
    begins = [(oldest, "the time before"), *((now - age, name) for age, name in _PARTS if now - age > oldest)]
    ends = [begin for begin, _ in begins[1:]] + [now]
    room = width - len(begins)
    sizes = [room // len(begins)] * len(begins)
    sizes[-1] += room - sum(sizes)
    return [Part(begin, end, size, name) for (begin, name), end, size in zip(begins, ends, sizes, strict=True)]


def header(parts: Sequence[Part]) -> str:
    """The dates (UTC) at which the parts begin, each above its border, and `now` at the end."""
    made = ""
    for part in parts:
        room = part.cells - (4 if part is parts[-1] else 1)
        date = time.strftime("%Y-%m-%d", time.gmtime(part.begin / 1e6))
        short = date[:4] if part is parts[0] else date[5:]
        made += " " + (date if len(date) <= room else short if len(short) <= room else "").ljust(part.cells)
    return made[:-3] + "now"


def cells(line: Line, parts: Sequence[Part]) -> list[list[Kind]]:
    """What each cell of each part shows."""
    return [[_kind(line, cell) for cell in part.bounds()] for part in parts]


def row(line: Line, parts: Sequence[Part], label: int, ink: Ink) -> str:
    """One channel's line: its name in `label` columns, what it shows, what is said of it."""
    bar = "".join("|" + ink.drawn(kinds) for kinds in cells(line, parts))
    return f"{line.name[:label]:<{label}} {bar} {line.said}".rstrip()


def legend(lines: Sequence[Line], parts: Sequence[Part], width: int, ink: Ink) -> list[str]:
    """What the marks mean, and that the line has several scales, in lines of `width` characters."""
    made, room = [""], width
    for kind, meaning in _LEGEND.items():
        if kind == "hidden" and not any(line.hidden for line in lines):
            continue  # few teams have such a plan
        if len(meaning) + 4 > room:
            made, room = [*made, ""], width
        gap = "  " if made[-1] else ""
        made[-1] += f"{gap}{ink.drawn([kind])} {meaning}"
        room -= len(gap) + 2 + len(meaning)
    names = [part.name for part in parts]
    scales = f" Each part has its own scale: {', '.join(names[:-1])}, {names[-1]}." if len(parts) > 1 else ""
    return [*made, *wrap(f"Times are UTC.{scales}", width)]


def _kind(line: Line, cell: Stretch) -> Kind:
    middle = (cell.tail + cell.head) // 2
    if _touches(line.stuck, cell):
        return "stuck"
    if _touches(line.asked, cell):
        return "asked"
    if line.covered is not None and line.covered.tail <= middle <= line.covered.head:
        seen: Kind = "hidden" if middle <= line.hidden else "covered"
        return "again" if _touches(line.again, cell) else seen
    return "unwanted" if middle <= line.start else "never"


def _touches(windows: Sequence[Stretch], cell: Stretch) -> bool:
    """Whether any of them lies in the cell, in part or whole."""
    return any(window.tail < cell.head and cell.tail < window.head for window in windows)

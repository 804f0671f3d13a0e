"""`./sluice coverage`: what of a connection's channels is covered, drawn, and what is left to do.

Read from the store (`cli.books` says why).
"""

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from api.shown_pulls import ChannelsCovered
from cli.books import Books, told
from cli.exits import Exit
from cli.moments import minute
from cli.obstacles import obstacle
from cli.outlook_lines import said_of
from cli.run_lines import STUCK, counted, word
from cli.runfile import STATE_DIR
from cli.screen import Screen
from cli.timeline import Line, axis, header, legend, row
from pipeline.rules.outlook import Outlook, state_of
from pipeline.rules.windows import Stretch
from pipeline.store.connections import Registration
from pipeline.store.progress import LIMITED, Channel
from pipeline.store.runs import MARKS, Run
from pipeline.store.runs_shown import shown

WORST_FIRST: Final = (*STUCK, "kept back", "behind", "never", "backfill", "covered")
"""Every word that ends a line; channels are drawn in this order."""
_NARROWEST: Final = 40
_LINES: Final = 30
_NOTHING: Final = (
    "No channel is allowed, so none is pulled: an admin picks some (PUT allowlist of the API), "
    "or `./sluice adopt` takes over the list that Paragon's metadata holds."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """For people a drawing, for programs what `GET coverage` answers."""
    parser.add_argument("connection", metavar="CONNECTION", help="<user>/<org>")
    parser.add_argument("--json", action="store_true", help="channels and plan, as GET coverage of the API")
    parser.add_argument("--width", type=int, metavar="N", help=f"columns (the terminal's; at least {_NARROWEST})")
    parser.add_argument("--limit", type=int, default=_LINES, metavar="N", help=f"channels ({_LINES}; 0: all of them)")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 when it is shown, 1 if the store is away, 2 for a connection that is not known."""
    return told(args, _show)


def _show(books: Books, args: argparse.Namespace) -> int:
    found = Covered(books, books.registered(args.connection))
    if args.json:
        print(json.dumps(found.public(), indent=1))
        return Exit.DONE
    screen = Screen()
    drawn = found.drawn(max(args.width or screen.columns, _NARROWEST), args.limit, screen)
    print("\n".join([*drawn, *(part for line in found.said() for part in screen.wrapped(line))]))
    return Exit.DONE


@dataclass
class Covered:
    """One connection's coverage as it is now."""

    books: Books
    known: Registration

    def __post_init__(self) -> None:
        self.at = self.books.now()
        self.pullable = set(self.books.allowlists.pullable(self.known.connection, self.known.team))
        self.channels = self.books.ledger.channels.all(self.known.connection)
        own = self.books.allowlists.own(self.known.connection, self.known.team)
        self.plan: Outlook = self.books.plans.outlook(self.known, own)

    @cached_property
    def runs(self) -> dict[str, Run]:
        """The open runs of its channels."""
        names = {one.fields[mark] for one in self.channels for mark in MARKS.values() if mark in one.fields}
        return {name: found for name in sorted(names) if (found := self.books.ledger.get(name))}

    def public(self) -> dict[str, Any]:
        """As `GET coverage` answers: through its model, so that they cannot differ."""
        known = self.books.ledger.coverage(self.known.connection)
        states = {one.name: state_of(one.progress, self.at, self.plan.period) for one in self.channels}
        channels = {name: known.get(name, {}) | {"state": state} for name, state in states.items()}
        plan = self.books.plans.shown(self.known, self.plan)
        return ChannelsCovered.model_validate({"channels": channels, "plan": plan}).model_dump(mode="json")

    def drawn(self, width: int, limit: int, screen: Screen) -> list[str]:
        """The drawing, channels in trouble first; what to do where there is none."""
        if not self.channels:
            return screen.wrapped(_NOTHING)
        lines = sorted(map(self._line, self.channels), key=lambda one: (WORST_FIRST.index(one.said), one.name))
        some, more = (lines[:limit], lines[limit:]) if limit > 0 else (lines, [])
        label, said = max(len(one.name) for one in some), max(len(one.said) for one in some)
        parts = axis(some, self.at, width - label - said - 2)
        rest = f"and {len(more)} more ({_counts(more)}): `--limit 0` draws all"
        return [
            *screen.wrapped(f"{self.known.connection}, {minute(self.at)}: {_counts(lines)}"),
            "",
            f"{'':<{label}} {header(parts)}",
            *(row(one, parts, label, screen.ink) for one in some),
            *(screen.wrapped(rest) if more else []),
            "",
            *legend(some, parts, width, screen.ink),
            "",
        ]

    def _line(self, one: Channel) -> Line:
        marked = {mark: self.runs[one.fields[mark]] for mark in MARKS.values() if one.fields.get(mark) in self.runs}
        asked = [marked[mark] for mark in ("run", "back") if mark in marked]
        state = state_of(one.progress, self.at, self.plan.period)
        stuck = [found for found in asked if word(found) in STUCK]
        late = [Stretch(one.covered.head, self.at)] if state == "behind" and one.covered else []
        said = ["kept back" if one.name not in self.pullable else state, state, *map(word, stuck)]
        return Line(
            one.name,
            min(said, key=WORST_FIRST.index),
            int(one.fields.get("start", 0)),
            one.covered,
            asked=tuple(map(_window, asked)),
            again=tuple(_window(marked[mark]) for mark in ("re",) if mark in marked),
            stuck=(*map(_window, stuck), *late),
            hidden=int(one.fields.get(LIMITED, 0)),
        )

    def said(self) -> list[str]:
        """What keeps it from going on, and what is left to do."""
        hindered = obstacle(self.books, self.known)
        hidden = sum(LIMITED in one.fields for one in self.channels)
        plan = f"Slack's plan may hide older messages of {counted(hidden, 'channel')}: what it shows is read."
        obstacles = [*([hindered] if hindered else []), *([plan] if hidden else [])]
        return [*obstacles, *self._stuck(), *self._held(), *self._outlook()]

    def _stuck(self) -> list[str]:
        stuck = Counter((word(run), run.reason or "no answer") for run in self.runs.values() if word(run) in STUCK)
        return [f"{counted(number, 'window')} {state}: {why}." for (state, why), number in sorted(stuck.items())]

    def _held(self) -> list[str]:
        books, name = self.books, self.known.connection
        held = shown(books.client, books.shards, books.ledger.runs, name, 1).held
        return [f"{counted(held, 'reading')} held for an operator: `./sluice pulls {name}` lists them."] if held else []

    def _outlook(self) -> list[str]:
        return said_of(self.plan, self.books.plans.shown(self.known, self.plan)) if self.channels else []


def _counts(lines: list[Line]) -> str:
    """How many channels of which state."""
    return ", ".join(f"{number} {state}" for state, number in Counter(one.said for one in lines).items())


def _window(found: Run) -> Stretch:
    return Stretch(found.oldest, found.latest)

"""Following what was asked for at the store until it is done: how far it is, and what keeps it from going on."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cli.books import Books, Stop
from cli.obstacles import obstacle
from cli.run_lines import STUCK, counted, word
from cli.screen import Progress, say
from pipeline.store.connections import Registration
from pipeline.store.progress import Channel
from pipeline.store.runs import MARKS, Kind, Run

_EVERY_SECONDS: Final = 1.0
_NAMED: Final = 5
_STILL_SECONDS: Final = 20.0
"""After so long without a single attempt somebody wonders whether anything works."""


@dataclass
class Following:
    """Looks at the store until no channel `waits`. `at` is when it was asked for, `until` where the last window that is
    waited for ends (microseconds).
    """

    books: Books
    known: Registration
    channels: list[str]
    kind: Kind
    waits: Callable[[Channel], bool]
    at: int
    until: int
    done: str
    runs: dict[str, Run] = field(default_factory=dict)

    def to_its_end(self) -> None:
        """Returns when nothing waits any more. Raises `Stop` where it does not go on by itself."""
        line, begun = Progress(), time.monotonic()
        still = begun + _STILL_SECONDS
        try:
            while waiting := self._waiting():
                self._look(waiting)
                line.say(self._standing(len(waiting)))
                if hindered := obstacle(self.books, self.known) or self._stuck(waiting):
                    raise Stop(hindered)
                if time.monotonic() > still and not any(one.attempt for one in self.runs.values()):
                    line.end()
                    say("Nothing has been asked of Paragon yet: do beat and the workers run (`./sluice status`)?")
                    still = float("inf")
                time.sleep(_EVERY_SECONDS)
            self._look([])
        finally:
            line.end()

    def result(self) -> str:
        """What came of it, as a sentence."""
        return f"{self.done}: {self._standing(0)}."

    def public(self) -> dict[str, Any]:
        """How it stands, as one JSON object."""
        waiting = [one.name for one in self._waiting()]
        runs = [found.public() for found in self.runs.values()]
        return {"done": not waiting, "channels": self.channels, "waiting": waiting, "runs": runs}

    def _waiting(self) -> list[Channel]:
        standing = self.books.ledger.channels.read(self.known.connection, self.channels)
        return [one for one in standing if "since" in one.fields and self.waits(one)]

    def _look(self, waiting: Sequence[Channel]) -> None:
        """Take in how the runs stand; the newest ones are found in the list, however short they were open."""
        ledger, mark = self.books.ledger, MARKS[self.kind]
        for found in ledger.runs.listing(self.known.connection):
            if found.id in self.runs or (found.requested_at >= self.at and self._mine(found)):
                self.runs[found.id] = found
        unread = {one.fields[mark] for one in waiting if mark in one.fields}
        unread |= {name for name, found in self.runs.items() if found.open}
        self.runs |= {name: run for name in unread if (run := ledger.get(name))}

    def _mine(self, found: Run) -> bool:
        """No night's re-reading, which asks for no replies, and nothing after what is waited for."""
        asked = found.kind == self.kind and found.replies and found.oldest < self.until
        return asked and not set(self.channels).isdisjoint(found.channels)

    def _standing(self, waiting: int) -> str:
        channels = f"{len(self.channels) - waiting} of {counted(len(self.channels), 'channel')}"
        runs = [found for found in self.runs.values() if found.state != "halved"]
        if not runs:
            return f"{channels}; nothing was asked for yet" if waiting else channels
        dead, stuck = sum(run.dead for run in runs), [run for run in runs if word(run) in STUCK]
        said = [
            f"{channels}; {sum(not run.open for run in runs)} of {counted(len(runs), 'window')}",
            counted(sum(run.pages for run in runs), "page"),
            *([counted(dead, "dead letter")] if dead else []),
        ]
        return "; ".join([", ".join(said), *sorted({f"{word(run)}: {run.reason or 'no answer'}" for run in stuck})])

    def _stuck(self, waiting: Sequence[Channel]) -> str | None:
        """Why it does not go on, where every window that is waited for needs somebody."""
        mine = [self.runs.get(one.fields.get(MARKS[self.kind], "")) for one in waiting]
        if not all(found is not None and found.state in ("blocked", "given_up") for found in mine):
            return None
        reasons = sorted({found.reason or "no answer" for found in mine if found is not None})
        named = ", ".join(one.name for one in waiting[:_NAMED]) + (" and more" if len(waiting) > _NAMED else "")
        return f"{named}: it does not go on by itself ({', '.join(reasons)})."

"""`./sluice demo --faults …`: a pass under faults, then the dust settles, everything is read again and held against the
workspace.

    faults on ▶ connect, allow, pull, while the workspace changes ▶ faults off ▶ questions answered ▶ all covered
              ▶ POST pulls {} (everything again, with every thread) ▶ the mesh is what Slack shows, exactly
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cli import balance, leaks
from cli.exact import Exact, compare
from cli.story import Choose
from cli.walk import Player, Walk

GIVEN: Final = {"SLUICE_OVERDUE_SECONDS": "2", "SLUICE_PULL_MINUTES": "0.05"}
"""Sluice's own patience, as short as the scaled time: a run without progress is asked again after two seconds."""
TIME_SCALE: Final = 0.002
"""Seconds that a second takes for Slack's limits, Paragon's retries and everything that happens meanwhile."""
ENDED: Final = ("covered", "cancelled", "halved", "held", "missed")
"""States of a run that nothing more is wanted of."""
_GOING: Final = ("requested", "receiving")
_MARKS: Final = ("run", "back", "re", "th")
"""The fields of a channel's coverage that name its open runs."""
_SETTLING_SECONDS: Final = 15.0


@dataclass
class Outcome:
    """What the demo under faults prints. `struck` counts each fault, `runs` the newest windows by state; `again` is the
    command line that repeats it.
    """

    exact: Exact
    struck: dict[str, int]
    runs: dict[str, int]
    twice: int
    leaked: int
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    again: str = ""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept, and every fault really struck."""
        return self.exact.same and not (self.twice or self.leaked or self.problems)


class Faulty:
    """The four steps."""

    def __init__(self, walk: Walk, everybody: list[Player], choose: Choose, faults: str) -> None:
        self._walk, self._everybody, self._choose = walk, everybody, choose
        self._faults = [name for name in faults.split(",") if name]
        self._began = time.monotonic()

    def play(self, state: Path) -> Outcome:
        """All of them; `state` is searched for words of channels that are not allowed."""
        self._pass()
        self._settle()
        again = self._again()
        exact = self._compared()
        lists = {player.org: set(_allowed(self._walk, player)) for player in self._everybody}
        words = leaks.canaries(self._walk, self._everybody, lists, None)
        seen = leaks.sightings(words, self._walk, self._everybody, [state])
        struck, taken = self._struck()
        problems = [f"{name} never struck" for name in self._faults if not struck.get(name)]
        problems += [f"{name} was taken {number} times, not refused" for name, number in taken.items()]
        problems += [*again, *self._open()]
        twice = sum(number - 1 for number in balance.applied(self._walk, self._everybody).values())
        runs = Counter(run["state"] for player in self._everybody for run in self._walk.runs(player))
        return Outcome(exact, struck, dict(runs), twice, len(set().union(*seen.values())), problems)

    def _pass(self) -> None:
        """Connect, allow, and let it go on until everything has happened that will."""
        for player in self._everybody:
            self._walk.register(player)
            self._walk.connect(player)
        for player in self._everybody:
            self._walk.await_directory(player)
            self._walk.allow(player, self._choose(self._walk.channels(player)))
        self._say(f"1. Slack is connected and read under {len(self._faults)} faults; the workspace changes")
        self._walk.until("the faults", lambda: self._sim()["over"], moving=lambda: self._sim()["minute"])

    def _settle(self) -> None:
        """Nothing strikes any more; what Sluice asks is answered, and every window gets covered."""
        self._walk.simulator.post("/_sim/faults", json={"on": ""}).raise_for_status()
        self._say("2. the dust settles: faults off, questions answered")
        since = time.time_ns() // 1000
        for player in self._everybody:
            # The restricted regime is over, and of what is asked in pages of 15 no page shows it.
            self._put(f"{player.path}/pulls/plan", {"rate": "standard"})
            self._walk.simulator.post("/_sim/directory", json={"connection": player.connection}).raise_for_status()
        for player in self._everybody:
            self._await_directory(player, since)
            self._answer(player)
        self._wait("the windows", lambda: all(self._covered(player) for player in self._everybody))

    def _await_directory(self, player: Player, since: int) -> None:
        """Until it was read after `since`, and what it shows is asked."""
        self._walk.until("the directory", lambda: min(self._walk.look(player)["directory"].values()) > since)
        if "id_change" in self._faults:
            self._walk.until("the question", lambda: self._walk.look(player)["paused_channels"])

    def _answer(self, player: Player) -> None:
        """The customer's admin: a channel with another id stays on the list under that, a shared one is confirmed."""
        paused = self._walk.look(player)["paused_channels"]
        renamed = {row["channel"]: row["new_id"] for row in paused if row["reason"] == "id_changed"}
        if renamed:
            self._walk.allow(player, sorted({renamed.get(name, name) for name in _allowed(self._walk, player)}))
        for row in paused:
            if row["reason"] != "id_changed":
                path = f"{player.path}/channels/{row['channel']}/resume"
                self._walk.api.post(path).raise_for_status()

    def _again(self) -> list[str]:
        """Everything that is covered is read again, whole, with every thread."""
        asked = {}
        for player in self._everybody:
            answer = self._walk.api.post(f"{player.path}/pulls", json={}).raise_for_status().json()
            asked[player] = answer["again"]
        self._say(f"3. {sum(map(len, asked.values()))} channels are read again, with every thread")
        self._wait("the final reading", lambda: all(self._read(one, names) for one, names in asked.items()))
        missing = sum(len(set(_allowed(self._walk, one)).difference(names)) for one, names in asked.items())
        return [f"{missing} channels were not read again"] if missing else []

    def _read(self, player: Player, channels: list[str]) -> bool:
        """Whether nothing of what was asked to be read again is left, and no thread either."""
        coverage = self._walk.coverage(player)
        left = [one for one in channels if coverage["channels"][one]["again"] is not None]
        return not (left or coverage["plan"]["moved_threads"])

    def _compared(self) -> Exact:
        """What is on its way to the mesh has a moment to get there."""
        self._say("4. the mesh is held against the workspace")
        until = time.monotonic() + _SETTLING_SECONDS
        while not (found := compare(self._walk, self._everybody)).same and time.monotonic() < until:
            time.sleep(0.5)
        return found

    def _covered(self, player: Player) -> bool:
        """Whether every allowed channel is read back to its beginning, and no run is open."""
        coverage = self._coverage(player)
        known = (coverage.get(name, {}) for name in _allowed(self._walk, player))
        whole = all(one.get("head") and one["tail"] <= (one["start"] or 0) for one in known)
        return whole and all(run["state"] in ENDED for run in self._walk.runs(player) if run["kind"] != "reread")

    def _open(self) -> list[str]:
        """Windows that are neither covered nor explained; what goes on by itself has just been asked for."""
        wrong = Counter[str]()
        for player in self._everybody:
            states = {run["id"]: run["state"] for run in self._walk.runs(player)}
            known = self._coverage(player)
            # One that is open and not among the newest has been open for long.
            waiting = {name for one in known.values() for mark in _MARKS if (name := one[mark])}
            wrong += Counter(states.get(name, "open for long") for name in states.keys() | waiting)
        return [f"{number} windows are {state}" for state, number in wrong.items() if state not in (*ENDED, *_GOING)]

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        def settled() -> bool:
            idle = self._walk.simulator.get("/_sim/status").json()["idle"]
            return bool(done() and idle and self._walk.status()["backlog"] == 0)

        self._say(f"   waiting for {what}")
        self._walk.until(what, settled, moving=self._moving)

    def _moving(self) -> object:
        """What changes while the dust settles. Heads go on for ever, and say nothing of it."""
        coverage = [one for player in self._everybody for one in self._coverage(player).values()]
        past = [[one[name] for name in ("tail", "again", *_MARKS[1:])] for one in coverage]
        return self._walk.status()["backlog"], past

    def _coverage(self, player: Player) -> dict[str, Any]:
        found: dict[str, Any] = self._walk.coverage(player)["channels"]
        return found

    def _sim(self) -> dict[str, Any]:
        found: dict[str, Any] = self._walk.simulator.get("/_sim/faults").json()
        return found

    def _struck(self) -> tuple[dict[str, int], dict[str, int]]:
        found = self._sim()
        return dict(sorted(found["counts"].items())), found["taken"]

    def _put(self, path: str, body: dict[str, Any]) -> None:
        self._walk.api.put(path, json=body).raise_for_status()

    def _say(self, sentence: str) -> None:
        self._walk.say(f"{time.monotonic() - self._began:5.1f} s  {sentence}")


def _allowed(walk: Walk, player: Player) -> list[str]:
    channels: list[str] = walk.api.get(f"{player.path}/allowlist").json()["channels"]
    return channels


def as_json(outcome: Outcome) -> str:
    """One object; ids instead of contents."""
    shown: dict[str, Any] = {"exact": outcome.exact.numbers(), "faults": outcome.struck, "runs": outcome.runs}
    shown |= {"twice": outcome.twice, "leaked": outcome.leaked, "problems": outcome.problems}
    shown |= {"ids": outcome.exact.lines(), "again": outcome.again, "kept": outcome.kept}
    return json.dumps(shown | {"seconds": outcome.seconds})


def as_table(outcome: Outcome) -> str:
    """The same for people."""
    rows = [("struck", "")] if outcome.struck else []
    rows += [(f"  {name.replace('_', ' ')}", str(number)) for name, number in outcome.struck.items()]
    rows += [("messages in Slack, allowed", str(outcome.exact.messages))]
    rows += [(f"  {name}", str(number)) for name, number in list(outcome.exact.numbers().items())[1:]]
    rows += [(f"windows {state}", str(number)) for state, number in outcome.runs.items()]
    rows += [("twice", str(outcome.twice)), ("leaked", str(outcome.leaked))]
    wide = max(len(name) for name, _ in rows)
    lines = [f"{name:<{wide}} {number:>8}".rstrip() for name, number in rows]
    lines += [*outcome.exact.lines(), *(f"problem: {problem}" for problem in outcome.problems)]
    verdict = "the mesh is what Slack shows" if outcome.kept else "NOT what was promised"
    return "\n".join([*lines, f"{verdict}, in {outcome.seconds} s", f"again: {outcome.again}"])

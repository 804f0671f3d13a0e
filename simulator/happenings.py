"""What happens around the reading while it goes on: people write and edit and delete, things get other names and ids,
the credential fails for a while, strangers knock. It begins with the first messages workflow and keeps to scaled
minutes; which things happen is up to the faults that are on, to whom is drawn from the seed.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from simulator.config import SimulatorConfig
from simulator.faults import Faults
from simulator.knocks import Knocks
from simulator.life import Life
from simulator.slack.workspace import Workspace
from simulator.triggers import Triggers
from simulator.workflows import Engine
from simulator.workspaces import Workspaces

Json = dict[str, Any]

RESTRICTED_UNTIL: Final = 40
"""The minute in which Slack lists the app in its Marketplace, and the restricted regime ends."""
STATES: Final = {"credential": (60, 10), "disabled": (90, 10)}
"""State → the minute that it begins in, and how many it lasts; longer, until somebody has run into it."""
ONCE: Final = {"rename": 25, "id_change": 45}
KNOCKS: Final = (10, 50, 110)
LAST_MINUTE: Final = 120
_EVERY: Final = 2
_PATIENCE: Final = 4


@dataclass
class Happenings:
    """The course of one simulator's things, and the minute that it has come to."""

    config: SimulatorConfig
    faults: Faults
    workspaces: Workspaces
    engine: Engine
    triggers: Triggers
    minute: int = -1
    _asked: dict[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._knocks = Knocks(self.faults, self.engine.courier, self.config.webhook_secret)
        self._life = Life(self.faults, random.Random(self.config.seed), self.config.anchor)
        self.faults.begin("restricted")

    def triggered(self, connection: str, body: Json) -> None:
        """A workflow was asked for; with the first that reads messages, things begin to happen."""
        if not body.get("run_token"):
            return
        self._asked[connection] = body
        if self.minute < 0 and self.faults.on:
            self.minute = 0
            self.engine.spawn(self._go())

    @property
    def over(self) -> bool:
        """Whether everything has happened that will. What strikes by chance has some more time to strike once."""
        struck = all(self.faults.counts[name] for name in self.faults.on) or self.minute >= _PATIENCE * LAST_MINUTE
        return not self.faults.on or (self.minute >= LAST_MINUTE and struck and not self.faults.present)

    async def _go(self) -> None:
        """Minute by minute; where everything is over, changes in the workspace go on until their faults are off."""
        while self.faults.on:
            self._states()
            for fault, act in self._acts().items():
                if fault in self.faults.on:
                    act()
            if self.minute in KNOCKS:
                await self._knocks.all(self._asked)
            await asyncio.sleep(60 * self.config.time_scale)
            self.minute += 1

    def _states(self) -> None:
        if self.minute == RESTRICTED_UNTIL:
            self.faults.end("restricted")
        for state, (begin, minutes) in STATES.items():
            if self.minute == begin:
                self.faults.begin(state)
            if self.minute >= begin + minutes and self.faults.counts[state]:
                self.faults.end(state)

    def _acts(self) -> dict[str, Callable[[], None]]:
        """What is due in this minute, by fault."""
        due: dict[str, Callable[[], None]] = {}
        for number, fault in enumerate(("edit", "delete", "late_reply")):
            if self.minute % (3 * _EVERY) == number * _EVERY:
                due[fault] = lambda fault=fault: self._live(fault)  # type: ignore[misc]
        if self.minute == ONCE["rename"]:
            due["rename"] = lambda: self._directory(self._life.rename)
        if self.minute == ONCE["id_change"]:
            due["id_change"] = lambda: self._directory(self._life.change_id)
        return due

    def _live(self, fault: str) -> None:
        """Somebody in each workspace edits, deletes or replies in a channel that is read."""
        for _, workspace, read in self._connected():
            self._life.happen(fault, [workspace.channels[name] for name in read])

    def _directory(self, change: Callable[[Workspace, list[str]], bool]) -> None:
        """A change that the next directory shows; it is read at once, as it is daily."""
        for connection, workspace, read in self._connected():
            if change(workspace, read):
                for kind in ("channels", "users"):
                    self.engine.start_directory(kind, connection, workspace)

    def _connected(self) -> list[tuple[str, Workspace, list[str]]]:
        """Each connection that was asked for messages, its workspace, and which of its channels are read."""
        found = ((name, self.workspaces.of(name)) for name in sorted(self._asked))
        return [(name, workspace, [one for one in self.triggers.channels(name) if one in workspace.channels])
                for name, workspace in found if workspace is not None]  # fmt: skip

"""One supervised process: started, watched, restarted with backoff, stopped."""

import os
import subprocess
import time
from pathlib import Path
from typing import Literal

from cli.programs import Program
from cli.spawn import ended, kill_group, spawn, terminate

State = Literal["stopped", "starting", "running", "restarting"]

SHORTEST, LONGEST = 0.2, 5.0  # seconds between a crash and the next start
STEADY = 5.0  # a process that lived this many seconds has its earlier crashes forgiven


class Child:
    """A program and its process, if it has one. Not thread-safe: `cli.stack` holds a lock around it."""

    def __init__(self, program: Program, log: Path, *, restart: bool = True) -> None:
        self.program = program
        self.log = log
        self.restart_crashed = restart
        self.wanted = False
        self.was_ready = False
        self.crashes = 0
        self.exit_status: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._next_start = 0.0

    @property
    def name(self) -> str:
        """The program's."""
        return self.program.name

    @property
    def alive(self) -> bool:
        """Whether a process is running."""
        return self._process is not None and not ended(self._process)

    @property
    def pid(self) -> int | None:
        """Of the process, which is also its group's; None while there is none."""
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def state(self) -> State:
        """`restarting` between a crash and the next start; `starting` until it was ready once."""
        if not self.wanted:
            return "stopped"
        if not self.alive:
            return "restarting" if self.restart_crashed else "stopped"
        return "running" if self.was_ready else "starting"

    def start(self) -> None:
        """Start the process unless it runs. Raises OSError."""
        self.wanted = True
        if self.alive:
            return
        self._reap()
        self.program.cwd.mkdir(parents=True, exist_ok=True)
        self._process = spawn(self.program.argv, env=self.program.env, cwd=self.program.cwd, log=self.log)
        self._started = time.monotonic()

    def look(self) -> bool:
        """Notice a crash, clear away what it left, and start again when it is time. True if something changed."""
        if not self.wanted or self.alive:
            return False
        now = time.monotonic()
        if self._process is not None:
            self._crashed(now)
            return True
        if self.restart_crashed and now >= self._next_start:
            self.start()
            return True
        return False

    def seen(self, *, answers: bool) -> bool:
        """Take note of what a look at it showed. True if it runs and has answered at least once."""
        self.was_ready = self.was_ready or (answers and self.alive)
        return self.was_ready and self.alive

    def ask_to_stop(self) -> None:
        """SIGTERM, to the process alone; it is not started again."""
        self.wanted = self.was_ready = False
        if self._process is not None:
            terminate(self._process)

    def finish(self) -> None:
        """SIGKILL for whatever is left of its group."""
        self._reap()
        self.crashes = 0

    def signal(self, number: int, *, group: bool) -> None:
        """Any signal, as a test or a fault sends it; supervision goes on. Raises ProcessLookupError if it is down."""
        if (pid := self.pid) is None:
            raise ProcessLookupError(f"{self.name} is not running")
        (os.killpg if group else os.kill)(pid, number)

    def give_up(self) -> None:
        """SIGKILL, and no restart."""
        self.ask_to_stop()
        self.finish()

    def _crashed(self, now: float) -> None:
        self.crashes = 1 if now - self._started > STEADY else self.crashes + 1
        self._reap()
        self._next_start = now + min(LONGEST, SHORTEST * 2 ** (self.crashes - 1))

    def _reap(self) -> None:
        if self._process is not None:
            kill_group(self._process)  # also the children of one that died alone
            self.exit_status = self._process.returncode
            self._process = None

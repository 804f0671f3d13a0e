"""Keeps programs running: starts them in order, brings crashed ones back, stops them in order, leaves none behind."""

import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from cli import leftovers
from cli.child import Child, State
from cli.logs import cap, tail
from cli.programs import STOP_ORDER, Program
from settings import STACK_MARK

TICK = 0.1  # seconds between two looks at the processes
LOG_TICKS = 50
TRIES = 3  # a process that ends this often before it was ready once will not get ready


class StartFailed(Exception):
    """A process did not get ready; the text names it and ends with the last lines of its log."""


@dataclass(frozen=True)
class ProcessState:
    """One line of `./sluice status`."""

    name: str
    pid: int | None
    state: State


def _quiet(sentence: str) -> None:
    """Progress that nobody wants to read."""


class Supervisor:
    """Programs that run, each in a session of its own, with a log in `<state_dir>/logs`.

    A name is a program's own; a role stands for all programs that have it (`worker`). `on_change` is called, from any
    thread, whenever the states of processes may have changed.
    """

    def __init__(self, state_dir: Path, programs: Iterable[Program], *, restart_crashed: bool = True) -> None:
        self.state_dir = state_dir.resolve()
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs = self.state_dir / "logs"
        self.logs.mkdir(mode=0o700, exist_ok=True)
        self.on_change: Callable[[], None] = lambda: None
        marked = [replace(p, env={**p.env, STACK_MARK: str(self.state_dir)}) for p in programs]
        self._children = {p.name: Child(p, self.log(p.name), restart=restart_crashed) for p in marked}
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def names(self) -> list[str]:
        """The processes, in the order in which they start."""
        return list(self._children)

    def start(
        self, names: Iterable[str] | None = None, *, timeout: float = 60, progress: Callable[[str], None] = _quiet
    ) -> None:
        """Start them (default: all) and wait until each is ready. Raises StartFailed; what runs then goes on."""
        begun = time.monotonic()
        chosen = self._chosen(names)
        self._watch()
        for child in chosen:
            with self._lock:
                child.crashes, child.was_ready = 0, child.was_ready and child.alive
                child.start()
            if child.program.needed_first:
                self._await([child], begun, timeout, progress)
        self._await([child for child in chosen if not child.program.needed_first], begun, timeout, progress)

    def stop(self, names: Iterable[str] | None = None, *, progress: Callable[[str], None] = _quiet) -> None:
        """Stop them (default: all, and then nothing of this stack is left) in STOP_ORDER, within 15 seconds."""
        chosen = self._chosen(names)
        for role in [*STOP_ORDER, *{child.program.role for child in chosen} - set(STOP_ORDER)]:
            self._stop_together([child for child in chosen if child.program.role == role], progress)
        if names is None:
            self._closed.set()
            if self._watcher is not None:
                self._watcher.join()
                self._watcher = None
            leftovers.end(self.state_dir)
        self.on_change()

    def restart(self, name: str, *, timeout: float = 60) -> None:
        """Stop and start one, or all workers with `worker`. Raises StartFailed."""
        self.stop([name])
        self.start([name], timeout=timeout)

    def kill(self, name: str, number: int = signal.SIGKILL, *, group: bool = True, for_good: bool = False) -> None:
        """A signal as a crash or a fault would send it; the supervisor brings the process back unless `for_good`.

        `group` includes what it forked (Celery's children). Raises ProcessLookupError if it is not running.
        """
        with self._lock:
            for child in self._chosen([name]):
                if for_good:
                    child.give_up()
                else:
                    child.signal(number, group=group)

    def pid(self, name: str) -> int | None:
        """The process id, which is also the group's; None while it is down."""
        with self._lock:
            return self._children[name].pid

    def states(self) -> list[ProcessState]:
        """Every process, running or not."""
        with self._lock:
            return [ProcessState(child.name, child.pid, child.state) for child in self._children.values()]

    def log(self, name: str) -> Path:
        """Where a process's output goes."""
        return self.logs / f"{name}.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _chosen(self, names: Iterable[str] | None) -> list[Child]:
        if names is None:
            return list(self._children.values())
        wanted = set(names)
        known = {name for child in self._children.values() for name in (child.name, child.program.role)}
        if wanted - known:
            raise KeyError(f"no process {min(wanted - known)!r} here; there are {', '.join(self._children)}")
        return [child for child in self._children.values() if {child.name, child.program.role} & wanted]

    def _await(self, waiting: list[Child], begun: float, timeout: float, progress: Callable[[str], None]) -> None:
        while waiting:
            for child in [child for child in waiting if self._ready(child)]:
                waiting.remove(child)
                self.on_change()
                progress(f"{child.name} is up ({time.monotonic() - begun:.1f} s)")
            late = time.monotonic() - begun > timeout
            for child in waiting:
                if late or child.crashes >= (TRIES if child.restart_crashed else 1):
                    why = f"is not ready after {timeout:.0f} s" if late else "ends as soon as it is started"
                    raise StartFailed(f"{child.name} {why}; {child.log} ends with:\n{tail(child.log)}")
            time.sleep(0.03 if waiting else 0)

    def _ready(self, child: Child) -> bool:
        answers = child.program.ready is None or child.program.ready()  # may take seconds: not under the lock
        with self._lock:
            return child.seen(answers=answers)

    def _stop_together(self, children: list[Child], progress: Callable[[str], None]) -> None:
        begun = time.monotonic()
        stopping = [child for child in children if child.wanted]
        with self._lock:
            for child in children:
                child.ask_to_stop()
        grace = max((child.program.grace for child in children), default=0)
        while any(child.alive for child in children) and time.monotonic() - begun < grace:
            time.sleep(0.01)
        for child in stopping:
            progress(f"{child.name} {'is killed' if child.alive else 'has stopped'} ({time.monotonic() - begun:.1f} s)")
        with self._lock:
            for child in children:
                child.finish()

    def _watch(self) -> None:
        if self._watcher is None:
            self._closed.clear()
            self._watcher = threading.Thread(target=self._look, name="supervisor", daemon=True)
            self._watcher.start()

    def _look(self) -> None:
        for tick in count(1):
            if self._closed.wait(TICK):
                return
            with self._lock:
                changed = [child for child in self._children.values() if child.look()]
                if tick % LOG_TICKS == 0:
                    for child in self._children.values():
                        cap(child.log)
            if changed:
                self.on_change()

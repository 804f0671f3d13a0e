"""Who runs on a state directory: a lock that ends with its holder, and a file that tells the others what runs."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from cli.spawn import ROOT

STATE_DIR = ROOT / ".sluice"


class AlreadyRunning(Exception):
    """Another supervisor holds this state directory; `pid` is its process, None if it is too young to say."""

    def __init__(self, state_dir: Path, pid: int | None) -> None:
        super().__init__(f"Sluice already runs on {state_dir} (process {pid}); `./sluice down` stops it.")
        self.pid = pid


@contextlib.contextmanager
def held(state_dir: Path) -> Iterator[None]:
    """Hold the state directory. Raises AlreadyRunning. The lock goes with the process, however it ends."""
    with _opened(state_dir) as lock:
        if not _locked(lock, patience=0.3):
            raise AlreadyRunning(state_dir, _number(lock.read()))
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def holder(state_dir: Path) -> int | None:
    """The process that holds the state directory, None if nobody does."""
    if not (state_dir / "lock").exists():
        return None
    with _opened(state_dir) as lock:
        return None if _locked(lock) else _number(lock.read())


def _locked(lock: IO[str], patience: float = 0) -> bool:
    """Whether the lock is ours now; with patience, since `holder` takes it for an instant."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def _opened(state_dir: Path) -> IO[str]:
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.fdopen(os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+")


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


def write_status(state_dir: Path, status: dict[str, Any]) -> None:
    """Leave word of what runs, whole or not at all; no secrets."""
    draft = state_dir / "status.json.new"
    draft.write_text(json.dumps(status, indent=1))
    draft.replace(state_dir / "status.json")


def read_status(state_dir: Path) -> dict[str, Any]:
    """What the running supervisor last wrote, {} if it wrote nothing."""
    path = state_dir / "status.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def forget_status(state_dir: Path) -> None:
    """Nothing runs any more."""
    (state_dir / "status.json").unlink(missing_ok=True)

"""Finds every process of a stack, however deep, by the mark in its environment.

Valkey writes over its environment; it is known by its program and by its working directory, which is ours.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from cli.embedded import server_binary
from settings import STACK_MARK

PROC = Path("/proc")


def find(state_dir: Path) -> list[int]:
    """The living processes that were started for this state directory, the caller aside. Linux only, else none."""
    mark = f"{STACK_MARK}={state_dir}".encode()
    return [pid for pid in _pids() if pid != os.getpid() and (mark in _environ(pid) or _is_server(pid, state_dir))]


def end(state_dir: Path, timeout: float = 2) -> list[int]:
    """SIGKILL for all of them; what is still there after `timeout` seconds is returned."""
    deadline = time.monotonic() + timeout
    while (left := find(state_dir)) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return left


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for its parent to take note."""
    try:
        os.kill(pid, 0)
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except ProcessLookupError:
        return True
    except OSError:  # no /proc here, or not ours: it is there
        return False


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()] if PROC.is_dir() else []


def _environ(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "environ").read_bytes().split(b"\0")  # empty for a process that has ended
    except OSError:  # gone, or somebody else's
        return []


def _is_server(pid: int, state_dir: Path) -> bool:
    try:
        program, directory = (PROC / str(pid) / "exe").readlink(), (PROC / str(pid) / "cwd").readlink()
    except OSError:
        return False
    return program == server_binary() and directory.is_relative_to(state_dir)

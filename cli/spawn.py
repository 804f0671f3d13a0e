"""Starts programs so that they die with us: own session, parent-death signal, no terminal.

All programs are started from one thread that lives as long as this process, because the kernel binds the
parent-death signal to the thread that forked (facts.md, 3): a caller's own thread may end earlier.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAUNCHER = ROOT / "workers" / "deathsig.py"

_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawn")


def spawn(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path = ROOT, log: Path | None = None
) -> "subprocess.Popen[bytes]":
    """Start a program in a session of its own; its output is appended to `log`. Raises OSError.

    The process id is the program's own and also its group's: the launcher becomes the program.
    """
    # -I -S: the launcher needs no site-packages, and no file of ours may shadow the standard library.
    command = [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), *argv]
    return _starter.submit(_start, [str(part) for part in command], env, cwd, log).result()


def _start(command: list[str], env: Mapping[str, str] | None, cwd: Path, log: Path | None) -> "subprocess.Popen[bytes]":
    # Appending: the log can be cut (cli.logs) while the program goes on writing.
    descriptor = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            umask=0o077,  # what a process keeps is its owner's alone
        )
    finally:
        os.close(descriptor)


def ended(process: "subprocess.Popen[bytes]") -> bool:
    """Whether the program has ended. It is not reaped, so that its id, and its group's, cannot be another's yet."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def terminate(process: "subprocess.Popen[bytes]") -> None:
    """Ask the program, and only it, to end: Celery's children are ended by their parent."""
    if not ended(process):
        os.kill(process.pid, signal.SIGTERM)


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL for the program and all that it started in its group, and reap it."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

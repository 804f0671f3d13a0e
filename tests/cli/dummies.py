"""Small programs that stand for the real processes, so that supervision is tested without them."""

import sys
from collections.abc import Callable
from pathlib import Path

from cli.programs import Program, base_environment

PATIENT = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
# Appends its name to a file when it is asked to stop.
POLITE = """
import pathlib, signal, sys, time
def leave(*_):
    with pathlib.Path(sys.argv[1]).open("a") as file:
        file.write(sys.argv[2] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(600)
"""
# Forks as Celery does: the child asks for the parent-death signal itself, and leaves its id in a file.
PARENT = """
import os, pathlib, sys, time
from workers.deathsig import die_with_parent
if os.fork() == 0:
    die_with_parent()
    os.setsid() if sys.argv[2] == "away" else None
    pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(600)
"""
CRASHING = "import sys; print('no reason given', flush=True); sys.exit(3)"


def dummy(
    name: str, code: str, *arguments: object, role: str = "api", ready: Callable[[], bool] | None = None
) -> Program:
    argv = (sys.executable, "-c", code, *map(str, arguments))
    return Program(name, role, argv, base_environment(), ready=ready)


def running(pid: int) -> bool:
    """Whether a process exists and has not ended (a zombie has)."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False

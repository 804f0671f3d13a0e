"""`./sluice down`: stops what `up` started, and looks that nothing is left."""

import argparse
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from cli import leftovers
from cli.exits import Exit
from cli.runfile import STATE_DIR, forget_status, holder

PATIENCE = 20.0  # seconds; the processes' graces together are 13


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Only where."""
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 when nothing runs any more, also if nothing ran before; 1 if a process cannot be ended."""
    state_dir = args.state.resolve()
    if (pid := holder(state_dir)) is None:
        _say("nothing is running")
    else:
        _stop(state_dir, pid)
    survivors = leftovers.find(state_dir)
    left = leftovers.end(state_dir) if survivors else []
    if survivors:
        _say(f"had to end {len(survivors)} processes that were left")
    forget_status(state_dir)
    return Exit.FAILED if left else Exit.DONE


def _stop(state_dir: Path, pid: int) -> None:
    begun = time.monotonic()
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while holder(state_dir) == pid and time.monotonic() - begun < PATIENCE:
            time.sleep(0.05)
        if holder(state_dir) == pid:
            _say(f"process {pid} does not listen; it is killed, and its children with it")
            os.kill(pid, signal.SIGKILL)
        while not leftovers.has_ended(pid) and time.monotonic() - begun < PATIENCE:
            time.sleep(0.02)  # the lock was let go, the process itself has yet to end
    _say(f"stopped, in {time.monotonic() - begun:.1f} s")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)

"""A process that does not outlive its parent, even one that was killed with SIGKILL (facts.md, 3).

The kernel's parent-death signal survives `exec` but not `fork`, so it is asked for twice: by the launcher that
`cli.spawn` puts before each program, and again by each child that Celery forks (`worker_process_init`).
It is bound to the *thread* that forked: whoever starts processes does so from a thread that lives as long as they.
Where the kernel has no such signal (macOS), nothing happens here and `./sluice down` cleans up.

As a program: `python deathsig.py <pid of the parent> <program> <arguments…>` becomes that program.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

# Read before any fork: in a forked child this still names the process that imported it, its parent.
_IMPORTED_IN = os.getpid()


def die_with_parent(parent: int | None = None) -> None:
    """Get SIGKILL when `parent` (else the process that forked us) ends; at once if it is already gone."""
    if not sys.platform.startswith("linux"):
        return
    if parent is None:
        parent = os.getppid() if os.getpid() == _IMPORTED_IN else _IMPORTED_IN
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before we asked, so no signal will come
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 — no shell is what we want

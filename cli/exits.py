"""What the exit status of a command says; `./sluice` prints this list."""

from enum import IntEnum


class Exit(IntEnum):
    """0 done; 1 it failed; 2 wrong usage or a wrong setting; 3 nothing is running; 4 it is running already."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    ALREADY_RUNNING = 4
    INTERRUPTED = 130

"""What the exit status of a command says; `--help` of each prints this list."""

from enum import IntEnum


class Exit(IntEnum):
    """0 done; 1 failed; 2 wrong usage or setting; 3 nothing runs, or some quarantined; 4 runs already; 5 bad input."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    ALREADY_RUNNING = 4
    QUARANTINED = 3
    BAD_INPUT = 5
    INTERRUPTED = 130
    READER_LEFT = 141

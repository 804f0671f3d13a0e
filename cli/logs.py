"""The processes' logs: one file each, cut when they grow, with the part before kept once."""

import os
import shutil
from pathlib import Path

LIMIT = 8 * 1024 * 1024


def cap(log: Path, limit: int = LIMIT) -> None:
    """Move what a log holds to `<log>.1` once it is over `limit` bytes.

    The writer has it open for appending and is not asked: what it writes between copy and cut is lost, which a
    development log bears and a pipe through the supervisor would not (a slow reader stops the writer).
    """
    if log.exists() and log.stat().st_size > limit:
        shutil.copyfile(log, older := log.with_suffix(log.suffix + ".1"))
        older.chmod(0o600)
        os.truncate(log, 0)


def tail(log: Path, lines: int = 5, width: int = 300) -> str:
    """The last lines of a log, for a sentence about a process that did not start."""
    if not log.exists():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        text = file.read().decode(errors="replace")
    return "\n".join(line[:width] for line in text.strip().splitlines()[-lines:]) or "(empty)"

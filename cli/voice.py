"""How `up` speaks: to the terminal, or, detached, through a pipe to the command that started it."""

import contextlib
import json
import os
import sys
from typing import IO


class Voice:
    """Progress goes to stderr, results to stdout."""

    def say(self, sentence: str) -> None:
        """One line of progress."""
        print(sentence, file=sys.stderr, flush=True)

    def show(self, text: str) -> None:
        """A result."""
        print(text, flush=True)

    def end(self, status: int) -> None:
        """The command that waits, if there is one, may return with this status."""


class Piped(Voice):
    """Writes one JSON object a line to a descriptor: `say`, `show`, and `end`, after which nobody listens."""

    def __init__(self, descriptor: int) -> None:
        self._pipe: IO[str] | None = os.fdopen(descriptor, "w", buffering=1)

    def say(self, sentence: str) -> None:
        """Also into the log of `up`, which is our stderr."""
        super().say(sentence)
        self._write("say", sentence)

    def show(self, text: str) -> None:
        """To the command that waits only: a table may hold the password of Flower."""
        self._write("show", text)

    def end(self, status: int) -> None:
        """Say the status and hang up; a second call says nothing."""
        self._write("end", status)
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.close()
            self._pipe = None

    def _write(self, kind: str, value: object) -> None:
        if self._pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # the one who waited went away: we go on
                self._pipe.write(json.dumps({kind: value}) + "\n")


def relay(pipe: IO[str], voice: Voice) -> int | None:
    """Repeat what comes through the pipe until its end; the status that was said, None if it broke off before."""
    for line in pipe:
        for kind, value in json.loads(line).items():
            if kind == "end":
                return int(value)
            (voice.say if kind == "say" else voice.show)(str(value))
    return None

"""What a stream of ours can show: lines as wide as its terminal, colours, marks; and lines that are written over.

No mode of the terminal is ever changed: whatever ends the process, the terminal is as it was.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

from cli.timeline import Ink

_PLAIN: Final = ("C", "POSIX")
_CODES: Final = {"red": "1;31", "green": "32", "yellow": "33"}


class Screen:
    """A terminal, or a file or pipe, where lines are left as they are and nothing is written over."""

    def __init__(self, stream: TextIO | None = None, environ: Mapping[str, str] | None = None) -> None:
        self._stream, self._environ = stream or sys.stdout, os.environ if environ is None else environ
        self.terminal, self._drawn, self._size = self._stream.isatty(), 0, (0, 0)
        self.colours = self.terminal and not self._environ.get("NO_COLOR") and self._environ.get("TERM") != "dumb"

    @property
    def columns(self) -> int:
        """How wide to draw: the terminal's width, or COLUMNS."""
        return shutil.get_terminal_size().columns

    @property
    def rows(self) -> int:
        """How many lines fit, the one of the cursor left out."""
        return max(shutil.get_terminal_size().lines - 1, 1)

    @property
    def ink(self) -> Ink:
        """What a drawing may use: block marks only where the encoding has them and the locale is not plain C."""
        return Ink(unicode=self._encodes("█▓▒░·") and self._locale() not in _PLAIN, colours=self.colours)

    def _encodes(self, text: str) -> bool:
        try:
            text.encode(self._stream.encoding or "ascii")
        except UnicodeEncodeError:
            return False
        return True

    def _locale(self) -> str:
        """Not LC_CTYPE: Python itself sets that one, to C.UTF-8, where the locale is C."""
        return self._environ.get("LC_ALL") or self._environ.get("LANG") or ""

    def coloured(self, text: str, colour: str) -> str:
        """Text in a colour, where there are any; `colour` is red, green, yellow or "" for none."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.colours and colour else text

    def wrapped(self, line: str) -> list[str]:
        """A line in as many as the terminal's width takes, the further ones indented by two more."""
        if not self.terminal or len(line) <= self.columns:
            return [line]
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        return textwrap.wrap(line, max(self.columns, 20), subsequent_indent=indent, break_on_hyphens=False)

    def over(self, lines: Sequence[str]) -> None:
        """Write these in place of the lines before; those that do not fit on the screen are left out."""
        size = (self.columns, self.rows)
        top = f"\x1b[{self._drawn}A" if self._drawn and size == self._size else ""
        if self._drawn and size != self._size:  # they were wrapped anew, nobody knows how: begin on a clean screen
            top = "\x1b[H\x1b[J"
        shown = lines[: self.rows]
        self._stream.write(top + "".join(f"{line}\x1b[K\n" for line in shown) + "\x1b[J")
        self._stream.flush()
        self._drawn, self._size = len(shown), size

    def leave(self) -> None:
        """After Ctrl-C, which the terminal has shown: the prompt gets a line of its own."""
        if self.terminal:
            self._stream.write("\n")
            self._stream.flush()


class Progress:
    """One line on a terminal, rewritten; elsewhere a line whenever it says something else."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream, self._said = stream or sys.stderr, ""
        self._rewrites = self._stream.isatty()

    def say(self, line: str) -> None:
        """How far it is."""
        if line != self._said:
            cut = line[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[K{cut}" if self._rewrites else line, end="" if self._rewrites else "\n", file=self._stream)
            self._stream.flush()
            self._said = line

    def end(self) -> None:
        """The line is left as it is; what follows begins a new one."""
        if self._rewrites and self._said:
            print(file=self._stream, flush=True)
        self._said = ""


def say(sentence: str) -> None:
    """A sentence about how it goes: not the result, so it goes to stderr."""
    print(sentence, file=sys.stderr, flush=True)

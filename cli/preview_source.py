"""The input of `./sluice preview`: a file, a line of one, or standard input; opened, and refused in a sentence."""

import io
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from cli.preview_frames import Frames

CAP: Final = 8 * 1024 * 1024
"""Bytes of one record at most: as many as a whole callback may have (SLUICE_BODY_LIMIT_BYTES by default)."""
_BOM: Final = b"\xef\xbb\xbf"
_HEAD: Final = 4096
_MAGIC: Final = {
    b"PK\x03\x04": "is a zip. Give one day of it (`unzip -p FILE general/2026-11-20.json | ./sluice preview … -`), or"
    " play all of it: `./sluice demo --workspace FILE`.",
    b"PK\x05\x06": "is a zip, and an empty one.",
    b"\x1f\x8b": "is compressed: `zcat FILE | ./sluice preview … -`.",
    b"\x28\xb5\x2f\xfd": "is compressed: `zstdcat FILE | ./sluice preview … -`.",
    b"\xff\xfe": "is UTF-16; Slack's JSON is UTF-8.",
    b"\xfe\xff": "is UTF-16; Slack's JSON is UTF-8.",
}


class BadInput(Exception):
    """One sentence that says what is wrong with the input."""


class Source(Protocol):
    """Bytes that are read forward; `again` gives them a second time from an offset on, where they can be."""

    stream: BinaryIO
    head: bytes
    base: int

    def again(self, at: int) -> BinaryIO | None:
        """The bytes from offset `at` of this source, or None."""


class Line:
    """One line of a longer input, which began at offset `base` of it."""

    def __init__(self, line: bytes, base: int) -> None:
        self.stream: BinaryIO = io.BytesIO(line)
        self.head, self.base = b"", base
        self._line = line

    def again(self, at: int) -> BinaryIO | None:
        """A line is in memory anyway."""
        return io.BytesIO(self._line[at:])


class Opened:
    """A file, or standard input as `-`; a context manager. Raises `BadInput` for what cannot hold JSON."""

    def __init__(self, name: str) -> None:
        self.name = "standard input" if name == "-" else name
        self._path = None if name == "-" else Path(name)
        self.stream: BinaryIO = sys.stdin.buffer if self._path is None else _open(self._path)
        head = self.stream.read(_HEAD)
        try:
            _refuse(self.name, head)
        except BadInput:
            self.close()
            raise
        self.base = len(_BOM) if head.startswith(_BOM) else 0
        self.head = head[self.base :]

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Standard input stays open."""
        if self._path is not None:
            self.stream.close()

    @property
    def size(self) -> int | None:
        """Bytes of a regular file."""
        info = os.fstat(self.stream.fileno()) if self._path is not None else None
        return info.st_size if info is not None and stat.S_ISREG(info.st_mode) else None

    def again(self, at: int) -> BinaryIO | None:
        """A second handle on a file; a pipe has none."""
        if self._path is None or self.size is None:
            return None
        opened = self._path.open("rb")
        opened.seek(at + self.base)
        return opened


def frames_of(source: Source) -> Frames:
    """The values of a source from its beginning."""
    return Frames(source.stream, CAP, source.head)


def _open(path: Path) -> BinaryIO:
    if path.is_dir():
        raise BadInput(f"{path} is a folder: give one file of it, as {path.name}/2026-11-20.json, with --channel.")
    try:
        return path.open("rb")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from None


def _refuse(name: str, head: bytes) -> None:
    for magic, says in _MAGIC.items():
        if head.startswith(magic):
            raise BadInput(f"{name} {says}")
    if b"\0" in head:
        raise BadInput(f"{name} is binary; Slack's JSON is text in UTF-8.")
    if not head.removeprefix(_BOM).strip():
        raise BadInput(f"{name} is empty.")

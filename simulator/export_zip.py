"""A zip file as a table of its members, a few bytes each; a member is read when it is asked for.

Python's own `zipfile` holds an object of most of a kilobyte for each member: an export of a thousand channels and five
years has two million days. Sizes are believed only as far as they are kept to: a member that unpacks to more than it
says, or to much more than it weighs, is refused.
"""

import os
import struct
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one member, unpacked: a day of one channel, or a list of the workspace."""
MOST_RATIO: Final = 250
"""Unpacked to packed, beyond the first megabyte. Slack's JSON comes to about 10; all spaces would come to 1,000."""
_END, _END64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_ENTRY: Final = struct.Struct("<4s4xHH4xLLLHHH8xL")
_CHUNK: Final = 1 << 16
_STORED, _DEFLATED = 0, 8


class BadZip(Exception):
    """The rest of a sentence that begins with the file's name."""


class Member(NamedTuple):
    """Where a member lies and what it should unpack to; `name` is its path in the zip."""

    name: str
    offset: int
    packed: int
    size: int
    crc: int
    method: int


class Zip:
    """A zip file, open as long as this lives. Raises `BadZip` for what is none."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        self._bytes = os.fstat(self._file).st_size
        self._start, self._length, self.count = self._directory()

    def members(self) -> Iterator[Member]:
        """Every file in it, in the directory's order. Raises `BadZip` for what is not safe to read."""
        at, end, window = self._start, self._start + self._length, _Window(self._file)
        for _ in range(self.count):
            head = window.read(at, _ENTRY.size)
            if at + _ENTRY.size > end or head[:4] != b"PK\x01\x02":
                raise BadZip("is damaged: its list of files ends early.")
            _, flags, method, crc, packed, size, name_length, extra_length, comment_length, offset = _ENTRY.unpack(head)
            rest = window.read(at + _ENTRY.size, name_length + extra_length)
            at += _ENTRY.size + name_length + extra_length + comment_length
            packed, size, offset = _wide(rest[name_length:], packed, size, offset)
            name = _name(rest[:name_length])
            if not name.endswith("/"):
                yield _safe(Member(name, offset, packed, size, crc, method), flags)

    def check(self) -> None:
        """Look at every member. Raises `BadZip`, also where members lie upon each other."""
        packed = sum(member.packed for member in self.members())
        if packed > self._bytes:
            raise BadZip("holds files that lie upon each other, as zip bombs do.")

    def read(self, member: Member) -> bytes:
        """A member unpacked. Raises `BadZip` where it is not what the directory says."""
        head = os.pread(self._file, 30, member.offset)
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            raise BadZip(_damaged(member))
        at = member.offset + 30 + sum(struct.unpack("<HH", head[26:30]))
        packed = os.pread(self._file, member.packed, at)
        if member.method == _STORED:
            data = packed
        else:
            try:
                data = zlib.decompressobj(-15).decompress(packed, member.size + 1)
            except zlib.error:
                raise BadZip(_damaged(member)) from None
        if len(data) != member.size or zlib.crc32(data) != member.crc:
            raise BadZip(_damaged(member))
        return data

    def _directory(self) -> tuple[int, int, int]:
        """(offset, bytes, entries) of the list of files, which the end of the zip tells."""
        tail_at = max(0, self._bytes - 22 - 0xFFFF)
        tail = os.pread(self._file, self._bytes - tail_at, tail_at)
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < 22:
            raise BadZip("is no zip, or one that was cut off: a zip tells at its end what it holds.")
        count, length, start = struct.unpack("<HLL", tail[at + 10 : at + 20])
        if at >= 20 and tail[at - 20 : at - 16] == _LOCATOR:
            end = os.pread(self._file, 56, *struct.unpack("<Q", tail[at - 12 : at - 4]))
            if len(end) < 56 or end[:4] != _END64:
                raise BadZip("is damaged: its second end is not where the first one says.")
            count, length, start = struct.unpack("<QQQ", end[32:56])
        if start + length > self._bytes or count * _ENTRY.size > length:
            raise BadZip("is damaged: its list of files is not where its end says.")
        return start, length, count


class _Window:
    """Small reads that go forward, out of larger ones."""

    def __init__(self, file: int) -> None:
        self._file, self._at, self._bytes = file, 0, b""

    def read(self, at: int, length: int) -> bytes:
        first = at - self._at
        if first < 0 or first + length > len(self._bytes):
            self._at, self._bytes = at, os.pread(self._file, max(_CHUNK, length), at)
            first = 0
        return self._bytes[first : first + length]


def _wide(extra: bytes, packed: int, size: int, offset: int) -> tuple[int, int, int]:
    """The numbers that did not fit stand in an extra field, in this order and only those."""
    values = [size, packed, offset]
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        if kind == 1:
            field = extra[4 : 4 + length]
            for place, value in enumerate(values):
                if value == 0xFFFFFFFF and len(field) >= 8:
                    values[place], field = int.from_bytes(field[:8], "little"), field[8:]
        extra = extra[4 + length :]
    return values[1], values[0], values[2]


def _name(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadZip("holds a name that is no UTF-8: zip the export anew with a program that writes UTF-8.") from None


def _safe(member: Member, flags: int) -> Member:
    parts = PurePosixPath(member.name).parts
    if ".." in parts or member.name.startswith("/") or "\\" in member.name or "\0" in member.name:
        raise BadZip("names a file outside of itself: no export does.")
    if flags & 1:
        raise BadZip("is encrypted: unpack it with its password, and give the folder.")
    if member.method not in (_STORED, _DEFLATED):
        raise BadZip(f"is packed in a way that is not read here (method {member.method}): zip it anew.")
    if max(member.size, member.packed) > MOST_BYTES:
        raise BadZip(f"holds a file of more than {MOST_BYTES // 1024 // 1024} MiB.")
    if member.size > 1024 * 1024 and member.size > MOST_RATIO * member.packed:
        raise BadZip("holds a file that unpacks to much more than it weighs, as zip bombs do.")
    return member


def _damaged(member: Member) -> str:
    return f"is damaged: {PurePosixPath(member.name).name!r} does not unpack to what the zip says."

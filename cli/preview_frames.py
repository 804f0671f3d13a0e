"""Where each JSON value of a stream begins and ends, in constant memory: nothing is decoded here.

A value is framed by its brackets and strings only; whether it is JSON at all, the product's own decoder says of each
value that fits. A library that parses as it reads would hand on its own reading of numbers, surrogates and depth, and
the preview would then show something else than what the pipeline does.
"""

import re
from typing import BinaryIO, Final, NamedTuple

CHUNK: Final = 1 << 18
_CLOSES: Final = {ord("}"): -1, ord("]"): -1, ord("{"): 1, ord("["): 1}
_TO_BRACKET: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_IN_STRING: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^\s,:\]}{\[\"]*+")
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")


class Damaged(Exception):
    """The stream is no JSON from byte `at` on; `says` is the rest of the sentence."""

    def __init__(self, at: int, says: str) -> None:
        super().__init__(f"byte {at}: {says}")
        self.at = at
        self.says = says


class Value(NamedTuple):
    """One whole value: where it began, its length in bytes, and its bytes unless it is longer than the cap."""

    at: int
    size: int
    raw: bytes | None


class Frames:
    """Reads a binary stream forward, once. `cap` bounds the bytes of one value that are kept."""

    def __init__(self, stream: BinaryIO, cap: int, head: bytes = b"") -> None:
        self._stream = stream
        self._cap = cap
        self._bytes = head
        self._next = 0
        self._before = 0

    @property
    def at(self) -> int:
        """Offset of the next byte."""
        return self._before + self._next

    def peek(self) -> bytes:
        """The next byte that is no white space, not taken; b"" at the end."""
        while True:
            found = _SPACE.match(self._bytes, self._next)
            self._next = found.end() if found else self._next
            if self._next < len(self._bytes):
                return self._bytes[self._next : self._next + 1]
            if not self._more():
                return b""

    def take(self, *wanted: bytes) -> bytes:
        """The next byte that is no white space, which must be one of `wanted`. Raises `Damaged`."""
        found = self.peek()
        if found not in wanted:
            raise Damaged(self.at, "it ends in the middle" if not found else "this is no JSON")
        self._next += 1
        return found

    def value(self) -> Value:
        """The next value, whatever it is. Raises `Damaged`."""
        first = self.peek()
        kept = _Kept(self.at, self._cap)
        if first in (b"{", b"["):
            self._nested(kept)
        elif first == b'"':
            self._keep(kept, self._next + 1)
            self._string(kept)
        else:
            self._scalar(kept)
        return kept.value()

    def _nested(self, kept: "_Kept") -> None:
        depth = 0
        while True:
            found = _TO_BRACKET.match(self._bytes, self._next)
            end = found.end() if found else self._next
            if end == len(self._bytes):
                self._keep(kept, end)
                self._go_on(kept)
            elif self._bytes[end] == ord('"'):
                self._keep(kept, end + 1)
                self._string(kept)
            else:
                depth += _CLOSES[self._bytes[end]]
                self._keep(kept, end + 1)
                if depth == 0:
                    return

    def _string(self, kept: "_Kept") -> None:
        """The rest of a string, its closing quote included."""
        while True:
            found = _IN_STRING.match(self._bytes, self._next)
            end = found.end() if found else self._next
            if end < len(self._bytes) and self._bytes[end] == ord('"'):
                self._keep(kept, end + 1)
                return
            self._keep(kept, end)  # a backslash at the very end waits for what it escapes
            self._go_on(kept)

    def _scalar(self, kept: "_Kept") -> None:
        while True:
            found = _SCALAR.match(self._bytes, self._next)
            end = found.end() if found else self._next
            self._keep(kept, end)
            if end < len(self._bytes) or not self._more():
                break
        if not kept.size:
            raise Damaged(kept.at, "it ends in the middle" if not self.peek() else "this is no JSON")

    def _keep(self, kept: "_Kept", end: int) -> None:
        kept.add(self._bytes, self._next, end)
        self._next = end

    def _go_on(self, kept: "_Kept") -> None:
        if not self._more():
            raise Damaged(self.at, f"it ends in the middle of what began at byte {kept.at}")

    def _more(self) -> bool:
        """Read on; what is taken is let go."""
        read = self._stream.read(CHUNK)
        self._before += self._next
        self._bytes, self._next = self._bytes[self._next :] + read, 0
        return bool(read)


class _Kept:
    """The bytes of one value as they come in, dropped once they are more than the cap."""

    def __init__(self, at: int, cap: int) -> None:
        self.at, self.size = at, 0
        self._cap = cap
        self._pieces: list[bytes] = []

    def add(self, source: bytes, start: int, end: int) -> None:
        self.size += end - start
        if self.size > self._cap:
            self._pieces.clear()
        elif end > start:
            self._pieces.append(source[start:end])

    def value(self) -> Value:
        return Value(self.at, self.size, b"".join(self._pieces) if self.size <= self._cap else None)

"""A request's body, read within bounds: as sent, and after inflation (facts.md, 4: nobody else caps that)."""

import zlib
from typing import Final, Literal, Protocol

from starlette.types import Receive

Encoding = Literal["identity", "gzip"]

_GZIP: Final = 16 + zlib.MAX_WBITS
_MOST_MEMBERS: Final = 16
"""In one gzip body. An empty one has 20 bytes and costs a decompressor: 8 MB of them would be a bomb of CPU."""


class TooLarge(Exception):
    """The body is over the limit, as sent or inflated."""


class ClientGone(Exception):
    """The sender went away before the body's end."""


class BadBody(Exception):
    """The body is not what its headers say; `kind` is one word."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class _Reader(Protocol):
    def feed(self, chunk: bytes) -> bytes: ...
    def end(self) -> None: ...


async def read_body(
    receive: Receive, *, limit: int, encoding: Encoding = "identity", length: int | None = None
) -> bytes:
    """The whole body, inflated: at most `limit` bytes of it, and as many as sent. `length` is what was declared.

    Raises `TooLarge` as soon as either is over; `ClientGone`; `BadBody` for broken gzip or another length.
    """
    reader: _Reader = _Gzip(limit) if encoding == "gzip" else _Plain()
    parts: list[bytes] = []
    sent = read = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        sent += len(chunk)
        part = reader.feed(chunk) if sent <= limit else b""
        read += len(part)
        if sent > limit or read > limit:
            raise TooLarge
        parts.append(part)
    if length is not None and length != sent:
        raise BadBody("length")
    reader.end()
    return parts[0] if len(parts) == 1 else b"".join(parts)


class _Plain:
    def feed(self, chunk: bytes) -> bytes:
        return chunk

    def end(self) -> None:
        return


class _Gzip:
    """Inflates piece by piece, never past one byte over the limit, however little was sent."""

    def __init__(self, limit: int) -> None:
        self._room = limit + 1
        self._members = 1
        self._inflater = zlib.decompressobj(_GZIP)

    def feed(self, chunk: bytes) -> bytes:
        parts: list[bytes] = []
        while chunk and self._room:
            if self._inflater.eof:
                self._next_member()
            parts.append(self._inflate(chunk))
            chunk = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
        return b"".join(parts)

    def end(self) -> None:
        if not self._inflater.eof:
            raise BadBody("gzip")

    def _inflate(self, chunk: bytes) -> bytes:
        try:
            part = self._inflater.decompress(chunk, self._room)
        except zlib.error:
            raise BadBody("gzip") from None
        self._room -= len(part)
        return part

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise BadBody("gzip")
        self._inflater = zlib.decompressobj(_GZIP)

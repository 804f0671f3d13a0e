"""Content codings: compress a batch; inflate one without ever holding more than the limit. Pure."""

import gzip
import threading
import zlib
from typing import Literal, get_args

import zstandard

Coding = Literal["zstd", "gzip", "identity"]
CODINGS: tuple[Coding, ...] = get_args(Coding)

_STEP = 1024
"""Bytes of a frame of unknown size that are inflated at once: a block of 4 bytes can hold 128 KiB."""
_WINDOW = 8 * 1024 * 1024

_local = threading.local()


class Unsupported(ValueError):
    """A coding that is not spoken here."""


class Broken(ValueError):
    """Not what its coding says: truncated, corrupt, or with something behind it."""


class TooLarge(ValueError):
    """More than the limit, before or after inflation."""


def compress(body: bytes, coding: Coding) -> bytes:
    """`body` in `coding`, at the speed end of each."""
    if coding == "zstd":
        return _compressor().compress(body)
    return gzip.compress(body, compresslevel=1, mtime=0) if coding == "gzip" else body


def inflate(body: bytes, coding: str, limit: int) -> bytes:
    """What `body` inflates to, at most `limit` bytes. Raises `Unsupported`, `Broken` or `TooLarge`."""
    if coding == "zstd":
        return _unzstd(body, limit)
    if coding == "gzip":
        return _gunzip(body, limit)
    if coding != "identity":
        raise Unsupported(coding)
    return _within(body, limit)


def _compressor() -> zstandard.ZstdCompressor:
    # A compressor is not thread-safe and costs more to make than a small batch to compress.
    found = getattr(_local, "compressor", None)
    if found is None:
        found = _local.compressor = zstandard.ZstdCompressor(level=1)
    return found


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise TooLarge
    return body


def _unzstd(body: bytes, limit: int) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    try:
        size = zstandard.frame_content_size(body)
        if size > limit:
            raise TooLarge
        # A frame that tells its size is held to it; one that does not is inflated in small steps.
        if size >= 0:
            return decompressor.decompress(body, allow_extra_data=False)
        return _unzstd_steps(decompressor.decompressobj(), body, limit)
    except zstandard.ZstdError:
        raise Broken from None


def _unzstd_steps(stream: "zstandard.ZstdDecompressionObj", body: bytes, limit: int) -> bytes:
    out = bytearray()
    for start in range(0, len(body), _STEP):
        if stream.eof:
            raise Broken
        out += stream.decompress(body[start : start + _STEP])
        if len(out) > limit:
            raise TooLarge
    if not stream.eof or stream.unused_data:
        raise Broken
    return bytes(out)


def _gunzip(body: bytes, limit: int) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        out = stream.decompress(body, limit + 1)
    except zlib.error:
        raise Broken from None
    _within(out, limit)
    if not stream.eof or stream.unused_data:
        raise Broken
    return out

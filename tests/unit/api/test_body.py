import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.body import BadBody, ClientGone, Encoding, TooLarge, read_body

LIMIT = 10_000


def read(
    chunks: Sequence[bytes], encoding: Encoding = "identity", *, limit: int = LIMIT, length: int | None = None
) -> bytes:
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request"})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return asyncio.run(read_body(receive, limit=limit, encoding=encoding, length=length))


def cut(body: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(min(place, len(body)) for place in places)
    return [body[a:b] for a, b in zip([0, *ends], [*ends, len(body)], strict=True)]


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=6))
def test_a_body_is_whole_however_it_is_cut(body: bytes, places: list[int]) -> None:
    assert read(cut(body, places)) == body
    assert read(cut(gzip.compress(body), places), "gzip") == body


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_the_limit_is_taken_and_one_byte_more_is_not(encoding: Encoding) -> None:
    def sent(size: int) -> list[bytes]:
        body = bytes(size)
        return [gzip.compress(body) if encoding == "gzip" else body]

    assert len(read(sent(LIMIT), encoding)) == LIMIT
    with pytest.raises(TooLarge):
        read(sent(LIMIT + 1), encoding)


def test_chunks_over_the_limit_are_not_taken() -> None:
    with pytest.raises(TooLarge):
        read([b"x" * 4000] * 3)


def test_compressed_bytes_over_the_limit_are_not_taken_whatever_they_inflate_to() -> None:
    with pytest.raises(TooLarge):
        read([gzip.compress(b"") * 1000], "gzip")


def test_a_bomb_inflates_no_further_than_the_limit() -> None:
    limit = 1_000_000
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    sent = b"".join([bomb.compress(bytes(1_000_000)) for _ in range(500)] + [bomb.flush()])
    assert len(sent) < limit
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            read([sent], "gzip", limit=limit)
        assert tracemalloc.get_traced_memory()[1] < 4 * limit
    finally:
        tracemalloc.stop()


def test_gzip_of_several_members_is_one_body_but_not_of_very_many() -> None:
    assert read([gzip.compress(b"a") + gzip.compress(b"b")], "gzip") == b"ab"
    with pytest.raises(BadBody):
        read([gzip.compress(b"") * 17], "gzip")


@pytest.mark.parametrize(
    "sent",
    [b"", b"plain", gzip.compress(b"cut short")[:-3], gzip.compress(b"x") + b"tail", zlib.compress(b"zlib")],
    ids=["empty", "plain", "cut short", "tail", "zlib"],  # of gzip's bytes, a clock's second would be the name
)
def test_broken_gzip_is_a_bad_body(sent: bytes) -> None:
    with pytest.raises(BadBody):
        read([sent], "gzip")


@pytest.mark.parametrize("length", [0, 3, 5])
def test_a_length_that_lies_is_a_bad_body(length: int) -> None:
    assert read([b"four"], length=4) == b"four"
    with pytest.raises(BadBody):
        read([b"four"], length=length)


def test_a_client_that_goes_away_in_mid_body_leaves_nothing() -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    with pytest.raises(ClientGone):
        asyncio.run(read_body(receive, limit=LIMIT))

"""Entries: a clear header and a sealed payload. The header is the payload's associated data, as it stands."""

import secrets

import msgspec

from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.store.vault import Vault

SCHEMA = 1


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What the flow must know before it opens a payload. `epoch` is None outside a run; times in microseconds."""

    receipt: str
    kind: str
    connection: str
    generation: int
    run: str | None
    attempt: int | None
    epoch: int | None
    received_at: int
    schema: int
    key: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Header)


def new_receipt(shard: int) -> str:
    """Shard (2 hex digits) and 128 random bits."""
    return f"{shard:02x}{secrets.token_hex(16)}"


def seal_entry(vault: Vault, header: Header, plain: bytes) -> tuple[bytes, bytes]:
    """Header as stored, and the sealed payload that belongs to it."""
    stored = _encoder.encode(header)
    return stored, vault.seal(split_connection(header.connection)[1], stored, plain)


def read_header(stored: bytes) -> Header:
    """The header of a stored entry, of whatever schema. Raises `Rejected` for one that cannot be read."""
    try:
        return _decoder.decode(stored)
    except msgspec.MsgspecError as error:
        raise Rejected("bad_header") from error


def open_entry(vault: Vault, header: Header, stored: bytes, sealed: bytes) -> bytes:
    """The plain payload. Raises as `Vault.open`."""
    return vault.open(split_connection(header.connection)[1], header.key, stored, sealed)

"""Sealing: zstd, then AES-256-GCM under a key derived per organisation from a ring of keys.

The associated data of a sealed payload is its clear header, byte for byte as stored: whoever changes a header, or
moves an entry under another one, makes it unreadable.
"""

import os
import threading
from collections.abc import Mapping
from functools import lru_cache

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pipeline.errors import Rejected, Unavailable

_NONCE_BYTES = 12
_LEVEL = 1
MOST_PLAIN_BYTES = 256 * 1024 * 1024


class _Contexts(threading.local):
    """zstd contexts are not thread-safe: each thread has its own."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


class Vault:
    """Seals and opens payloads. The first key of the ring seals; every key of the ring opens."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ValueError("a vault needs at least one key")
        self._ring = dict(keys)
        self.key_id = next(iter(self._ring))
        self._cipher = lru_cache(maxsize=4096)(self._derive)
        self._contexts = _Contexts()

    def __repr__(self) -> str:
        return f"Vault(keys={list(self._ring)})"

    def seal(self, org: str, header: bytes, plain: bytes) -> bytes:
        """Nonce, then ciphertext and tag, of the compressed `plain`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher(self.key_id, org).encrypt(nonce, self._contexts.compressor.compress(plain), header)

    def open(self, org: str, key_id: str, header: bytes, sealed: bytes) -> bytes:
        """The plain bytes. Raises `Rejected("tampered")`, or `Unavailable` for a key that the ring lacks."""
        if key_id not in self._ring:
            raise Unavailable("vault key missing")
        try:
            packed = self._cipher(key_id, org).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], header)
            return self._contexts.decompressor.decompress(packed, max_output_size=MOST_PLAIN_BYTES)
        except (InvalidTag, zstandard.ZstdError, ValueError) as error:
            raise Rejected("tampered") from error

    def _derive(self, key_id: str, org: str) -> AESGCM:
        derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"sluice entry\x00" + org.encode())
        return AESGCM(derivation.derive(self._ring[key_id]))

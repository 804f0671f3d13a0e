"""Dead letters: records, or whole callbacks, that can never work. Sealed; what is clear is ids and reasons."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import redis

from pipeline.connection import split_connection
from pipeline.store.client import ask, ask_all
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes, run
from pipeline.store.vault import Vault

_PAGE = 1000
_COPIED: Final = 50
"""In one piece: each may be a whole callback."""
_OURS = ("key", "generation", "epoch")
"""What no list shows."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why one record of a callback is dead. Without an id it stands for every record of its receipt.

    `generation` is the connection's when the callback came; 0 where that cannot be read. `channel` and `epoch` are the
    callback's, for what has no id or version to tell them; None and 0 where it did not say.
    """

    receipt: str
    connection: str
    reason: str
    at: int
    model: str | None = None
    id: str | None = None
    version: str | None = None
    generation: int = 0
    channel: str | None = None
    epoch: int = 0

    def header(self, **more: Any) -> bytes:
        """As it lies in the store, in clear."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__} | more, separators=(",", ":")).encode()


def bury(changes: Changes, keys: Keys, vault: Vault, letter: DeadLetter, raw: bytes) -> None:
    """Keep the letter and its sealed raw record as part of an atomic change."""
    header = letter.header(key=vault.key_id)
    sealed = vault.seal(split_connection(letter.connection)[1], header, raw)
    changes.do("XADD", keys.dead, "*", "h", header, "p", sealed)


def bury_sealed(changes: Changes, keys: Keys, letter: DeadLetter, entry_header: bytes, sealed: bytes) -> None:
    """Keep a whole entry that could not even be opened, still under its own seal and header."""
    changes.do("XADD", keys.dead, "*", "h", letter.header(), "e", entry_header, "p", sealed)


def look_again(changes: Changes, keys: Keys, org: str, epoch: int) -> None:
    """Let upkeep look for what has to go (`purging`) from the first letter on, as part of a change at that epoch."""
    # The epoch makes the mark differ from one that a purge, which is under way, has just read.
    changes.do("HSET", keys.purging, org, f"0-0 {epoch}")


def listing(client: redis.Redis, shards: Shards, org: str | None, limit: int) -> Iterator[dict[str, Any]]:
    """The newest dead letters of an organisation, or of all; at most `limit` a shard."""
    wanted = shards.all() if org is None else [shards.of_org(org)]
    for keys in wanted:
        # Another organisation of the shard may have more letters than anybody asks for: they hide nobody's.
        yield from islice((one for one in _newest_first(client, keys) if org in (None, _org(one))), limit)


def _newest_first(client: redis.Redis, keys: Keys) -> Iterator[dict[str, Any]]:
    before = "+"
    while rows := ask(client, "XREVRANGE", keys.dead, before, "-", "COUNT", _PAGE):
        for stream_id, fields in rows:
            letter = json.loads(fields[b"h"])
            shown = {name: said for name, said in letter.items() if name not in _OURS}
            yield {"dead_letter": f"{keys.shard:02x}-{stream_id.decode()}", **shown}
        before = f"({rows[-1][0].decode()}"


def _org(letter: dict[str, Any]) -> str:
    return split_connection(letter["connection"])[1]


def count(client: redis.Redis, shards: Shards) -> int:
    """How many there are."""
    return sum(ask_all(client, [("XLEN", keys.dead) for keys in shards.all()]))


def deleted_remain(client: redis.Redis, keys: Keys) -> bool:
    """Whether the server may still keep the bytes of letters that were deleted (lua/compact.lua)."""
    if not ask(client, "XLEN", keys.dead):
        return False
    said = ask(client, "XINFO", "STREAM", keys.dead)
    return bool(dict(zip(said[::2], said[1::2], strict=True))[b"max-deleted-entry-id"] != b"0-0")


def compact(client: redis.Redis, keys: Keys, steps: int) -> bool:
    """Write a shard's letters anew, without the bytes of those that were deleted; False where that is not done yet."""
    if not deleted_remain(client, keys):
        return True
    said = (run(client, "compact", [keys.dead, f"{keys.dead}:copy"], [_COPIED]) for _ in range(steps))
    return b"done" in said

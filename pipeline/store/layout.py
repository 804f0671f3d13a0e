"""The layout of the store: which version wrote it, and the way from an older one to ours.

Each upgrade leads from one layout to the next. It must be safe to repeat, since a process may die in the middle, and
the processes of the older version must have stopped before: they looked at the layout only at their start.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

import redis

from pipeline.store.client import ask
from pipeline.store.keys import META, Shards
from pipeline.store.scripts import Changes

LAYOUT: Final = 3


def _tails(_: redis.Redis, __: Shards) -> None:
    """2 has tails beside the heads. A head alone reads as covered from the start, as it was: nothing to do."""


def _shorter(_: redis.Redis, __: Shards) -> None:
    """3 keeps days, threads and the channels of a run in fewer bytes, and reads what was kept before as it is."""


UPGRADES: Final[Mapping[int, Callable[[redis.Redis, Shards], None]]] = {1: _tails, 2: _shorter}
"""Layout → what makes the next one of it."""

_LOCK = "sluice:upgrading"
_LOCK_MS = 60_000
_PATIENCE_SECONDS = 120.0


class LayoutError(Exception):
    """The store was laid out otherwise than this process knows; the text says what to do."""


def bring_up(
    client: redis.Redis,
    shards: int,
    *,
    layout: int = LAYOUT,
    upgrades: Mapping[int, Callable[[redis.Redis, Shards], None]] = UPGRADES,
) -> None:
    """Write shard count and layout into a fresh store, upgrade an older one. Raises `LayoutError`.

    Of several processes that start at once, one upgrades and the others wait for it.
    """
    _check_shards(client, shards)
    ask(client, "HSETNX", META, "layout", layout)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (found := _layout(client)) != layout:
        if found > layout:
            raise LayoutError(f"The store has layout {found}, this version knows {layout}: use the one that wrote it.")
        if found not in upgrades:
            raise LayoutError(f"The store has layout {found}, and there is no way from it to {layout} in this version.")
        if not _upgraded(client, shards, found, upgrades[found]) and time.monotonic() > deadline:
            raise LayoutError(f"Another process has been upgrading the store from layout {found} for too long.")


def _check_shards(client: redis.Redis, shards: int) -> None:
    """The first process writes the shard count; every other must agree, or organisations would move."""
    ask(client, "HSETNX", META, "shards", shards)
    found = int(ask(client, "HGET", META, "shards"))
    if found != shards:
        raise LayoutError(
            f"The store was laid out with shards {found}, this process wants {shards}: "
            f"start with the store's own value (SLUICE_SHARDS={found})."
        )


def _layout(client: redis.Redis) -> int:
    return int(ask(client, "HGET", META, "layout"))


def _upgraded(client: redis.Redis, shards: int, found: int, upgrade: Callable[[redis.Redis, Shards], None]) -> bool:
    """One step by us; False where somebody else is at it, after a moment.

    The lock spares work; what protects is that steps can be repeated and that the layout only moves from `found`.
    """
    token = secrets.token_hex(8)
    if not ask(client, "SET", _LOCK, token, "NX", "PX", _LOCK_MS):
        time.sleep(0.2)
        return False
    try:
        if _layout(client) == found:
            upgrade(client, Shards(shards))
            Changes().expect(found, "HGET", META, "layout").do("HSET", META, "layout", found + 1).commit(client)
    finally:
        Changes().expect(token, "GET", _LOCK).do("DEL", _LOCK).commit(client)
    return True

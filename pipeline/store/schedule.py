"""The schedule: a sorted set of items and when they are due. No Celery ETA: an item that was leased and not finished
is due again, however often beat, broker or worker die in between.

Items: `plan:`, `patch:`, `look:` and `status:<connection>`, `trigger:` and `backfill:<run>`, `removal:<receipt>`,
`events:<shard>`.
"""

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import redis

from pipeline.store.client import ask
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes, Word, run, run_all

LEASE_US = 60 * 1_000_000
_MOST_A_SHARD = 100
_MOST_AT_ONCE = 5000
"""Of all shards: so many plans take half of the minute that they are leased for."""
_LONGEST_WAIT_SECONDS = 900.0


class Leased(NamedTuple):
    """An item that is ours until `seen`, as the store writes it."""

    keys: Keys
    kind: str
    name: str
    seen: str


class Schedule:
    """Due items of all shards."""

    def __init__(self, client: redis.Redis, shards: Shards) -> None:
        self._client, self._shards = client, shards

    def lease(self, keys: Keys, *, overdue_us: int = 0) -> list[tuple[str, str]]:
        """Items of one shard that are due (by at least `overdue_us`), as (kind, id); they are ours for a minute.

        Of a shard that is held (`pipeline.store.hold`) nothing is.
        """
        answer = run(self._client, "due", [keys.due, keys.state], [_MOST_A_SHARD, LEASE_US, overdue_us])
        return [(one.kind, one.name) for one in _leased(keys, answer)]

    def lease_all(self, *, overdue_us: int = 0) -> list[Leased]:
        """The same of every shard at once; of one that has more, more: who comes last need not wait for the others'
        next round.
        """
        found: list[Leased] = []
        full = self._shards.all()
        while full and len(found) < _MOST_AT_ONCE:
            calls = [([keys.due, keys.state], [_MOST_A_SHARD, LEASE_US, overdue_us]) for keys in full]
            parts = [
                _leased(keys, answer) for keys, answer in zip(full, run_all(self._client, "due", calls), strict=True)
            ]
            found += [one for part in parts for one in part]
            full = [keys for keys, part in zip(full, parts, strict=True) if len(part) == _MOST_A_SHARD]
        return found

    def finish_all(self, done: Iterable[tuple[Leased, int | None]]) -> None:
        """Take items out, or put them to their next times (microseconds), unless somebody changed them meanwhile."""
        words: dict[Keys, list[Word]] = {}
        for one, next_at in done:
            next_word: Word = "" if next_at is None else next_at
            words.setdefault(one.keys, []).extend([f"{one.kind}:{one.name}", one.seen, next_word])
        if words:
            run_all(self._client, "finish", [([keys.due], said) for keys, said in words.items()])

    def put(self, keys: Keys, kind: str, name: str, at: int) -> None:
        """Make an item due at that time (microseconds), sooner or later than before."""
        ask(self._client, "ZADD", keys.due, at, f"{kind}:{name}")

    def sooner(self, keys: Keys, kind: str, name: str, at: int) -> None:
        """Make an item due at that time unless it is due before."""
        ask(self._client, "ZADD", keys.due, "LT", at, f"{kind}:{name}")

    def when(self, keys: Keys, kind: str, name: str) -> str | None:
        """The item's due time as the store writes it, None where there is none."""
        score = ask(self._client, "ZSCORE", keys.due, f"{kind}:{name}")
        return None if score is None else f"{float(score):.0f}"

    def finish(self, keys: Keys, kind: str, name: str, seen: str, next_at: int | None = None) -> bool:
        """Take the item out, or put it to its next time, unless somebody changed it since we saw `seen`."""
        item = f"{kind}:{name}"
        changes = Changes().expect(seen, "ZSCORE", keys.due, item)
        if next_at is None:
            changes.do("ZREM", keys.due, item)
        else:
            changes.do("ZADD", keys.due, next_at, item)
        return changes.commit(self._client) == 0

    def backoff(self, keys: Keys, kind: str, name: str, retry_after: float | None) -> float:
        """Count one more failure of an item; the seconds to wait before it is tried again, with jitter.

        `retry_after` (seconds, at most a day as `pipeline.paragon.errors` reads it) is kept to.
        """
        tries = int(ask(self._client, "HINCRBY", keys.tries, f"{kind}:{name}", 1))
        wait = min(_LONGEST_WAIT_SECONDS, 2.0 ** min(tries, 12)) * random.uniform(0.5, 1.0)
        return max(wait, retry_after or 0.0)

    def failing(self, keys: Keys, kind: str, name: str) -> bool:
        """Whether the item's last try failed."""
        return bool(ask(self._client, "HEXISTS", keys.tries, f"{kind}:{name}"))

    def succeeded(self, keys: Keys, kind: str, name: str) -> None:
        """Forget an item's failures."""
        ask(self._client, "HDEL", keys.tries, f"{kind}:{name}")


def _leased(keys: Keys, answer: Sequence[bytes]) -> list[Leased]:
    """What the script answered: when they are due again, then the items. Nothing of a shard that is held."""
    seen, parts = answer[0].decode() if answer else "", (item.decode().partition(":") for item in answer[1:])
    return [Leased(keys, kind, name, seen) for kind, _, name in parts]

"""What `sdk/me` showed that somebody else had changed in a connection's metadata: kept, counted, and mended by the
ordinary PATCH (docs/decisions/0004-metadata-has-one-writer.md).
"""

import json
from dataclasses import asdict, dataclass
from typing import Final

import redis

from pipeline.rules.drift import Drift
from pipeline.store import audit, counters
from pipeline.store.allowlists import MOST_NOTED
from pipeline.store.client import ask
from pipeline.store.connections import Registration
from pipeline.store.keys import Shards
from pipeline.store.looks import DRIFT
from pipeline.store.scripts import Changes, now

BY: Final = "look"


@dataclass(frozen=True, slots=True)
class Drifted:
    """The newest drift of a connection: which keys, how many channels more and fewer; `at` in microseconds."""

    at: int
    keys: list[str]
    added: int
    missing: int


class Drifts:
    """The newest drift of each connection; it goes with the connection (`store.disconnect`)."""

    def __init__(self, client: redis.Redis, shards: Shards) -> None:
        self._client, self._shards = client, shards

    def get(self, connection: str) -> Drifted | None:
        """The newest one, None where there never was one."""
        found = ask(self._client, "HGET", self._shards.of(connection).connection(connection), DRIFT)
        return None if found is None else Drifted(**json.loads(found))

    def note(self, known: Registration, at: int, drift: Drift) -> bool:
        """Keep it, and make the PATCH due that mends it, once.

        False where it explains itself: `known`, read before Paragon was asked, is not what holds now, or a PATCH waits
        or was carried out meanwhile.
        """
        connection, keys = known.connection, self._shards.of(known.connection)
        key, patch = keys.connection(connection), f"patch:{connection}"
        changes = Changes().expect(known.generation, "HGET", key, "generation").expect("live", "HGET", key, "state")
        changes.expect(known.metadata_wanted or "", "HGET", key, "metadata_wanted")
        changes.expect(known.metadata_at or "", "HGET", key, "metadata_at").expect("", "ZSCORE", keys.due, patch)
        found = Drifted(at, drift.keys, len(drift.added), len(drift.missing))
        changes.do("HSET", key, DRIFT, json.dumps(asdict(found))).do("ZADD", keys.due, now(), patch)
        counters.add(changes, keys, {f"drift.{name}": 1 for name in drift.keys})
        facts = {"metadata": drift.keys, "added": found.added, "missing": found.missing}
        named = {"channels_added": drift.added[:MOST_NOTED], "channels_missing": drift.missing[:MOST_NOTED]}
        audit.note(changes, keys, "metadata.drifted", connection, BY, at, **facts, **named)
        return changes.commit(self._client) == 0

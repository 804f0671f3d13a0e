"""The audit trail: who changed what, when. Ids and counts only."""

import json
from typing import Any

from pipeline.store.keys import Keys
from pipeline.store.scripts import Changes

KEPT_PER_SHARD = 100_000


def note(changes: Changes, keys: Keys, event: str, connection: str, by: str, at: int, **facts: Any) -> None:
    """Add one entry as part of the change that it tells of. `at` in microseconds."""
    entry = {"event": event, "connection": connection, "by": by, "at": at, **facts}
    changes.do("XADD", keys.audit, "MAXLEN", "~", KEPT_PER_SHARD, "*", "e", json.dumps(entry, separators=(",", ":")))

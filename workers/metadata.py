"""Our own two keys in a Paragon user's metadata: what they are to say, and whether they still do."""

import logging
from collections.abc import Mapping
from typing import Any

from pipeline.paragon.me import allow_listed
from pipeline.rules.drift import LIST, drift
from pipeline.stages.stores import Stores
from pipeline.store.client import clock
from pipeline.store.connections import Registration
from pipeline.store.drifts import Drifts

_log = logging.getLogger(__name__)


def ours(stores: Stores, known: Registration) -> dict[str, Any]:
    """Our keys as they are to be. Until somebody has put a list, the one in Paragon is not ours to overwrite."""
    keys: dict[str, Any] = {"userid": known.connection}
    if known.list_version:
        keys[LIST] = stores.allowlists.own(known.connection, known.team)
    return keys


def hold(stores: Stores, known: Registration, meta: Mapping[str, Any]) -> bool:
    """Whether `meta` still says what we wrote last; where it does not, that is noted, and a PATCH is due that mends it.

    `known` was read before Paragon was asked for `meta`. Before the first PATCH nothing in it is ours.
    """
    if known.metadata_at is None:
        return True
    listed = allow_listed(meta)
    found = drift(meta, ours(stores, known), listed[0] if listed else ())
    if found is None:
        return True
    if Drifts(stores.client, stores.shards).note(known, clock(stores.client), found):
        counts = {"added": len(found.added), "missing": len(found.missing)}
        # Not `keys`: what a log calls so is redacted.
        _log.warning("metadata.drifted", extra={"connection": known.connection, "metadata": found.keys, **counts})
    return False

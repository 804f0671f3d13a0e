"""The flow of one shard: read this first.

    take ▶ open ▶ parse ▶ admit ▶ map ▶ deliver ▶ settle

Callbacks wait, sealed, in a stream per connection. A drain holds the shard's lease and works through what is due:

    take      the oldest entries of the next due connection, bounded by count and bytes; effects come first
    open      headers are read, payloads unsealed; what an older generation left is set aside as purged
    parse     bytes become an envelope and raw records
    admit     the allowlist is read; what it does not plainly allow is counted and dropped
    map       raw records become internal ones; one that cannot is a dead letter by itself
    deliver   large batches to the mesh, the allowlist read again before each
    settle    one script ends the entries: ledger, dead letters, counters and receipts with them

Up to `map` it is our own code that may crash: the mark says what was open, and a crash is laid at its door. After it,
slowness and refusals are the mesh's: the connection is parked and the others go on. Whatever happens in between, an
entry that was not settled is taken again, with the same effect: ids and versions make delivery safe to repeat.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from pipeline.errors import Unavailable
from pipeline.stages import (
    admit_records,
    deliver_records,
    map_records,
    open_entries,
    parse_payloads,
    settle_entries,
)
from pipeline.stages.stores import Stores
from pipeline.store.directory_runs import PREFIX
from pipeline.store.inbox import Inbox, LeaseLostError, Taken
from pipeline.store.keys import Keys
from pipeline.store.shard import leased

DRAIN_SECONDS = 5.0


def drain(stores: Stores, shard: int, ring: Callable[[int], None], seconds: float = DRAIN_SECONDS) -> Counter[str]:
    """Work through a shard for about `seconds`; counts of what was done. Rings again where something is left."""
    keys, done = Keys(shard), Counter[str]()
    with leased(stores.client, keys) as lease:
        if lease is None:
            return Counter(busy=1)
        inbox, until = Inbox(stores.client, lease), time.monotonic() + seconds
        done["suspects"] += inbox.find_crash()
        try:
            while time.monotonic() < until and (taken := inbox.take()):
                done += _batch(stores, inbox, taken)
            done["covered"] += look(stores, keys)
        except LeaseLostError:
            return done + Counter(lease_lost=1)
        except BaseException:
            # The mark tells what was open. Given back, the lease costs the shard's others no wait for its end.
            with suppress(Unavailable):
                lease.release()
            raise
        again = lease.release()
    if again:
        ring(shard)
    return +done


def _batch(stores: Stores, inbox: Inbox, taken: Taken) -> Counter[str]:
    """One batch, down the drawing."""
    inbox.mark(taken)
    try:
        batch = open_entries(stores, taken)
        batch = parse_payloads(batch)
        batch = admit_records(stores, batch)
        batch = map_records(stores, batch)
    except Unavailable as outage:
        inbox.unmark_patiently(taken)
        inbox.park(taken.member, outage.retry_after)
        return Counter(held=len(taken.entries))
    inbox.unmark(taken)
    batch = deliver_records(stores, batch)
    return settle_entries(stores, inbox, batch)


def look(stores: Stores, keys: Keys) -> int:
    """See what the pages settled since the last look have proved; how many channels and directories it was."""
    found = 0
    for name in stores.ledger.touched(keys):
        if name.startswith(PREFIX):
            found += stores.directory_runs.look(keys, name, stores.now_us())
        else:
            found += len(stores.ledger.look(keys, name))
    return found

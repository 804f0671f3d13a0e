"""A year of pulls of one connection, through the ledger's own planner and coverer, and what is left of it."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

import redis

from bench.stores import TEAM, stores_at
from cli.embedded import EmbeddedServer
from pipeline.connection import split_connection
from pipeline.rules.coverage import page_facts
from pipeline.rules.showing import showing
from pipeline.rules.versions import us_ts
from pipeline.rules.windows import DAY_US, HOUR_US
from pipeline.stages.stores import Stores
from pipeline.store.client import clock
from pipeline.store.keys import Keys
from pipeline.store.looks import Look
from pipeline.store.runs import Attempt, Run
from pipeline.store.scripts import Changes

CONNECTION: Final = "somebody@example.com/organisation-1"
MESSAGES: Final = 20
THREADS: Final = 1
_MINUTE_US: Final = 60 * 1_000_000
_STEPS: Final = 12
RUNS: Final = "runs"
KINDS: Final = {
    "cov": "how far each channel is covered",
    "threads": "threads of the last days",
    "moved": "threads to read again",
    "told": "what the mesh was told",
    "run": RUNS,
    "runs": RUNS,
    "facts": "proofs of open runs",
    "due": "schedule",
}
"""What the keys of a connection's ledger are for."""


class Left(NamedTuple):
    """Bytes by what they are for, after each of the last nights; how many runs and readings of days there were."""

    channels: int
    sizes: list[dict[str, int]]
    runs: int
    readings: int


def pulled(*, channels: int, nights: int) -> Left:
    """A year from now on: in long steps, then day by day for so many nights, each with a pull and a re-reading."""
    with EmbeddedServer(durable=False) as server, stores_at(server.url) as stores:
        done, sizes = Counter[str](), list[dict[str, int]]()
        names = [f"C{number:010}" for number in range(channels)]
        _begin(stores, names)
        now, length = clock(stores.client), (365 - nights) * DAY_US
        for step in range(_STEPS):
            _round(stores, names, now + step * length // _STEPS, done)
        for night in range(nights + 1):
            _round(stores, names, now + length + night * DAY_US, done)
            stores.sync_statuses.tell(CONNECTION)
            sizes.append(_sizes(stores.client, stores.shards.of(CONNECTION)))
        return Left(channels, sizes[1:], done["runs"], done["reread"])


def _begin(stores: Stores, names: list[str]) -> None:
    """Registered, allowed, connected, looked at."""
    stores.connections.register(CONNECTION, team=TEAM, who={"name": "Somebody"}, by="bench")
    stores.allowlists.put(CONNECTION, names, if_match=0, by="bench")
    known = stores.connections.get(CONNECTION)
    assert known is not None  # noqa: S101 - just registered
    ahead = clock(stores.client) + DAY_US  # a look that is newer than any page of this run
    stores.ledger.rereads.looks.keep(known, Look(ahead, True, "VALID", TEAM, "credential-1"), stores.events)
    stores.client.zrem(stores.shards.of(CONNECTION).due, f"patch:{CONNECTION}")


def _round(stores: Stores, names: list[str], at: int, done: Counter[str]) -> None:
    """Plan and answer until nothing is wanted at that time, which is the time of the epochs too."""
    keys, org = stores.shards.of(CONNECTION), split_connection(CONNECTION)[1]
    stores.client.hset(keys.org(org), "epoch", at)
    while runs := stores.ledger.plan(CONNECTION, TEAM, names, at, fresh=DAY_US // 2):
        at += _MINUTE_US
        for name in runs:
            found = stores.ledger.get(name)
            if found is not None:
                _answer(stores, found)
                done["runs"] += 1
                done[found.kind] += 1


def _answer(stores: Stores, run: Run) -> None:
    """One page for each channel, and one for each thread, written as settle writes them."""
    keys, client = stores.shards.of(CONNECTION), stores.client
    client.hset(keys.run(run.id), "ask_at", 0)
    attempt = stores.ledger.runs.begin(run, credential="credential-1")
    if not isinstance(attempt, Attempt):
        return
    changes = Changes()
    since = stores.ledger.counted_since(attempt.epoch)
    facts = [fact for channel in run.channels for fact in _facts(channel, run, since)]
    found = stores.ledger.get(run.id)
    assert found is not None  # noqa: S101 - just begun
    stores.ledger.page(changes, keys, found, attempt.number, facts, 0)
    changes.commit(client)
    stores.ledger.look(keys, run.id)


def _facts(channel: str, run: Run, since: int) -> Iterator[str]:
    last = partial(page_facts, cursor="", next_cursor="", has_more=False)
    if run.thread_ts:
        yield from last(channel, run.thread_ts, shows=showing([_parent(run.thread_ts)], thread=run.thread_ts, since=0))
        return
    messages = list(_messages(max(run.oldest, since), run.latest))
    yield from last(channel, "", shows=showing(messages, thread="", since=since))
    for one in messages if run.replies else ():
        if "reply_count" in one:
            yield from last(channel, str(one["ts"]))


def _messages(oldest: int, latest: int) -> Iterator[dict[str, object]]:
    """What a channel shows of the days that are read again; older messages leave nothing but a page."""
    step = DAY_US // MESSAGES
    for number in range(-(-(oldest + 1) // step), latest // step + 1):
        ts = us_ts(number * step)
        yield _parent(ts) if number % MESSAGES < THREADS else {"ts": ts}


def _parent(ts: str) -> dict[str, object]:
    return {"ts": ts, "thread_ts": ts, "reply_count": 3, "latest_reply": us_ts(int(float(ts)) * 1_000_000 + HOUR_US)}


def _sizes(client: redis.Redis, keys: Keys) -> dict[str, int]:
    """MEMORY USAGE of every key of the ledger, by what comes behind the shard's tag."""
    sizes = Counter[str]()
    for key in client.scan_iter(match=f"{{s{keys.shard}}}:*", count=1000):
        kind = key.decode().split(":")[1]
        if kind in KINDS:
            sizes[KINDS[kind]] += int(client.memory_usage(key, samples=0) or 0)
    return dict(sizes)

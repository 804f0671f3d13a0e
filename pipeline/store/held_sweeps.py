"""What a reading that waits for an operator would take away: known and seen, in numbers."""

from collections.abc import Iterator
from typing import NamedTuple

import redis

from pipeline.rules.coverage import Proof, proof
from pipeline.rules.rereading import days_within, verdict
from pipeline.rules.showing import Tally, Thread
from pipeline.store.client import ask
from pipeline.store.keys import Shards
from pipeline.store.progress import Channels, unpack
from pipeline.store.runs import Run
from pipeline.store.threads import place


class Missing(NamedTuple):
    """A day of a channel (days since 1970), or a thread of it (None), of which more was known than was seen."""

    channel: str
    day: int | None
    known: int
    seen: int


class HeldSweeps:
    """The readings that wait."""

    def __init__(self, client: redis.Redis, shards: Shards, channels: Channels) -> None:
        self._client, self._shards, self._channels = client, shards, channels

    def missing(self, found: Run) -> list[Missing] | None:
        """What its release would take away, by channel and day; None where what it showed is not kept any more."""
        keys, made = self._shards.of(found.connection), list[Missing]()
        for field, number in ask(self._client, "HGETALL", keys.run(found.id)).items():
            what, _, channel = field.decode().partition(":")
            if what != "held":
                continue
            facts = [fact.decode() for fact in ask(self._client, "HKEYS", keys.facts(found.id, int(number)))]
            proved = proof(facts, channel, replies=found.replies, thread=found.thread_ts)
            if proved is None:
                return None
            made += self._thread(found, channel, proved) if found.thread_ts else self._days(found, channel, proved)
        return made

    def _days(self, found: Run, channel: str, proved: Proof) -> Iterator[Missing]:
        [standing] = self._channels.read(found.connection, [channel])
        known = unpack(standing.fields.get("days"))
        for day in days_within(found.oldest, found.latest, 0):
            tally, seen = known[day].tally if day in known else None, proved.days.get(day, Tally())
            if tally is not None and verdict(tally, seen) in ("sweep", "brake"):
                yield Missing(channel, day, tally.messages, seen.messages)

    def _thread(self, found: Run, channel: str, proved: Proof) -> Iterator[Missing]:
        threads = self._shards.of(found.connection).threads(found.connection, channel)
        kept = ask(self._client, "HGET", threads, place(found.thread_ts))
        seen = proved.threads.get(found.thread_ts, Thread(0, ""))
        yield Missing(channel, None, int((kept or b"0").decode().partition("|")[0]), seen.replies)

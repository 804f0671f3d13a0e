"""What a drain does with the inbox: take, mark, park, settle. All under the shard's lease."""

import json
import random
from dataclasses import dataclass
from typing import Any

import redis

from pipeline.errors import Unavailable
from pipeline.store.client import ask, clock
from pipeline.store.keys import Keys
from pipeline.store.scripts import Changes, run
from pipeline.store.shard import Lease

MOST_ENTRIES = 512
MOST_BYTES = 1024 * 1024  # sealed; about eight times that in clear
CRASHES_BEFORE_DEATH = 5
_LONGEST_PARK_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Stored:
    """One entry as it lies in the stream."""

    id: str
    header: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """The oldest entries of one member of the ready set. `alone`: a crash suspect, taken by itself."""

    member: str
    entries: list[Stored]
    alone: bool = False
    crashes: int = 0


class LeaseLostError(Exception):
    """The lease is somebody else's: stop, settle nothing; the work is repeated with the same effect."""


class Inbox:
    """The inbox of one shard, in the hands of the drain that holds `lease`."""

    def __init__(self, client: redis.Redis, lease: Lease) -> None:
        self._client, self.lease = client, lease
        self.keys: Keys = lease.keys

    def take(self) -> Taken | None:
        """The next batch, or None when nothing is due. Raises `LeaseLostError`."""
        while True:
            said, value = self._ask("")
            if said == "idle":
                return None
            member = value.decode()
            _, rows = self._ask(member)
            if rows:  # An emptied stream was just taken out of the ready set: look at the next member.
                return self._isolate(member, [Stored(row[0].decode(), row[1], row[2]) for row in rows])

    def _ask(self, member: str) -> tuple[str, Any]:
        keys = [self.keys.state, self.keys.ready, self.keys.ready_effects, self.keys.stream(member)]
        reply = run(self._client, "take", keys, [self.lease.token, member, MOST_ENTRIES, MOST_BYTES])
        if reply[0] == b"lost":
            raise LeaseLostError
        return reply[0].decode(), reply[1] if len(reply) > 1 else None

    def _isolate(self, member: str, entries: list[Stored]) -> Taken:
        """Where a drain died with these open, take the first of them alone, or those before it."""
        suspects = ask(self._client, "HGETALL", self.keys.suspects)
        crashes = [suspects.get(self._suspect(member, entry.id).encode()) for entry in entries] if suspects else []
        first = next((i for i, found in enumerate(crashes) if found is not None), None)
        if first is None:
            return Taken(member, entries)
        if first > 0:
            return Taken(member, entries[:first])
        return Taken(member, entries[:1], alone=True, crashes=int(crashes[0]))

    def mark(self, taken: Taken) -> None:
        """Say what is about to be opened, so that a crash can be laid at its door."""
        mark = {"member": taken.member, "ids": [entry.id for entry in taken.entries], "alone": taken.alone}
        self._commit(self._guarded().do("SET", self.keys.mark, json.dumps(mark)))

    def unmark(self, taken: Taken) -> None:
        """From here on it is the mesh's slowness that may kill us, not our own code: a suspect is cleared."""
        changes = self._guarded().do("DEL", self.keys.mark)
        if taken.alone:
            changes.do("HDEL", self.keys.suspects, self._suspect(taken.member, taken.entries[0].id))
        self._commit(changes)

    def unmark_patiently(self, taken: Taken) -> None:
        """As `unmark`, when the store itself may be away: an outage that looks like a crash would blame the honest."""
        while True:
            try:
                return self.unmark(taken)
            except Unavailable:
                if self.lease.lost.wait(0.5):
                    raise

    def _commit(self, changes: Changes) -> None:
        if changes.commit(self._client):
            raise LeaseLostError

    @staticmethod
    def _suspect(member: str, entry: str) -> str:
        return f"{member}|{entry}"

    def find_crash(self) -> int:
        """Turn a mark left by a drain that died into suspects; the number of entries it had open."""
        found = ask(self._client, "GET", self.keys.mark)
        if found is None:
            return 0
        mark = json.loads(found)
        # An entry that died in company is suspected (0); one that died alone has crashed once more.
        changes = self._guarded().expect(found, "GET", self.keys.mark).do("DEL", self.keys.mark)
        for entry in mark["ids"]:
            changes.do("HINCRBY", self.keys.suspects, self._suspect(mark["member"], entry), int(mark["alone"]))
        changes.commit(self._client)
        return len(mark["ids"])

    def park(self, member: str, retry_after: float | None) -> float:
        """Let the others go first while this member's mesh or credential refuses. Seconds until it is due again."""
        tries = int(ask(self._client, "HGET", self.keys.parked, member) or 0)
        now = clock(self._client)
        backoff: float = min(_LONGEST_PARK_SECONDS, 0.5 * 2 ** min(tries, 12)) * random.uniform(0.5, 1.0)
        wait = max(backoff, min(retry_after or 0.0, _LONGEST_PARK_SECONDS))
        changes = self._guarded().do("ZADD", self.keys.ready_of(member), "XX", now + int(wait * 1_000_000), member)
        self._commit(changes.do("HINCRBY", self.keys.parked, member, 1))
        return wait

    def changes(self, member: str) -> Changes:
        """What a settle of this member will write besides the entries themselves; the script's own keys come first."""
        keys = self.keys
        return Changes([keys.state, keys.stream(member), keys.ready_of(member), keys.connection(member)])

    def settle(self, taken: Taken, generation: int | None, changes: Changes) -> str:
        """End a batch in one script: `settled`, `already` (its answer was lost before), or `generation`.

        Raises `LeaseLostError`. `generation` None is for effects and purges, which every generation may settle.
        """
        changes.do("HDEL", self.keys.parked, taken.member)
        if taken.alone:
            changes.do("HDEL", self.keys.suspects, self._suspect(taken.member, taken.entries[0].id))
        ids = [entry.id for entry in taken.entries]
        head = [self.lease.token, taken.member, "" if generation is None else generation, len(ids), *ids]
        said = str(run(self._client, "settle", changes.keys, [*head, *changes.commands]).decode())
        if said == "lost":
            raise LeaseLostError
        return said

    def _guarded(self) -> Changes:
        return Changes().expect(self.lease.token, "GET", self.keys.state)

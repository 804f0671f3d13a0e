"""Runs: requested windows, one hash each, and the attempts at them."""

import secrets
from collections.abc import Iterable, Sequence
from typing import Final

import redis

from pipeline.connection import split_connection
from pipeline.rules.identity import REASONS
from pipeline.rules.regimes import STANDARD, Regime
from pipeline.store import counters
from pipeline.store.client import ask, ask_all, clock
from pipeline.store.events import Events
from pipeline.store.keys import Keys, Shards, shard_of_id
from pipeline.store.ledger_events import tell_given_up
from pipeline.store.run import ITEMS, MARKS, Attempt, Kind, Run, Wanted, lists, read
from pipeline.store.schedule import LEASE_US
from pipeline.store.scripts import Changes, Word, pairs, run

__all__ = ["ITEMS", "MARKS", "MOST_ATTEMPTS", "Attempt", "Kind", "Run", "Runs", "Wanted"]

MOST_ATTEMPTS: Final = 10
_RUNS_KEPT: Final = 200
_STANDING: Final = ("state", "attempt", "failed")
_IN_VAIN: Final = 3
_HELD_US: Final = 30 * 24 * 3600 * 1_000_000
"""For so long an operator can release what is held: the facts that it was held by are kept no longer."""
_DAY_US: Final = 24 * 3600 * 1_000_000


class Runs:
    """The runs of all connections."""

    def __init__(self, client: redis.Redis, shards: Shards, *, overdue_us: int, events: Events | None = None) -> None:
        self._client, self._shards, self._overdue_us, self._events = client, shards, overdue_us, events

    def request(self, connection: str, team: str, wanted: Wanted, now: int, changes: Changes) -> str | None:
        """Make a run of it as part of a change that may have guards of its own; its id, or None where they fail.

        They fail, too, where a channel is asked for already or was revoked meanwhile.
        """
        keys = self._shards.of(connection)
        name = self.add(changes, keys, connection, team, wanted, now)
        for channel in wanted.channels:
            changes.expect("", "HGET", keys.coverage(connection), f"{channel}|{MARKS[wanted.kind]}")
        return None if changes.commit(self._client) else name

    def add(self, changes: Changes, keys: Keys, connection: str, team: str, wanted: Wanted, now: int) -> str:
        """The same as part of a change that guards the marks itself; the run's id."""
        name = f"{keys.shard:02x}{secrets.token_hex(12)}"
        coverage = keys.coverage(connection)
        for channel in wanted.channels:
            changes.do("HSET", coverage, f"{channel}|{MARKS[wanted.kind]}", name)
            # Revoked since the list was read: its mark would be left behind and keep it from being asked for again.
            changes.expect(1, "HEXISTS", coverage, f"{channel}|since")
        fields: dict[str, Word] = {
            "connection": connection,
            "team": team,
            "kind": wanted.kind,
            "oldest": wanted.oldest,
            "latest": wanted.latest,
            **lists(wanted.channels),
            "replies": int(wanted.replies),
            "state": "requested",
            "attempt": 0,
            "ask_at": now,
            "requested_at": now,
        }
        if wanted.thread_ts:
            fields["thread_ts"] = wanted.thread_ts
        changes.do("HSET", keys.run(name), *pairs(fields))
        changes.do("ZADD", keys.runs(connection), now, name)
        changes.do("ZADD", keys.due, now, f"{ITEMS[wanted.kind]}:{name}")
        return name

    def trim(self, connection: str) -> None:
        """Forget the oldest closed runs beyond what is shown."""
        keys = self._shards.of(connection)
        for name in ask(self._client, "ZRANGE", keys.runs(connection), 0, -_RUNS_KEPT - 1):
            found = self.get(name.decode())
            if found is not None and (found.open or self._still_held(found)):
                continue
            changes = Changes().do("DEL", keys.run(name.decode())).do("ZREM", keys.runs(connection), name)
            changes.do("SREM", keys.sweeps, name).commit(self._client)

    def _still_held(self, found: Run) -> bool:
        return found.state == "held" and found.requested_at > clock(self._client) - _HELD_US

    def going(self, names: Iterable[str]) -> int:
        """How many of these runs are on their way. One that is blocked, given up, or asked for in vain again and again
        keeps no other from going.
        """
        ids = sorted(names)
        rows = ask_all(self._client, [("HMGET", Keys(shard_of_id(one)).run(one), *_STANDING) for one in ids])
        return sum(
            state == b"requested" and int(attempt) - int(failed or 0) < _IN_VAIN for state, attempt, failed in rows
        )

    def waited(self, found: Run, now: int) -> bool:
        """Whether its newest attempt has had its time, and nothing of it has come for long."""
        return found.open and found.ask_at <= now and (found.progress_at or 0) + self._overdue_us <= now

    def get(self, name: str) -> Run | None:
        """A run by id, or None for one that is unknown or malformed."""
        try:
            keys = Keys(shard_of_id(name))
        except ValueError:
            return None
        fields = ask(self._client, "HGETALL", keys.run(name))
        return read(name, {k.decode(): v.decode() for k, v in fields.items()}) if b"channels" in fields else None

    def listing(self, connection: str, limit: int = 50) -> list[Run]:
        """The connection's newest runs."""
        keys = self._shards.of(connection)
        names = ask(self._client, "ZRANGE", keys.runs(connection), 0, limit - 1, "REV")
        return [found for name in names if (found := self.get(name.decode()))]

    def begin(
        self, found: Run, regime: Regime = STANDARD, credential: str = "", direct: Sequence[str] = ()
    ) -> Attempt | str:
        """Draw a new attempt, or the word that says why not: closed, early, busy, paused, progress, given_up,
        cancelled. What of its channels is `direct` is left out as paused channels are.
        """
        keys, org = self._shards.of(found.connection), split_connection(found.connection)[1]
        touched = [keys.run(found.id), keys.org(org), keys.allow(org), keys.connection(found.connection)]
        touched += [keys.due, keys.coverage(found.connection), keys.flights, keys.flights_of(found.connection)]
        touched.append(keys.paused_channels(org))
        args: list[Word] = [found.id, found.team, found.connection, f"{found.item}:{found.id}", found.mark]
        args += [LEASE_US, self._overdue_us, MOST_ATTEMPTS, regime.flights, regime.limit, credential]
        args += [",".join(REASONS), f",{','.join(direct)},", len(found.channels), *found.channels]
        given_up = self._given_up(keys, found, Changes(touched))
        said, *rest = run(self._client, "begin", given_up.keys, [*args, *given_up.commands])
        if said != b"ask":
            return str(said.decode())
        number, epoch, generation, state, *channels = rest
        names = [name.decode() for name in channels]
        return Attempt(found, int(number), int(epoch), int(generation), state.decode(), names)

    def _given_up(self, keys: Keys, found: Run, changes: Changes) -> Changes:
        """What goes with giving a run up, if it comes to that: it is counted, and the core service is told."""
        counters.add(changes, keys, {"pulls.given_up": 1})
        if self._events and found.attempt >= MOST_ATTEMPTS:
            marks = (f"{channel}|{found.mark}" for channel in found.channels)
            names = ask(self._client, "HMGET", keys.coverage(found.connection), *marks)
            lacking = [one for one, name in zip(found.channels, names, strict=True) if name == found.id.encode()]
            tell_given_up(self._events, changes, keys, found, lacking, clock(self._client))
        return changes

    def asked(self, attempt: Attempt, now: int) -> None:
        """The trigger was taken: look again when it is overdue. Each attempt waits twice as long as the one before.

        Paragon's queue may be hours long (facts.md, 1): asking faster would only make it longer.
        """
        wait = min(self._overdue_us * 2 ** (attempt.number - 1), max(_DAY_US, self._overdue_us))
        self._look_again(attempt, now + wait, state=attempt.state, reason="").commit(self._client)

    def not_asked(self, attempt: Attempt, at: int, *, reason: str, blocked: bool = False) -> None:
        """The trigger failed: ask again at that time. Somebody else's outage costs none of the run's tries."""
        changes = self._look_again(attempt, at, state="blocked" if blocked else attempt.state, reason=reason)
        keys = self._shards.of(attempt.run.connection)
        changes.do("HINCRBY", keys.run(attempt.run.id), "failed", 1)
        self.land(changes, keys, attempt.run)
        changes.commit(self._client)

    def block(self, found: Run, at: int, reason: str) -> None:
        """Nothing is asked until then: what is in the way is somebody's to mend and costs none of its tries."""
        keys = self._shards.of(found.connection)
        state = "given_up" if found.state == "given_up" else "blocked"
        changes = Changes().expect(found.state, "HGET", keys.run(found.id), "state")
        changes.expect(found.attempt, "HGET", keys.run(found.id), "attempt")
        changes.do("HSET", keys.run(found.id), "ask_at", at, "state", state, "reason", reason)
        self.land(changes, keys, found)
        changes.do("ZADD", keys.due, "XX", at, f"{found.item}:{found.id}").commit(self._client)

    def _look_again(self, attempt: Attempt, at: int, *, state: str, reason: str) -> Changes:
        """Only while this attempt is still the newest and the run has not ended meanwhile."""
        keys, name = self._shards.of(attempt.run.connection), attempt.run.id
        changes = Changes().expect(attempt.state, "HGET", keys.run(name), "state")
        changes.expect(attempt.number, "HGET", keys.run(name), "attempt")
        changes.do("HSET", keys.run(name), "ask_at", at, "state", state, "reason", reason)
        return changes.do("ZADD", keys.due, at, f"{attempt.run.item}:{name}")

    def close(self, found: Run, state: str, *, keep_facts: bool = False) -> Changes:
        """What ends a run, if it still is as it was read."""
        keys = self._shards.of(found.connection)
        changes = Changes().expect(found.state, "HGET", keys.run(found.id), "state")
        changes.do("HSET", keys.run(found.id), "state", state).do("ZREM", keys.due, f"{found.item}:{found.id}")
        for number in range(1, 1 if keep_facts else found.attempt + 1):
            changes.do("DEL", keys.facts(found.id, number))
            changes.do("HDEL", keys.run(found.id), f"epoch:{number}", f"credential:{number}")
        self.land(changes, keys, found)
        return changes

    def land(self, changes: Changes, keys: Keys, found: Run) -> None:
        """It is out no more: another run of the connection may go."""
        changes.do("ZREM", keys.flights, found.id).do("ZREM", keys.flights_of(found.connection), found.id)

    def fly(self, changes: Changes, keys: Keys, found: Run, now: int) -> None:
        """It goes on: its place is kept until it is overdue again."""
        for key in (keys.flights, keys.flights_of(found.connection)):
            changes.do("ZADD", key, "XX", now + self._overdue_us, found.id)

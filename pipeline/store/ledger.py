"""The ledger: every requested window, what its pages have proved, and how far each channel is covered."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from pipeline.connection import split_connection
from pipeline.rules.coverage import covered
from pipeline.rules.identity import REASONS
from pipeline.rules.windows import Progress, Window, plan
from pipeline.store import counters
from pipeline.store.client import ask, ask_all, clock
from pipeline.store.events import Events
from pipeline.store.keys import Keys, Shards, shard_of_id
from pipeline.store.ledger_events import backfilled, tell_backfilled, tell_given_up
from pipeline.store.schedule import LEASE_US
from pipeline.store.scripts import Changes, Word, pairs, run

MOST_ATTEMPTS = 10
FACTS_KEPT_SECONDS = 30 * 24 * 3600
_RUNS_KEPT = 200
_DAY_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """One requested window, (oldest, latest] in microseconds."""

    id: str
    connection: str
    team: str
    oldest: int
    latest: int
    channels: list[str]
    state: str
    attempt: int
    epoch: int | None
    requested_at: int
    pages: int
    dead: int
    reason: str | None

    @property
    def open(self) -> bool:
        """Whether an answer is still wanted."""
        return self.state in ("requested", "blocked", "given_up")

    def public(self) -> dict[str, Any]:
        """What the API and the command line show."""
        state = "receiving" if self.state == "requested" and self.pages else self.state
        return {name: getattr(self, name) for name in self.__slots__} | {"state": state}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a trigger's POST must carry."""

    run: Run
    number: int
    epoch: int
    generation: int
    state: str
    channels: list[str]


class Ledger:
    """Runs and coverage of all connections. `events` tells the core service of them; without `delivers` (shadow) what
    was read is not in the mesh, and nobody is told that it is.
    """

    def __init__(
        self,
        client: redis.Redis,
        shards: Shards,
        *,
        overdue_us: int,
        events: Events | None = None,
        delivers: bool = True,
    ) -> None:
        self._client, self._shards, self._overdue_us = client, shards, overdue_us
        self._events, self._delivers = events, delivers

    def plan(self, connection: str, team: str, channels: list[str], now: int) -> list[str]:
        """Request what is not covered and not asked for yet; the ids of the new runs. Safe to repeat."""
        keys = self._shards.of(connection)
        state = _text(ask(self._client, "HGETALL", keys.coverage(connection)))
        progress = [Progress(name, int(state.get(f"{name}|head", 0)), f"{name}|run" in state) for name in channels]
        return [made for window in plan(progress, now) if (made := self._request(connection, team, window, now))]

    def _request(self, connection: str, team: str, window: Window, now: int) -> str | None:
        keys = self._shards.of(connection)
        name = f"{keys.shard:02x}{secrets.token_hex(12)}"
        coverage = keys.coverage(connection)
        changes = Changes()
        for channel in window.channels:
            changes.expect("", "HGET", coverage, f"{channel}|run").do("HSET", coverage, f"{channel}|run", name)
            # Revoked since the list was read: its mark would be left behind and keep it from being asked for again.
            changes.expect(1, "HEXISTS", coverage, f"{channel}|since")
        fields: dict[str, Word] = {
            "connection": connection,
            "team": team,
            "oldest": window.oldest,
            "latest": window.latest,
            "channels": json.dumps(window.channels),
            "state": "requested",
            "attempt": 0,
            "ask_at": now,
            "requested_at": now,
        }
        changes.do("HSET", keys.run(name), *pairs(fields))
        changes.do("ZADD", keys.runs(connection), now, name)
        changes.do("ZADD", keys.due, now, f"trigger:{name}")
        if changes.commit(self._client):
            return None
        self._trim(keys, connection)
        return name

    def _trim(self, keys: Keys, connection: str) -> None:
        """Forget the oldest closed runs beyond what is shown."""
        for name in ask(self._client, "ZRANGE", keys.runs(connection), 0, -_RUNS_KEPT - 1):
            found = self.get(name.decode())
            if found is not None and found.open:
                continue
            Changes().do("DEL", keys.run(name.decode())).do("ZREM", keys.runs(connection), name).commit(self._client)

    def get(self, name: str) -> Run | None:
        """A run by id, or None for one that is unknown or malformed."""
        try:
            keys = Keys(shard_of_id(name))
        except ValueError:
            return None
        fields = _text(ask(self._client, "HGETALL", keys.run(name)))
        return _read(name, fields) if "channels" in fields else None

    def listing(self, connection: str, limit: int = 50) -> list[Run]:
        """The connection's newest runs."""
        keys = self._shards.of(connection)
        names = ask(self._client, "ZRANGE", keys.runs(connection), 0, limit - 1, "REV")
        return [found for name in names if (found := self.get(name.decode()))]

    def begin(self, found: Run) -> Attempt | str:
        """Draw a new attempt, or the word that says why not: closed, early, progress, paused, given_up, cancelled."""
        keys, org = self._shards.of(found.connection), split_connection(found.connection)[1]
        touched = [keys.run(found.id), keys.org(org), keys.allow(org), keys.connection(found.connection)]
        touched += [keys.due, keys.coverage(found.connection), keys.paused_channels(org)]
        args: list[Word] = [
            found.id,
            found.team,
            found.connection,
            LEASE_US,
            self._overdue_us,
            MOST_ATTEMPTS,
            ",".join(REASONS),
            len(found.channels),
            *found.channels,
        ]
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
            marks = ask(self._client, "HMGET", keys.coverage(found.connection), *(f"{c}|run" for c in found.channels))
            lacking = [c for c, mark in zip(found.channels, marks, strict=True) if mark == found.id.encode()]
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
        changes.do("HINCRBY", self._shards.of(attempt.run.connection).run(attempt.run.id), "failed", 1)
        changes.commit(self._client)

    def _look_again(self, attempt: Attempt, at: int, *, state: str, reason: str) -> Changes:
        """Only while this attempt is still the newest and the run has not ended meanwhile."""
        keys, name = self._shards.of(attempt.run.connection), attempt.run.id
        changes = Changes().expect(attempt.state, "HGET", keys.run(name), "state")
        changes.expect(attempt.number, "HGET", keys.run(name), "attempt")
        changes.do("HSET", keys.run(name), "ask_at", at, "state", state, "reason", reason)
        return changes.do("ZADD", keys.due, at, f"trigger:{name}")

    def page(
        self, changes: Changes, keys: Keys, name: str, attempt: int, facts: Sequence[str], dead: int, now: int
    ) -> None:
        """Write a delivered page of an open run as part of the settle that ends it."""
        if facts:
            key = keys.facts(name, attempt)
            changes.hset(key, dict.fromkeys(facts, ""))
            changes.do("EXPIRE", key, FACTS_KEPT_SECONDS)
        changes.do("HINCRBY", keys.run(name), "pages", 1)
        if dead:
            changes.do("HINCRBY", keys.run(name), "dead", dead)
        changes.do("HSET", keys.run(name), "progress", now)
        changes.do("SADD", keys.touched, name)

    def touched(self, keys: Keys) -> list[str]:
        """Runs of this shard that had pages since they were last looked at."""
        return [name.decode() for name in ask(self._client, "SMEMBERS", keys.touched)]

    def look(self, keys: Keys, name: str) -> list[str]:
        """See what the run's pages prove; the channels that are newly covered. Safe to repeat."""
        found = self.get(name)
        if found is None or not found.open:
            ask(self._client, "SREM", keys.touched, name)
            return []
        key = keys.coverage(found.connection)
        state = ask(self._client, "HMGET", key, *(f"{channel}|run" for channel in found.channels))
        waiting = [c for c, open_run in zip(found.channels, state, strict=True) if open_run == name.encode()]
        attempts = ask_all(self._client, [("HGETALL", keys.facts(name, n)) for n in range(1, found.attempt + 1)])
        proofs = [[fact.decode() for fact in facts] for facts in attempts]
        done = [channel for channel in waiting if any(covered(facts, channel) for facts in proofs)]
        for channel in done:
            self._cover(keys, found, channel)
        if len(done) == len(waiting):
            self._close(keys, found)
        # Last, and only if no page came meanwhile: a look that dies half-way is taken again.
        untouched = Changes().expect(found.pages or "", "HGET", keys.run(name), "pages")
        untouched.do("SREM", keys.touched, name).commit(self._client)
        return done

    def _cover(self, keys: Keys, found: Run, channel: str) -> None:
        key = keys.coverage(found.connection)
        changes = Changes().expect(found.id, "HGET", key, f"{channel}|run")
        changes.do("HSET", key, f"{channel}|head", found.latest).do("HDEL", key, f"{channel}|run")
        if self._events and self._delivers and backfilled(found):
            tell_backfilled(self._events, changes, keys, found, channel, clock(self._client))
        changes.commit(self._client)

    def _close(self, keys: Keys, found: Run) -> None:
        """Nothing of it is wanted any more: covered, or, where everything was revoked before it was, cancelled."""
        state = "covered" if self._anything(keys, found) else "cancelled"
        changes = Changes().expect(found.state, "HGET", keys.run(found.id), "state")
        changes.do("HSET", keys.run(found.id), "state", state).do("ZREM", keys.due, f"trigger:{found.id}")
        for number in range(1, found.attempt + 1):
            changes.do("DEL", keys.facts(found.id, number))
        changes.commit(self._client)

    def _anything(self, keys: Keys, found: Run) -> bool:
        """Whether any channel of the run has come as far as its window."""
        heads = ask(
            self._client, "HMGET", keys.coverage(found.connection), *(f"{name}|head" for name in found.channels)
        )
        return any(int(head or 0) >= found.latest for head in heads)

    def coverage(self, connection: str) -> dict[str, dict[str, Any]]:
        """Channel → head and tail (covered from … to, microseconds), open run, allowed since."""
        shown: dict[str, dict[str, Any]] = {}
        for name, value in _text(
            ask(self._client, "HGETALL", self._shards.of(connection).coverage(connection))
        ).items():
            channel, _, what = name.rpartition("|")
            shown.setdefault(channel, {})[what] = value if what == "run" else int(value)
        return shown


def _text(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}


def _read(name: str, fields: Mapping[str, str]) -> Run:
    return Run(
        id=name,
        connection=fields["connection"],
        team=fields["team"],
        oldest=int(fields["oldest"]),
        latest=int(fields["latest"]),
        channels=json.loads(fields["channels"]),
        state=fields["state"],
        attempt=int(fields["attempt"]),
        epoch=int(fields["epoch"]) if "epoch" in fields else None,
        requested_at=int(fields["requested_at"]),
        pages=int(fields.get("pages", 0)),
        dead=int(fields.get("dead", 0)),
        reason=fields.get("reason") or None,
    )

"""Runs: requested windows, one hash each, and the attempts at them."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import redis

from pipeline.connection import split_connection
from pipeline.rules.identity import REASONS
from pipeline.rules.regimes import STANDARD, Regime
from pipeline.store import counters
from pipeline.store.client import ask, clock
from pipeline.store.events import Events
from pipeline.store.keys import Keys, Shards, shard_of_id
from pipeline.store.ledger_events import tell_given_up
from pipeline.store.schedule import LEASE_US
from pipeline.store.scripts import Changes, Word, pairs, run

Kind = Literal["live", "back", "reread", "thread"]
"""What came since, what was before, a day read again, a thread read again."""
MARKS: Final[dict[str, str]] = {"live": "run", "back": "back", "reread": "re", "thread": "th"}
"""The field of a channel's coverage that names its open run of a kind."""
ITEMS: Final[dict[str, str]] = {"live": "trigger", "back": "backfill", "reread": "backfill", "thread": "backfill"}
"""The schedule's item of a kind: live windows go first."""
MOST_ATTEMPTS: Final = 10
_RUNS_KEPT: Final = 200
_HIDDEN: Final = ("limit", "failed")
_DAY_US: Final = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """One requested window, (oldest, latest] in microseconds; `thread_ts` where only that thread was asked for."""

    id: str
    connection: str
    team: str
    kind: Kind
    oldest: int
    latest: int
    channels: list[str]
    thread_ts: str
    replies: bool
    state: str
    attempt: int
    epoch: int | None
    requested_at: int
    pages: int
    dead: int
    failed: int
    progress_at: int | None
    limit: int
    reason: str | None

    @property
    def open(self) -> bool:
        """Whether an answer is still wanted."""
        return self.state in ("requested", "blocked", "given_up")

    @property
    def window(self) -> tuple[str, int, int, str]:
        """What it asks for, whoever asks again."""
        return self.connection, self.oldest, 0 if self.thread_ts else self.latest, self.thread_ts

    @property
    def unfinished(self) -> int:
        """How many attempts were taken and brought something, but never all of it."""
        return self.attempt - self.failed if self.pages else 0

    @property
    def item(self) -> str:
        """Its item's kind in the schedule."""
        return ITEMS[self.kind]

    @property
    def mark(self) -> str:
        """The field of a channel's coverage that names it while it is open."""
        return MARKS[self.kind]

    def public(self) -> dict[str, Any]:
        """What the API and the command line show."""
        state = "receiving" if self.state == "requested" and self.pages else self.state
        return {name: getattr(self, name) for name in self.__slots__ if name not in _HIDDEN} | {"state": state}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A window to ask for, before it is a run."""

    kind: Kind
    oldest: int
    latest: int
    channels: Sequence[str]
    thread_ts: str = ""
    replies: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a trigger's POST must carry."""

    run: Run
    number: int
    epoch: int
    generation: int
    state: str
    channels: list[str]


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
        if changes.commit(self._client):
            return None
        self._trim(keys, connection)
        return name

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
            "channels": json.dumps(list(wanted.channels)),
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
        fields = ask(self._client, "HGETALL", keys.run(name))
        return _read(name, {k.decode(): v.decode() for k, v in fields.items()}) if b"channels" in fields else None

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
        self.land(changes, keys, found)
        return changes

    def land(self, changes: Changes, keys: Keys, found: Run) -> None:
        """It is out no more: another run of the connection may go."""
        changes.do("ZREM", keys.flights, found.id).do("ZREM", keys.flights_of(found.connection), found.id)

    def fly(self, changes: Changes, keys: Keys, found: Run, now: int) -> None:
        """It goes on: its place is kept until it is overdue again."""
        for key in (keys.flights, keys.flights_of(found.connection)):
            changes.do("ZADD", key, "XX", now + self._overdue_us, found.id)


def _read(name: str, fields: Mapping[str, str]) -> Run:
    kind = fields.get("kind", "live")
    return Run(
        id=name,
        connection=fields["connection"],
        team=fields["team"],
        kind=kind if kind in MARKS else "live",  # type: ignore[arg-type]
        oldest=int(fields["oldest"]),
        latest=int(fields["latest"]),
        channels=json.loads(fields["channels"]),
        thread_ts=fields.get("thread_ts", ""),
        replies=fields.get("replies", "1") == "1",
        state=fields["state"],
        attempt=int(fields["attempt"]),
        epoch=int(fields["epoch"]) if "epoch" in fields else None,
        requested_at=int(fields["requested_at"]),
        pages=int(fields.get("pages", 0)),
        dead=int(fields.get("dead", 0)),
        failed=int(fields.get("failed", 0)),
        progress_at=int(fields["progress"]) if "progress" in fields else None,
        limit=int(fields.get("limit", 200)),
        reason=fields.get("reason") or None,
    )

"""How a connection's pulls are planned: the period and rate that were asked for, and what can be kept."""

from typing import Any, Final

import redis

from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.rules.outlook import Outlook, outlook
from pipeline.rules.regimes import REGIMES, shortest_period
from pipeline.rules.rereading import cycle
from pipeline.store import audit
from pipeline.store.client import ask, clock
from pipeline.store.connections import Registration
from pipeline.store.keys import Shards
from pipeline.store.progress import Channels
from pipeline.store.rates import Rates
from pipeline.store.reading import spread
from pipeline.store.scripts import Changes, now

FIELD: Final = "pull_us"
_SECOND_US: Final = 1_000_000


class TooOftenError(Exception):
    """A period that the team's rate cannot keep. `shortest` in microseconds."""

    def __init__(self, shortest: int) -> None:
        super().__init__("the period is too short")
        self.shortest = shortest


class PullPlans:
    """Periods and rates, asked for and kept. `default_us` is the period where a connection asked for none."""

    def __init__(
        self,
        client: redis.Redis,
        shards: Shards,
        rates: Rates,
        channels: Channels,
        *,
        default_us: int,
        reread_days: int,
    ) -> None:
        self._client, self._shards, self.rates, self._channels = client, shards, rates, channels
        self._default_us, self._days = default_us, reread_days

    def wanted(self, connection: str) -> int | None:
        """The period that the connection asked for (microseconds), None where it asked for none."""
        found = ask(self._client, "HGET", self._shards.of(connection).connection(connection), FIELD)
        return None if found is None else int(found)

    def outlook(self, known: Registration, allowed: list[str]) -> Outlook:
        """What these channels of it will take."""
        at = clock(self._client)
        standing = [(one.progress, one.cost, one.stale.days) for one in self._channels.read(known.connection, allowed)]
        moved = ask(self._client, "ZCARD", self._shards.of(known.connection).moved(known.connection))
        return outlook(
            standing,
            self.rates.regime(split_connection(known.connection)[1], known.team or ""),
            now=at,
            wanted=self.wanted(known.connection) or self._default_us,
            reread_days=self._days,
            moved=int(moved),
            since=cycle(at, spread(known.connection)),
        )

    def shown(self, known: Registration, plan: Outlook) -> dict[str, Any]:
        """An outlook as the API and the command line show it, in seconds."""
        wanted, org = self.wanted(known.connection), split_connection(known.connection)[1]
        return {
            "rate": plan.regime.name,
            "rate_by": "hand" if self.rates.fixed(org, known.team or "") else "pages",
            "period_seconds": plan.period / _SECOND_US,
            "shortest_seconds": plan.shortest / _SECOND_US,
            "wanted_seconds": None if wanted is None else wanted / _SECOND_US,
            "channels": plan.channels,
            "backfill_channels": plan.unfinished,
            "backfill_requests": plan.requests,
            "backfill_eta_seconds": None if plan.eta is None else plan.eta / _SECOND_US,
            "unread_days": plan.unread,
            "moved_threads": plan.moved,
        }

    def ask_for(self, known: Registration, allowed: int, *, period: int | None, rate: str | None, by: str) -> None:
        """Set the period (microseconds; None: the default) and the rate (None: by what the pages show).

        Raises `TooOftenError` for a period that so many channels cannot keep at that rate, and
        `Rejected("not_registered")` where the connection ended meanwhile.
        """
        keys, (_, org) = self._shards.of(known.connection), split_connection(known.connection)
        key, changes = keys.connection(known.connection), Changes()
        changes.expect("live", "HGET", key, "state").expect(known.generation, "HGET", key, "generation")
        regime = REGIMES[rate] if rate else self.rates.found(org, known.team or "")
        if period is not None and period < shortest_period(allowed, regime):
            raise TooOftenError(shortest_period(allowed, regime))
        self.rates.fix(changes, org, known.team or "", rate)
        if period is None:
            changes.do("HDEL", key, FIELD)
        else:
            changes.do("HSET", key, FIELD, period)
        changes.do("ZADD", keys.due, "LT", now(), f"plan:{known.connection}")
        facts = {"period_us": period, "rate": rate}
        audit.note(changes, keys, "pulls.planned", known.connection, by, clock(self._client), **facts)
        if changes.commit(self._client):
            raise Rejected("not_registered")

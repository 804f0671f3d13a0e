"""How fast each team's app may read history: what was set by hand, else what its pages have shown."""

import json

import redis

from pipeline.rules.regimes import REGIMES, STANDARD, Evidence, Page, Regime
from pipeline.store.client import ask
from pipeline.store.keys import Shards
from pipeline.store.scripts import Changes


class Rates:
    """The regime of each organisation and team."""

    def __init__(self, client: redis.Redis, shards: Shards) -> None:
        self._client, self._shards = client, shards

    def regime(self, org: str, team: str) -> Regime:
        """The regime that the planner is to keep to."""
        fixed = self.fixed(org, team)
        return REGIMES.get(fixed, STANDARD) if fixed else self.found(org, team)

    def found(self, org: str, team: str) -> Regime:
        """The regime that the team's pages have shown."""
        return self._evidence(org, team).regime

    def fixed(self, org: str, team: str) -> str | None:
        """The regime that was set by hand, None where none was."""
        found = ask(self._client, "HGET", self._shards.of_org(org).org(org), f"rate:{team}")
        return None if found is None else found.decode()

    def fix(self, changes: Changes, org: str, team: str, name: str | None) -> None:
        """Set the regime of a team by hand, or, with None, go by its pages again, as part of a change."""
        key = self._shards.of_org(org).org(org)
        if name is None:
            changes.do("HDEL", key, f"rate:{team}", f"pages:{team}")
        else:
            changes.do("HSET", key, f"rate:{team}", name)

    def note(self, changes: Changes, org: str, team: str, page: Page) -> None:
        """Take one more page of history into account, as part of the settle that ends it."""
        known = self._evidence(org, team)
        if (seen := known.page(page)) != known:
            changes.do("HSET", self._shards.of_org(org).org(org), f"pages:{team}", json.dumps(seen))

    def _evidence(self, org: str, team: str) -> Evidence:
        found = ask(self._client, "HGET", self._shards.of_org(org).org(org), f"pages:{team}")
        return Evidence(*json.loads(found)) if found else Evidence()

"""A Sluice whose runs can be asked, answered and looked at, without Paragon: tests play the workflow's pages."""

from typing import Any

from sluice import CONNECTION, ORG, TEAM, Sluice, now_us
from sluice import page as page_of

from pipeline.rules.regimes import STANDARD, Regime
from pipeline.store.looks import Look
from pipeline.store.runs import Attempt, Run

OTHER = f"ann/{ORG}"


def page(channel: str, *ts: str, **said: Any) -> dict[str, Any]:
    """A page of history unless a thread is named, as the workflow posts it."""
    return page_of(channel, *ts, **{"thread_ts": "", **said})


class Pulls(Sluice):
    """What `workers.schedule` does with the ledger, one step at a time."""

    def plan(self, connection: str = CONNECTION, *, at: int | None = None, regime: Regime = STANDARD) -> list[str]:
        channels = self.stores.allowlists.own(connection, TEAM)
        return self.stores.ledger.plan(connection, TEAM, channels, at or now_us(), regime)

    def planned(self, *, at: int | None = None) -> list[Run]:
        """The runs that a plan makes."""
        return [self.get(name) for name in self.plan(at=at)]

    def get(self, name: str) -> Run:
        found = self.stores.ledger.get(name)
        assert found is not None
        return found

    def begin(self, name: str, regime: Regime = STANDARD) -> Attempt | str:
        look = self.look_at()
        return self.stores.ledger.runs.begin(self.get(name), regime, (look.credential if look else None) or "")

    def ask(self, name: str) -> Attempt:
        """A new attempt, whatever the clock says, that Paragon has taken."""
        self.wait(name)
        attempt = self.begin(name)
        assert isinstance(attempt, Attempt), attempt
        self.stores.ledger.runs.asked(attempt, now_us())
        return attempt

    def wait(self, name: str) -> None:
        """Until the run is overdue and nothing has come for long."""
        self.client.hset(self.keys.run(name), "ask_at", 0)
        self.client.hdel(self.keys.run(name), "progress")

    def answer(self, attempt: Attempt, *pages: dict[str, Any]) -> None:
        """Pages of this attempt arrive and are worked through."""
        token = {"run_id": attempt.run.id, "attempt": attempt.number, "epoch": attempt.epoch}
        token |= {"gen": attempt.generation, "connection": attempt.run.connection}
        self.receive(*(one | token for one in pages))
        self.drain()

    def patched(self) -> None:
        """The lists are in Paragon's metadata."""
        for connection in (CONNECTION, OTHER):
            self.client.zrem(self.keys.due, f"patch:{connection}")

    def look_at(self) -> Look | None:
        return self.stores.ledger.rereads.looks.get(CONNECTION)

    def looked(self, *, credential: str = "cred-1", status: str = "VALID", at: int | None = None) -> None:
        """Paragon was asked how the connection is."""
        known = self.stores.connections.get(CONNECTION)
        assert known is not None
        self.stores.ledger.rereads.looks.keep(
            known, Look(at or now_us(), True, status, TEAM, credential), self.stores.events
        )
        for name in self.stores.ledger.touched(self.keys):
            self.stores.ledger.look(self.keys, name)
        self.drain()

    def shown(self, channel: str, connection: str = CONNECTION) -> dict[str, Any]:
        return self.stores.ledger.coverage(connection).get(channel, {})

    def head(self, channel: str, connection: str = CONNECTION) -> int | None:
        return self.shown(channel, connection).get("head")

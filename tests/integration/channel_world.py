"""A connected organisation whose channels change behind its list's back."""

from typing import Any

from sluice import CONNECTION, ORG, SHARDS, TEAM, Sluice, now_us, page

from pipeline.store import receipts
from pipeline.store.channel_answers import ChannelAnswers
from pipeline.store.runs import Attempt, Run

RUNS = {"run_id": "r", "cursor": "", "next_cursor": "", "has_more": False}
OTHER = f"ann@example.com/{ORG}"
FIRST, SECOND, THIRD = (f"1700000000.000{n}00" for n in (1, 2, 3))


def raw(channel: str, **said: Any) -> dict[str, Any]:
    """A channel as `conversations.list` shows it."""
    return {"id": channel, "name": channel.lower(), "created": 1_600_000_000 + sum(map(ord, channel)), **said}


def directory(*channels: dict[str, Any], **said: Any) -> dict[str, Any]:
    """A page of the channels workflow that is the whole list."""
    return {"kind": "channels", "channels": list(channels), **RUNS, **said}


class Channels(Sluice):
    """C1 and C2, neither shared, are known; nothing is allowed yet."""

    def begin(self) -> "Channels":
        for connection in (CONNECTION, OTHER):
            self.register(connection)
        self.show(raw("C1"), raw("C2"))
        self.receive({"kind": "users", "members": [{"id": "U1"}], **RUNS})
        self.drain()
        self.answers = ChannelAnswers(self.client, SHARDS, self.vault)
        return self

    def show(self, *channels: dict[str, Any], **said: Any) -> str:
        """The directory is read; the receipt of its page."""
        [receipt] = self.receive(directory(*channels, **said))
        self.drain()
        return receipt

    def paused(self) -> dict[str, list[str]]:
        """Channel → why."""
        found = self.stores.channel_pauses.of(ORG, TEAM)
        return {channel: [pause.reason for pause in pauses] for channel, pauses in found.items()}

    def resume(self, channel: str = "C1", *, operator: bool = False) -> list[str]:
        ended = self.answers.resume(CONNECTION, channel, by="test", operator=operator)
        return [pause.reason for pause in ended]

    def read(self, channel: str, *ts: str) -> str:
        """A page of a channel comes; its receipt."""
        [receipt] = self.receive(page(channel, *ts))
        self.drain()
        return receipt

    def dropped(self, receipt: str) -> dict[str, int]:
        found = receipts.find(self.client, self.keys, receipt)
        assert found is not None
        return dict(found["dropped"])

    def patched(self) -> None:
        """The lists are in Paragon's metadata."""
        self.client.zrem(self.keys.due, *(f"patch:{one}" for one in (CONNECTION, OTHER)))

    def plan(self, connection: str = CONNECTION) -> list[str]:
        self.patched()
        channels = self.stores.allowlists.pullable(connection, TEAM)
        return self.stores.ledger.plan(connection, TEAM, channels, now_us())

    def run_of(self, name: str) -> Run:
        found = self.stores.ledger.get(name)
        assert found is not None
        return found

    def begin_run(self, name: str) -> Attempt | str:
        """A new attempt, as if its time had come."""
        self.client.hset(self.keys.run(name), "ask_at", 0)
        self.client.hdel(self.keys.run(name), "progress")
        return self.stores.ledger.runs.begin(self.run_of(name))

    def answer(self, attempt: Attempt, *pages: dict[str, Any]) -> None:
        """Pages of this attempt arrive and are worked through."""
        token = {"run_id": attempt.run.id, "attempt": attempt.number, "epoch": attempt.epoch}
        self.receive(*(one | {"thread_ts": ""} | token | {"gen": attempt.generation} for one in pages))
        self.drain()

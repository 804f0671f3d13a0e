"""What the routes work with. Made once by `api.__main__`; tests make their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import redis

from pipeline.paragon.token import UserTokens
from pipeline.store.allowlists import Allowlists
from pipeline.store.channel_answers import ChannelAnswers
from pipeline.store.channel_pauses import ChannelPauses
from pipeline.store.connections import Connections
from pipeline.store.dead_events import DeadEvents
from pipeline.store.directory import Directory
from pipeline.store.disconnect import Disconnect
from pipeline.store.keys import Shards
from pipeline.store.ledger import Ledger
from pipeline.store.looks import Looks
from pipeline.store.outbox import Outbox
from pipeline.store.pauses import Pauses
from pipeline.store.people import People
from pipeline.store.pull_plans import PullPlans
from pipeline.store.rates import Rates
from pipeline.store.schedule import Schedule
from pipeline.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Services:
    """Stores, tokens and the bell. `ring(shard)` asks the workers to drain; it never blocks or fails.

    `core_tokens` maps scope to the SHA-256 of its token, two while it changes; `rings` counts what became of the rings.
    """

    client: redis.Redis
    shards: Shards
    connections: Connections
    allowlists: Allowlists
    channel_answers: ChannelAnswers
    channel_pauses: ChannelPauses
    directory: Directory
    ledger: Ledger
    pull_plans: PullPlans
    looks: Looks
    pauses: Pauses
    people: People
    schedule: Schedule
    disconnect: Disconnect
    outbox: Outbox
    dead_events: DeadEvents
    user_tokens: UserTokens
    core_tokens: Mapping[str, Sequence[str]]
    ring: Callable[[int], None]
    rings: Mapping[str, int]
    now_us: Callable[[], int]
    delivery: Literal["live", "shadow"]

    def ring_for(self, connection: str) -> None:
        """Ask for a drain of the connection's shard."""
        self.ring(self.shards.of(connection).shard)


def make_services(
    client: redis.Redis,
    shards: Shards,
    vault: Vault,
    *,
    user_tokens: UserTokens,
    core_tokens: Mapping[str, Sequence[str]],
    overdue_us: int,
    pull_us: int = 900_000_000,
    reread_days: int = 7,
    ring: Callable[[int], None],
    rings: Mapping[str, int],
    now_us: Callable[[], int],
    delivery: Literal["live", "shadow"] = "live",
    direct_messages: bool = False,
    events_url: str = "",
) -> Services:
    """All services over one client. `direct_messages`: may they be allowed; `events_url`: where events go, or ""."""
    ledger = Ledger(client, shards, vault, overdue_us=overdue_us, reread_days=reread_days)
    return Services(
        client=client,
        shards=shards,
        connections=Connections(client, shards, vault),
        allowlists=Allowlists(client, shards, vault, direct_messages=direct_messages),
        channel_answers=ChannelAnswers(client, shards, vault),
        channel_pauses=ChannelPauses(client, shards, vault),
        directory=Directory(client, shards, vault),
        ledger=ledger,
        pull_plans=PullPlans(
            client, shards, Rates(client, shards), ledger.channels, default_us=pull_us, reread_days=reread_days
        ),
        looks=Looks(client, shards),
        pauses=Pauses(client, shards),
        people=People(client, shards, vault),
        schedule=Schedule(client, shards),
        disconnect=Disconnect(client, shards, vault),
        outbox=Outbox(client, shards, events_url),
        dead_events=DeadEvents(client, shards),
        user_tokens=user_tokens,
        core_tokens=core_tokens,
        ring=ring,
        rings=rings,
        now_us=now_us,
        delivery=delivery,
    )

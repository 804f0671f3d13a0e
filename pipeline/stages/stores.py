"""What the stages work with: every store, the mesh, and the two things that only the outside can tell."""

from collections.abc import Callable
from dataclasses import dataclass

import redis

from pipeline.delivery import Delivery
from pipeline.store.allowlists import Allowlists
from pipeline.store.channel_pauses import ChannelPauses
from pipeline.store.connections import Connections
from pipeline.store.directory import Directory
from pipeline.store.directory_runs import DirectoryRuns
from pipeline.store.events import Events
from pipeline.store.keys import Shards
from pipeline.store.ledger import Ledger
from pipeline.store.pauses import Pauses
from pipeline.store.people import People
from pipeline.store.pull_plans import PullPlans
from pipeline.store.rates import Rates
from pipeline.store.schedule import Schedule
from pipeline.store.sync_status import SyncStatuses
from pipeline.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Stores:
    """Made once per process. `find_team(connection)` asks Paragon; `now_us()` is the clock."""

    client: redis.Redis
    shards: Shards
    vault: Vault
    connections: Connections
    allowlists: Allowlists
    channel_pauses: ChannelPauses
    directory: Directory
    directory_runs: DirectoryRuns
    pauses: Pauses
    people: People
    ledger: Ledger
    rates: Rates
    pull_plans: PullPlans
    sync_statuses: SyncStatuses
    events: Events
    schedule: Schedule
    mesh: Delivery
    find_team: Callable[[str], str]
    now_us: Callable[[], int]


def make_stores(
    client: redis.Redis,
    shards: Shards,
    vault: Vault,
    mesh: Delivery,
    *,
    find_team: Callable[[str], str],
    now_us: Callable[[], int],
    overdue_us: int,
    pull_us: int = 900_000_000,
    reread_days: int = 7,
    events: bool = False,
    direct_messages: bool = False,
) -> Stores:
    """All stores over one client. `events`: whether the core service is to be told what happens; `direct_messages`:
    whether IMs and MPIMs may be allowed.
    """
    tells, rates = Events(client, shards, wanted=events), Rates(client, shards)
    delivers = mesh.outcome == "delivered"
    ledger = Ledger(
        client, shards, vault, overdue_us=overdue_us, reread_days=reread_days, events=tells, delivers=delivers
    )
    return Stores(
        client=client,
        shards=shards,
        vault=vault,
        connections=Connections(client, shards, vault),
        allowlists=Allowlists(client, shards, vault, direct_messages=direct_messages),
        channel_pauses=ChannelPauses(client, shards, vault),
        directory=Directory(client, shards, vault),
        directory_runs=DirectoryRuns(client, shards),
        pauses=Pauses(client, shards),
        people=People(client, shards, vault),
        ledger=ledger,
        sync_statuses=SyncStatuses(client, shards, vault, ledger.runs, ledger.channels),
        rates=rates,
        pull_plans=PullPlans(client, shards, rates, ledger.channels, default_us=pull_us, reread_days=reread_days),
        events=tells,
        schedule=Schedule(client, shards),
        mesh=mesh,
        find_team=find_team,
        now_us=now_us,
    )

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
from pipeline.store.schedule import Schedule
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
    events: bool = False,
    direct_messages: bool = False,
) -> Stores:
    """All stores over one client. `events`: whether the core service is to be told what happens; `direct_messages`:
    whether IMs and MPIMs may be allowed.
    """
    tells = Events(client, shards, wanted=events)
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
        ledger=Ledger(client, shards, overdue_us=overdue_us, events=tells, delivers=mesh.outcome == "delivered"),
        events=tells,
        schedule=Schedule(client, shards),
        mesh=mesh,
        find_team=find_team,
        now_us=now_us,
    )

"""A connection that ended leaves its registration, the trail, counters and receipts: everything else is looked for."""

import json

import pytest
from core_api import AT, Core
from pulls_world import Pulls, page
from slack_played import Channel, pages
from sluice import CONNECTION, ORG, TEAM, now_us
from test_erasure import said
from test_removals import completed, went

from pipeline.rules.versions import us_ts
from pipeline.rules.windows import DAY_US

OTHER = f"ann/{ORG}"
LEFT = {"conn:" + CONNECTION, "connections", "org:" + ORG, "purging", "audit", "counters", "receipts", "receipts:order"}


@pytest.fixture
def core(store: str) -> Core:
    """A connection that has something of everything: read, open and held windows, threads, letters, a pause, a look."""
    pulls = Pulls(store)
    core = Core(pulls).connected()
    core.allow("C1", "C2")
    pulls.drain()
    pulls.patched()
    pulls.looked()
    read(pulls)
    pulls.receive(page("C2") | {"messages": [said("no ts", "U1")]}, {"channel": 5})
    core.call("PATCH", f"{AT}/metadata", json={"meta": {"plan": "large"}})
    pulls.drain()
    pulls.stores.sync_statuses.tell(CONNECTION)
    pulls.drain()
    return core


def read(pulls: Pulls) -> None:
    """C1 has a thread and was read; C2 was asked for, and nothing has come."""
    channel, day = Channel("C1"), (now_us() // DAY_US - 1) * DAY_US
    for second in range(3):
        channel.post(us_ts(day + second * 1_000_000))
    channel.post(us_ts(day + 9_000_000), thread=us_ts(day))
    for _ in range(3):
        for name in pulls.plan():
            attempt = pulls.ask(name)
            if "C1" in attempt.channels:
                pulls.answer(attempt, *pages(channel, attempt))
    [name] = pulls.plan(at=now_us() + 2 * DAY_US)[:1]
    keys = pulls.keys
    pulls.client.sadd(keys.sweeps, name)
    pulls.client.hset(keys.run(name), mapping={"state": "held", "held:C1": 1})
    pulls.client.zadd(keys.moved(CONNECTION), {"C1|1.1": 1})
    pulls.stores.schedule.backoff(keys, "plan", CONNECTION, None)


def names(core: Core) -> set[str]:
    """What is in the store, by the names of its keys without their shard. A stream without entries holds nothing."""
    client = core.sluice.client
    found = {key.decode() for key in client.scan_iter() if key.startswith(b"{")}
    return {key.partition(":")[2] for key in found if client.type(key) != b"stream" or client.xlen(key)}


def families(found: set[str]) -> set[str]:
    return {name.partition(":")[0] for name in found}


def test_nothing_of_its_ledger_directory_and_entries_is_left_but_what_says_that_it_was_there(core: Core) -> None:
    sluice, keys = core.sluice, core.sluice.keys
    before = families(names(core))
    assert before >= {"allow", "baseline", "cov", "dead", "dir", "dirrun", "dirruns", "due", "facts", "flights"}, before
    assert before >= {"moved", "run", "runs", "sweeps", "threads", "told", "tries"}, before
    core.drains = False
    sluice.receive(page("C1", "1700000000.000900"))
    receipt = core.call("DELETE", AT).json()["receipt"]
    sluice.drain()
    assert sluice.stores.sync_statuses.tell(CONNECTION) == 2
    sluice.drain()
    sluice.client.zrem(keys.due, f"status:{CONNECTION}")
    assert went(core) == 2
    assert completed(core, receipt)[-1] == "complete"
    assert names(core) == LEFT | {f"removal:{receipt}", f"removal:of:{ORG}"}
    assert sluice.client.zrange(keys.due, 0, -1) == []
    fields = {name.decode() for name in sluice.client.hkeys(keys.connection(CONNECTION))}
    assert fields == {"generation", "state", "list_version", "registered_at", "metadata_wanted"}
    assert {name.decode().partition(":")[0] for name in sluice.client.hkeys(keys.org(ORG))} <= {"epoch", "pages"}
    assert sluice.live() == {}
    assert sluice.live("allowed_slack_channel") == {}
    assert sluice.live("user") == {}
    assert sluice.live("sync_status") == {}


def test_another_connection_of_the_team_keeps_what_is_its_own(core: Core) -> None:
    sluice, keys = core.sluice, core.sluice.keys
    sluice.register(OTHER)
    sluice.allow("C1", connection=OTHER)
    sluice.drain()
    alive = set(sluice.live())
    assert alive
    core.call("DELETE", AT)
    sluice.drain()
    assert set(sluice.live()) == alive, "somebody else allows it"
    [record] = sluice.live("allowed_slack_channel").values()
    assert record["allowed_by"] == OTHER
    assert sluice.stores.allowlists.own(OTHER, TEAM) == ["C1"]
    assert sluice.client.exists(keys.coverage(OTHER), keys.directory(ORG, TEAM, "channels")) == 2
    assert {name for name in names(core) - LEFT if CONNECTION in name} == {f"told:{CONNECTION}"}
    trail = [json.loads(row[b"e"]) for _, row in sluice.client.xrange(keys.audit)]
    assert [one["by"] for one in trail if one["event"] == "connection.disconnected"] == ["operator"]


def test_what_comes_late_for_it_is_refused_or_purged_and_counted(core: Core) -> None:
    sluice = core.sluice
    core.drains = False
    sluice.receive(page("C1", "1700000000.000900"), page("C2", "1700000000.000901"))
    receipt = core.call("DELETE", AT).json()["receipt"]
    sluice.register()
    sluice.drain()
    found = core.call("GET", f"/v1/receipts/{receipt}").json()["removal"]
    assert (found["kind"], found["waiting"]) == ("disconnect", 2)

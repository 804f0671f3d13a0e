"""What is removed goes from the store too, and its receipt says how far that has come, how much it was, and when."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from core_api import AT, Core
from sluice import CONNECTION, ORG, SHARDS, TEAM, Sluice, page
from test_erasure import history, said

from cli.embedded import EmbeddedServer
from pipeline.store import counters, dead_letters
from pipeline.store.client import connect
from pipeline.store.keys import REWRITE
from pipeline.store.purging import purge
from pipeline.store.removals import Removals
from pipeline.store.rewriting import Rewriting
from pipeline.store.scripts import Changes

GOOD = "1700000000.000300"
BAD = "no ts"
OTHER = f"ann/{ORG}"


@pytest.fixture
def core(sluice: Sluice) -> Core:
    made = Core(sluice).connected()
    made.allow("C1", "C2")
    sluice.drain()
    return made


def shown(core: Core, receipt: str) -> dict[str, Any]:
    answer = core.call("GET", f"/v1/receipts/{receipt}")
    assert answer.status_code == 200
    return dict(answer.json())


def went(core: Core) -> int:
    return purge(core.sluice.client, SHARDS, core.sluice.vault)["purged"]


def letters(core: Core) -> list[tuple[str | None, str | None]]:
    found = dead_letters.listing(core.sluice.client, SHARDS, ORG, 100)
    return sorted(((one["channel"], one["model"]) for one in found), key=str)


def looked(core: Core, receipt: str, every_us: int = 0) -> str:
    rewriting = Rewriting(core.sluice.client, every_us=every_us)
    return Removals(core.sluice.client, SHARDS, core.sluice.vault, rewriting).look(receipt)


def completed(core: Core, receipt: str, every_us: int = 0) -> list[str]:
    """Look until it is complete; the words on the way."""
    words = [looked(core, receipt, every_us)]
    while words[-1] != "complete":
        assert len(words) < 3000, words[-1]
        words.append(looked(core, receipt, every_us))
    return list(dict.fromkeys(words))


# A channel leaves a list.


def test_the_receipt_of_a_revocation_says_what_went_and_when(core: Core) -> None:
    core.sluice.receive(history(said(BAD, "U1"), said(GOOD, "U1")))
    core.sluice.drain()
    core.drains = False
    core.sluice.receive(page("C1", GOOD, "1700000000.000400"))
    receipt = core.allow("C2").json()["receipt"]
    assert shown(core, receipt)["removal"]["state"] == "emptying"
    assert looked(core, receipt) == "emptying", "a fence and two records wait"
    core.sluice.drain()
    assert looked(core, receipt) == "emptying", "a dead letter is there"
    assert went(core) == 1
    assert completed(core, receipt)[-1] == "complete"
    told = shown(core, receipt)
    assert (told["state"], told["delivered"]) == ("delivered", 2)
    removal = told["removal"]
    assert (removal["kind"], removal["state"]) == ("allowlist", "complete")
    assert (removal["waiting"], removal["dead_letters"], removal["not_rewritten"]) == (2, 1, None)
    assert told["at"] < removal["emptied_at"] < removal["rewritten_at"]
    assert core.sluice.client.zscore(core.sluice.keys.due, f"removal:{receipt}") is None


def test_dead_letters_of_a_channel_go_with_its_last_allower_and_those_of_other_channels_stay(core: Core) -> None:
    unreadable = {"channel": "C1", "messages": [said(GOOD, "U1")], "has_more": "maybe"}
    [part, whole, _] = core.sluice.receive(
        history(said(BAD, "U1"), said(GOOD, "U1")), unreadable, page("C2") | {"messages": [said(BAD, "U1")]}
    )
    core.sluice.drain()
    assert letters(core) == [("C1", "message"), ("C2", "message"), (None, None)]
    core.sluice.register(OTHER)
    core.sluice.allow("C1", connection=OTHER)
    core.allow("C2")
    assert went(core) == 0, "somebody else allows it"
    core.sluice.allow(connection=OTHER)
    core.sluice.drain()
    assert went(core) == 2
    assert letters(core) == [("C2", "message")]
    assert (shown(core, part)["state"], shown(core, part)["dropped"]) == ("delivered", {"revoked.message": 1})
    assert shown(core, whole)["state"] == "purged"
    totals = counters.totals(core.sluice.client, SHARDS)
    assert (totals["dropped.revoked.message"], totals["purged.dead_letter"]) == (1, 2)
    notes = [json.loads(row[b"e"]) for _, row in core.sluice.client.xrange(core.sluice.keys.audit)]
    assert [one["letters"] for one in notes if one["event"] == "channel.dead_letters_purged"] == [2]


def test_a_channel_that_is_allowed_again_at_once_loses_the_letters_of_before_and_no_others(core: Core) -> None:
    core.sluice.receive(history(said(BAD, "U1")))
    core.sluice.drain()
    receipt = core.allow("C2").json()["receipt"]
    core.allow("C1", "C2")
    core.sluice.receive(history(said(BAD, "U1"), said(BAD, "U2")))
    core.sluice.drain()
    assert len(letters(core)) == 3
    assert went(core) == 1
    assert went(core) == 0
    assert shown(core, receipt)["removal"]["dead_letters"] == 1


def test_a_channels_own_refused_record_goes_with_it_and_a_fence_that_was_refused_stays(core: Core) -> None:
    keys, vault, sluice = core.sluice.keys, core.sluice.vault, core.sluice
    changes = Changes()
    for model, name in (("allowed_slack_channel", f"{TEAM}:C1"), ("retraction", f"message:{TEAM}:C1"), ("user", "U1")):
        letter = dead_letters.DeadLetter("00" * 17, CONNECTION, "refused", 1, model, name, "1" * 32, 1)
        dead_letters.bury(changes, keys, vault, letter, b"{}")
    changes.commit(sluice.client)
    core.allow("C2")
    assert went(core) == 1
    assert {model for _, model in letters(core)} == {"retraction", "user"}


def test_a_revocation_while_letters_are_searched_begins_the_search_anew(core: Core) -> None:
    core.sluice.receive(history(said(BAD, "U1")), page("C2") | {"messages": [said(BAD, "U1")]})
    core.sluice.drain()
    core.allow("C1")
    assert went(core) == 1
    core.allow()
    assert went(core) == 1
    assert letters(core) == []


# Runs.


def run_of(sluice: Sluice, *channels: str) -> str:
    """A run that is asked for; the metadata is in place."""
    sluice.client.zrem(sluice.keys.due, f"patch:{CONNECTION}")
    [name] = sluice.stores.ledger.plan(CONNECTION, TEAM, channels, sluice.stores.now_us() - 1_000_000)
    return str(name)


def out(sluice: Sluice) -> set[str]:
    found = [sluice.client.zrange(key, 0, -1) for key in (sluice.keys.flights, sluice.keys.flights_of(CONNECTION))]
    due = {item.decode().partition(":")[2] for item in sluice.client.zrange(sluice.keys.due, 0, -1)}
    return {name.decode() for row in found for name in row} | {name for name in due if len(name) == 26}


def test_a_run_whose_channels_all_went_is_closed_and_its_place_is_free(core: Core) -> None:
    sluice = core.sluice
    name = run_of(sluice, "C1", "C2")
    found = sluice.stores.ledger.get(name)
    assert found is not None
    assert not isinstance(sluice.stores.ledger.runs.begin(found), str)
    core.allow("C2")
    assert out(sluice) == {name}, "the other channel is wanted still"
    core.allow()
    assert out(sluice) == set()
    ended = sluice.stores.ledger.get(name)
    assert ended is not None
    assert (ended.state, ended.reason) == ("cancelled", "revoked")


def test_a_run_that_is_asked_for_while_its_channel_goes_asks_nothing(core: Core) -> None:
    """What reads before that run is there closes nothing: then it is closed when it is due, before it is asked."""
    sluice, ends, made = core.sluice, core.sluice.stores.allowlists._run_ends, list[str]()
    revoke = ends.revoke

    def meanwhile(*args: Any) -> None:
        revoke(*args)
        made.append(run_of(sluice, "C1"))

    ends.revoke = meanwhile
    sluice.allow("C2")
    sluice.client.zrem(sluice.keys.due, f"patch:{CONNECTION}")
    found = sluice.stores.ledger.get(made[0])
    assert found is not None
    assert sluice.stores.ledger.runs.begin(found) == "cancelled"
    assert out(sluice) == set()
    assert len(made) == 1


def test_an_attempt_that_begins_while_its_channel_goes_is_closed_as_well(core: Core) -> None:
    """It draws an epoch, and the list's change is built anew."""
    sluice, ends = core.sluice, core.sluice.stores.allowlists._run_ends
    name, revoke = run_of(sluice, "C1"), ends.revoke
    found = sluice.stores.ledger.get(name)
    assert found is not None

    def meanwhile(*args: Any) -> None:
        revoke(*args)
        sluice.stores.ledger.runs.begin(found)

    ends.revoke = meanwhile
    sluice.allow("C2")
    ended = sluice.stores.ledger.get(name)
    assert ended is not None
    assert (ended.state, ended.attempt) == ("cancelled", 1)
    assert out(sluice) == set()


def test_what_was_read_of_a_channels_threads_and_a_sweep_that_waits_go_with_it(core: Core) -> None:
    sluice, keys = core.sluice, core.sluice.keys
    name = run_of(sluice, "C1", "C2")
    sluice.client.hset(keys.run(name), mapping={"state": "held", "held:C1": 1, "held:C2": 1})
    sluice.client.sadd(keys.sweeps, name)
    sluice.client.zadd(keys.moved(CONNECTION), {"C1|1.1": 1, "C2|1.1": 1})
    core.allow("C2")
    assert sluice.client.zrange(keys.moved(CONNECTION), 0, -1) == [b"C2|1.1"]
    assert not sluice.client.hexists(keys.run(name), "held:C1")
    assert sluice.client.smembers(keys.sweeps) == {name.encode()}
    core.allow()
    assert sluice.client.smembers(keys.sweeps) == set()


# A connection ends.


def test_a_disconnect_leaves_no_run_no_fact_and_no_item_behind(core: Core) -> None:
    sluice, keys = core.sluice, core.sluice.keys
    names = [run_of(sluice, "C1"), run_of(sluice, "C2")]
    sluice.stores.sync_statuses.tell(CONNECTION)
    for name in names:
        found = sluice.stores.ledger.get(name)
        assert found is not None
        sluice.stores.ledger.runs.begin(found)
        sluice.client.hset(keys.facts(name, 1), "a fact", "")
        sluice.client.sadd(keys.touched, name)
    sluice.stores.schedule.backoff(keys, "trigger", names[0], None)
    receipt = core.call("DELETE", AT).json()["receipt"]
    sluice.drain()
    left = {key.decode() for key in sluice.client.scan_iter()}
    assert not [key for key in left if any(name in key for name in names)]
    assert {item.decode() for item in sluice.client.zrange(keys.due, 0, -1)} == {
        f"status:{CONNECTION}",
        f"removal:{receipt}",
    }
    assert not {keys.runs(CONNECTION), keys.coverage(CONNECTION), keys.flights, keys.touched, keys.tries} & left
    assert looked(core, receipt) == "emptying", "the mesh is to be told that nothing is pulled any more"
    sluice.stores.sync_statuses.tell(CONNECTION)
    sluice.drain()
    assert completed(core, receipt) == ["rewriting", "complete"]


def test_a_run_that_is_asked_for_at_this_very_moment_goes_as_well(core: Core) -> None:
    """What reads before that run is there must not commit after it."""
    sluice, ends = core.sluice, core.sluice.disconnect._run_ends
    forget, asked = ends.forget, iter([True])

    def meanwhile(*args: Any) -> None:
        forget(*args)
        if next(asked, False):
            run_of(sluice, "C1")

    ends.forget = meanwhile
    sluice.disconnect(CONNECTION, by="test")
    assert not [key for key in sluice.client.scan_iter() if b":run:" in key]
    assert out(sluice) == set()


def test_the_receipt_of_a_disconnect_counts_callbacks_and_letters_and_an_erasure_has_one_too(core: Core) -> None:
    sluice = core.sluice
    sluice.receive(history(said(BAD, "U1")), history(said(BAD, "U2")))
    sluice.drain()
    person = core.call("DELETE", f"{AT}/people/U1").json()["receipt"]
    assert went(core) == 1
    assert completed(core, person)[-1] == "complete"
    assert shown(core, person)["removal"].items() >= {"kind": "person", "dead_letters": 1, "waiting": None}.items()
    core.drains = False
    sluice.receive(page("C1", GOOD))
    receipt = core.call("DELETE", AT).json()["receipt"]
    sluice.stores.sync_statuses.tell(CONNECTION)
    sluice.drain()
    assert went(core) == 1
    assert completed(core, receipt)[-1] == "complete"
    assert shown(core, receipt)["removal"].items() >= {"waiting": 1, "dead_letters": 1}.items()
    other = sluice.receive  # what comes after a new registration is nobody's but its own
    sluice.register()
    sluice.allow("C1")
    other(history(said(BAD, "U2")))
    sluice.drain()
    assert went(core) == 0


# The append-only file.


@pytest.fixture
def alone() -> Iterator[tuple[Core, EmbeddedServer]]:
    """A Sluice whose server nobody else rewrites."""
    with EmbeddedServer(durable=True) as server:
        sluice = Sluice(server.url)
        core = Core(sluice).connected()
        core.allow("C1")
        sluice.drain()
        try:
            yield core, server
        finally:
            sluice.close()


def on_disk(server: EmbeddedServer, sealed: bytes) -> bool:
    """Whether the server's files hold any of these bytes. It packs what it writes anew: a piece of twelve bytes that
    nothing repeats is somewhere as it is.
    """
    pieces = [sealed[i : i + 12] for i in range(0, len(sealed) - 12, 2)]
    files = [path.read_bytes() for path in Path(server.directory).rglob("*") if path.is_file()]
    return any(piece in file for piece in pieces for file in files)


def gone_from_disk(server: EmbeddedServer, sealed: bytes) -> bool:
    """The server unlinks the old file in a thread of its own."""
    return any(not on_disk(server, sealed) for _ in range(1000))


def test_what_was_deleted_is_out_of_the_append_only_file_when_the_receipt_says_complete(
    alone: tuple[Core, EmbeddedServer],
) -> None:
    core, server = alone
    core.drains = False
    core.sluice.receive(page("C1", GOOD))
    [(_, entry)] = core.sluice.client.xrange(core.sluice.keys.stream(CONNECTION))
    sealed = entry[b"p"]
    receipt = core.call("DELETE", AT).json()["receipt"]
    core.sluice.drain()
    core.sluice.stores.sync_statuses.tell(CONNECTION)
    core.sluice.drain()
    went(core)
    assert shown(core, receipt)["state"] == "delivered", "the fences wait for nothing"
    assert on_disk(server, sealed)
    assert shown(core, receipt)["removal"]["state"] != "complete"
    assert completed(core, receipt) == ["rewriting", "complete"]
    assert gone_from_disk(server, sealed)


def test_a_dead_letter_that_went_leaves_no_bytes_beside_one_that_stays(alone: tuple[Core, EmbeddedServer]) -> None:
    """The server only marks what is deleted from a stream, as long as something beside it is there."""
    core, server = alone
    client, keys = core.sluice.client, core.sluice.keys
    core.allow("C1", "C2")
    for channel in ("C2", "C1", "C2"):
        core.sluice.receive(page(channel) | {"messages": [said(BAD, "U1")]})
        core.sluice.drain()
    before = client.xrange(keys.dead)
    sealed, kept = before[1][1][b"p"], before[2][1][b"p"]
    receipt = core.allow("C2").json()["receipt"]
    assert went(core) == 1
    assert client.xrange(keys.dead) == [before[0], before[2]]
    assert not dead_letters.deleted_remain(client, keys)
    assert completed(core, receipt)[-1] == "complete"
    assert gone_from_disk(server, sealed)
    assert on_disk(server, kept)


def test_letters_that_come_and_go_while_they_are_written_anew_are_neither_lost_nor_kept(core: Core) -> None:
    client, keys = core.sluice.client, core.sluice.keys

    def bury(number: int) -> bytes:
        changes, letter = Changes(), dead_letters.DeadLetter(f"{number:034x}", CONNECTION, "no_ts", number)
        dead_letters.bury(changes, keys, core.sluice.vault, letter, b"{}")
        changes.commit(client)
        return bytes(client.xrevrange(keys.dead, count=1)[0][0])

    ids = [bury(number) for number in range(120)]
    client.xdel(keys.dead, ids[3], ids[119])
    assert dead_letters.deleted_remain(client, keys)
    assert not dead_letters.compact(client, keys, 1)
    ids.append(bury(120))
    client.xdel(keys.dead, ids[1])
    assert not dead_letters.compact(client, keys, 2), "one that is copied was deleted: it begins anew"
    assert dead_letters.compact(client, keys, 3)
    assert dead_letters.compact(client, keys, 1), "there is nothing to do"
    stay = [one for number, one in enumerate(ids) if number not in (1, 3, 119)]
    assert [one for one, _ in client.xrange(keys.dead)] == stay
    assert client.xinfo_stream(keys.dead)["last-generated-id"] == ids[-1]
    assert client.exists(f"{keys.dead}:copy") == 0
    client.xdel(keys.dead, *stay)
    assert dead_letters.compact(client, keys, 1)
    assert bury(121) > ids[-1]


def test_a_stream_that_was_seen_empty_since_need_not_be_again(core: Core) -> None:
    """What was settled lies on in the server as long as something beside it waits."""
    sluice = core.sluice
    core.drains = False
    receipt = core.allow("C2").json()["receipt"]
    sluice.drain()
    sluice.register(OTHER)
    assert went(core) == 0
    sluice.receive(page("C2", GOOD) | {"connection": OTHER})
    assert looked(core, receipt) == "emptying", "its registration and a page of another connection wait"
    sluice.drain()
    sluice.receive(page("C2", GOOD))
    assert looked(core, receipt) != "emptying", "the one that is full now was empty before"


def test_letters_that_come_later_keep_no_removal_from_its_end(core: Core) -> None:
    """Others of the shard have theirs, all the time: only those of before have to be looked through."""
    sluice = core.sluice
    sluice.receive(history(said(BAD, "U1")))
    sluice.drain()
    receipt = core.allow("C2").json()["receipt"]
    assert looked(core, receipt) == "emptying"
    sluice.receive(page("C2") | {"messages": [said(BAD, "U1")]})
    sluice.drain()
    assert went(core) == 1
    later = Changes()
    letter = dead_letters.DeadLetter("00" * 17, CONNECTION, "no_ts", 1, generation=1)
    dead_letters.bury(later, sluice.keys, sluice.vault, letter, b"{}")
    later.commit(sluice.client)
    assert letters(core) == [("C2", "message"), (None, None)]
    assert looked(core, receipt) == "rewriting"


def test_one_rewrite_serves_all_that_wait_and_the_next_ones_wait_for_theirs(core: Core) -> None:
    sluice = core.sluice

    def rewrites() -> int:
        return int(sluice.client.info("persistence")["aof_rewrites"])

    before = rewrites()
    receipts = [core.allow("C2").json()["receipt"], core.call("DELETE", f"{AT}/people/U1").json()["receipt"]]
    sluice.client.hset(REWRITE, mapping={"at": sluice.stores.now_us(), "server": "gone", "rewrites": 0})
    minute = 60_000_000
    assert [looked(core, one, minute) for one in receipts] == ["rewriting"] * 2
    assert rewrites() == before, "one was asked for within the minute"
    sluice.client.delete(REWRITE)
    assert [completed(core, one, minute)[-1] for one in receipts] == ["complete"] * 2
    assert rewrites() == before + 1
    later = core.call("DELETE", f"{AT}/people/U2").json()["receipt"]
    assert looked(core, later, minute) == "rewriting"
    assert rewrites() == before + 1


def test_a_rewrite_that_the_server_forgot_in_a_crash_is_asked_for_again(alone: tuple[Core, EmbeddedServer]) -> None:
    core, server = alone
    receipt = core.allow().json()["receipt"]
    assert looked(core, receipt) == "rewriting"
    core.sluice.client.hset(REWRITE, "server", "another run")
    assert completed(core, receipt)[-1] == "complete"
    asked = core.sluice.client.hget(REWRITE, "server")
    assert asked == core.sluice.client.info("server")["run_id"].encode()
    assert server.pid is not None


@pytest.mark.parametrize("denied", ["bgrewriteaof", "info"])
def test_a_server_that_does_not_let_itself_be_asked_is_said_so(core: Core, denied: str) -> None:
    sluice = core.sluice
    sluice.client.execute_command("ACL", "SETUSER", "low", "on", ">pw", "~*", "+@all", f"-{denied}")
    low = connect(sluice.url.replace("redis://", "redis://low:pw@"))
    try:
        receipt = core.allow("C2").json()["receipt"]
        assert Removals(low, SHARDS, sluice.vault).look(receipt) == "emptied"
    finally:
        low.close()
        sluice.client.execute_command("ACL", "DELUSER", "low")
    removal = shown(core, receipt)["removal"]
    assert (removal["state"], removal["rewritten_at"], removal["not_rewritten"]) == ("emptied", None, "denied")
    assert sluice.client.zscore(sluice.keys.due, f"removal:{receipt}") is None


class Says:
    """A client whose server answers so when it is asked to rewrite."""

    def __init__(self, client: redis.Redis, said: str) -> None:
        self._client, self._said = client, said

    def execute_command(self, *command: Any) -> Any:
        if command[0] == "BGREWRITEAOF":
            raise redis.ResponseError(self._said)
        return self._client.execute_command(*command)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("Background append only file rewriting already in progress", False),
        ("Can't execute an AOF background rewriting. Please check the server logs for more information.", False),
        ("NOPERM User low has no permissions to run the 'bgrewriteaof' command", "denied"),
        ("unknown command 'BGREWRITEAOF', with args beginning with: ", "denied"),
    ],
)
def test_a_server_that_cannot_for_now_has_not_refused(core: Core, said: str, *, means: bool | str) -> None:
    client = core.sluice.client
    asking = Rewriting(Says(client, said), every_us=60_000_000)  # type: ignore[arg-type]
    assert asking.since(1) == means
    assert client.exists(REWRITE) == (means is False), "who is refused forgets that it asked"


def test_a_store_that_keeps_no_such_file_is_said_so() -> None:
    with EmbeddedServer(durable=False) as server:
        sluice = Sluice(server.url)
        core = Core(sluice).connected()
        core.allow("C1")
        receipt = core.allow().json()["receipt"]
        assert looked(core, receipt) == "emptied"
        removal = shown(core, receipt)["removal"]
        assert (removal["state"], removal["not_rewritten"]) == ("emptied", "no_append_only_file")
        sluice.close()


def test_a_removal_is_looked_at_by_the_schedule_and_a_receipt_of_something_else_has_none(core: Core) -> None:
    [other] = core.sluice.receive(page("C1", GOOD))
    core.sluice.drain()
    assert shown(core, other)["removal"] is None
    receipt = core.allow("C2").json()["receipt"]
    assert ("removal", receipt) in core.sluice.stores.schedule.lease(core.sluice.keys)
    core.sluice.client.delete(core.sluice.keys.removal(receipt))
    assert looked(core, receipt) == "unknown"
    assert core.sluice.client.zscore(core.sluice.keys.due, f"removal:{receipt}") is None

"""Appends that leave together share a round trip and nothing else: not their replies, not their fate."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from sluice import CONNECTION, ORG, SHARDS, Sluice

from cli.embedded import EmbeddedServer
from pipeline.errors import Unavailable
from pipeline.store.client import connect_async
from pipeline.store.entries import open_entry, read_header
from pipeline.store.errors import BacklogFull, NotRegistered
from pipeline.store.intake import Intake

Append = Callable[..., Awaitable[str]]


@asynccontextmanager
async def desk(sluice: Sluice, *, backlog_limit: int = 10_000) -> AsyncIterator[Append]:
    """An intake in the running loop; appends a payload as a message outside a run unless told otherwise."""
    client = connect_async(sluice.url)
    intake = Intake(client, SHARDS, sluice.vault, backlog_limit=backlog_limit, ring=sluice.rung.append)

    async def append(payload: str, *, connection: str = CONNECTION, generation: int | None = 1) -> str:
        run = {"generation": generation, "run": None, "attempt": None, "epoch": None}
        return await intake.append(kind="messages", connection=connection, payload=payload.encode(), **run)

    try:
        yield append
    finally:
        await intake.close()
        await client.aclose()


def kept(sluice: Sluice, connection: str = CONNECTION) -> dict[str, str]:
    """Receipt → payload of what waits."""
    found = {}
    for _, fields in sluice.client.xrange(sluice.keys.stream(connection)):
        header = read_header(fields[b"h"])
        found[header.receipt] = open_entry(sluice.vault, header, fields[b"h"], fields[b"p"]).decode()
    return found


def in_a_desk(sluice: Sluice, work: Callable[[Append], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        async with desk(sluice, **options) as append:
            return await work(append)

    return asyncio.run(run())


@pytest.fixture
def ready(sluice: Sluice) -> Sluice:
    sluice.register()
    sluice.drain()
    return sluice


@pytest.fixture
def fragile() -> Iterator[tuple[Sluice, EmbeddedServer]]:
    """A registered connection on a server that the test may stop."""
    with EmbeddedServer(durable=True) as server:
        sluice = Sluice(server.url)
        sluice.register()
        sluice.drain()
        try:
            yield sluice, server
        finally:
            sluice.close()


def test_appends_of_one_turn_share_a_round_trip_and_each_gets_its_own_receipt(ready: Sluice) -> None:
    async def work(append: Append) -> tuple[dict[str, str], int]:
        await append("first, to connect")
        before = ready.client.info("stats")["total_reads_processed"]
        names = [f"payload {number}" for number in range(200)]
        receipts = await asyncio.gather(*map(append, names))
        return dict(zip(receipts, names, strict=True)), ready.client.info("stats")["total_reads_processed"] - before

    sent, reads = in_a_desk(ready, work)
    assert reads < 40, "the server read far fewer times than there were callbacks"
    assert len(sent) == 200
    assert {receipt: text for receipt, text in kept(ready).items() if receipt in sent} == sent


def test_neighbours_in_a_pipeline_hear_each_what_concerns_them(ready: Sluice) -> None:
    async def work(append: Append) -> list[Any]:
        calls = [append("good"), append("nobody", connection=f"nobody/{ORG}"), append("late", generation=None)]
        return await asyncio.gather(*calls, return_exceptions=True)

    good, nobody, late = in_a_desk(ready, work)
    assert isinstance(nobody, NotRegistered)
    assert kept(ready) == {good: "good", late: "late"}


def test_an_append_that_the_store_refuses_hurts_only_itself(ready: Sluice) -> None:
    broken = f"broken/{ORG}"
    ready.register(broken)
    ready.client.set(ready.keys.stream(broken), "no stream")

    async def work(append: Append) -> list[Any]:
        calls = [append("one"), append("bad", connection=broken), append("two")]
        return await asyncio.gather(*calls, return_exceptions=True)

    one, bad, two = in_a_desk(ready, work)
    assert isinstance(bad, redis.ResponseError), "a bug is loud"
    assert kept(ready) == {one: "one", two: "two"}


def test_a_full_store_refuses_with_unavailable_and_takes_again_when_it_has_room(ready: Sluice) -> None:
    async def work(append: Append) -> list[Any]:
        ready.client.config_set("maxmemory", 1)
        refused = await asyncio.gather(append("a"), append("b", generation=None), return_exceptions=True)
        ready.client.config_set("maxmemory", 0)
        return [*refused, await append("c")]

    first, second, receipt = in_a_desk(ready, work)
    assert isinstance(first, Unavailable)
    assert isinstance(second, Unavailable)
    assert first.retry_after is not None
    assert kept(ready) == {receipt: "c"}, "refused as a whole: no receipt, no ready mark, no entry"
    assert ready.client.hlen(ready.keys.receipts) == 2, "the registration's and the last one's"


def test_a_waiter_that_leaves_harms_nobody_and_its_reply_goes_to_nobody_else(ready: Sluice) -> None:
    async def work(append: Append) -> tuple[dict[str, str], str]:
        await append("first, to connect")
        ready.client.execute_command("CLIENT", "PAUSE", 300, "WRITE")
        tasks = {name: asyncio.create_task(append(name)) for name in ("a", "b", "c", "d")}
        await asyncio.sleep(0)
        tasks["a"].cancel()  # before it left
        await asyncio.sleep(0.1)
        tasks["c"].cancel()  # while it is on the wire
        answers = await asyncio.gather(*tasks.values(), return_exceptions=True)
        assert [type(answer) for answer in answers[::2]] == [asyncio.CancelledError] * 2
        receipts = {answer: name for name, answer in zip(tasks, answers, strict=True) if isinstance(answer, str)}
        return receipts, await append("next")

    receipts, following = in_a_desk(ready, work)
    found = kept(ready)
    assert sorted(receipts.values()) == ["b", "d"]
    assert receipts.items() <= found.items()
    assert found[following] == "next"


def test_a_killed_flusher_is_replaced_by_the_next_append(ready: Sluice) -> None:
    async def work(append: Append) -> str:
        await append("one")
        [flusher] = [task for task in asyncio.all_tasks() if task.get_name() == "intake-flusher"]
        flusher.cancel()
        await asyncio.sleep(0)
        return await append("two")

    receipt = in_a_desk(ready, work)
    assert kept(ready)[receipt] == "two"


def test_a_server_that_forgot_the_script_is_given_it_and_nothing_is_written_twice(ready: Sluice) -> None:
    async def work(append: Append) -> list[str]:
        first = await append("one")
        ready.client.script_flush()
        return [first, *await asyncio.gather(append("two"), append("three"))]

    receipts = in_a_desk(ready, work)
    assert list(kept(ready)) == receipts


def test_a_callback_sealed_for_an_older_generation_is_sealed_anew(ready: Sluice) -> None:
    async def work(append: Append) -> tuple[str, str, str]:
        old = await append("old", generation=None)
        ready.disconnect(CONNECTION, by="test")
        ready.register()
        return old, await append("new", generation=None), await append("late", generation=1)

    old, new, late = in_a_desk(ready, work)
    generations = [read_header(fields[b"h"]) for _, fields in ready.client.xrange(ready.keys.stream(CONNECTION))]
    assert {h.receipt: h.generation for h in generations} == {old: 1, new: 2, late: 1}, "a token's own stays"
    assert kept(ready)[new] == "new"


def test_a_backlog_over_its_limit_is_refused_and_says_when_to_come_back(ready: Sluice) -> None:
    async def work(append: Append) -> list[Any]:
        return await asyncio.gather(*(append(str(number)) for number in range(5)), return_exceptions=True)

    answers = in_a_desk(ready, work, backlog_limit=3)
    assert [type(answer) for answer in answers] == [str, str, str, BacklogFull, BacklogFull]
    assert answers[3].retry_after > 0


def test_a_fresh_process_takes_a_burst(ready: Sluice) -> None:
    """A client's pool ends at 100 connections: a burst must not need one a callback."""

    async def work(append: Append) -> list[Any]:
        burst = (append(str(number), generation=None) for number in range(300))
        return await asyncio.gather(*burst, return_exceptions=True)

    assert {type(answer) for answer in in_a_desk(ready, work)} == {str}


# The bell.


def test_a_burst_rings_once(ready: Sluice) -> None:
    ready.rung.clear()

    async def work(append: Append) -> None:
        await asyncio.gather(*(append(str(number)) for number in range(20)))
        await append("later")

    in_a_desk(ready, work)
    assert ready.rung == [ready.keys.shard]
    assert ready.client.get(ready.keys.state) == b"rung"
    assert 0 < ready.client.pttl(ready.keys.state) <= 3000


@pytest.mark.parametrize("state", ["rung", "draining:somebody"])
def test_a_shard_that_is_not_idle_is_not_rung(ready: Sluice, state: str) -> None:
    ready.client.set(ready.keys.state, state)
    in_a_desk(ready, lambda append: append("x"))
    assert ready.rung == []
    assert ready.client.get(ready.keys.state) == state.encode()


def test_an_append_to_a_parked_connection_neither_rings_nor_unparks(ready: Sluice) -> None:
    in_an_hour = (time.time_ns() // 1000) + 3_600_000_000
    ready.client.zadd(ready.keys.ready, {CONNECTION: in_an_hour})
    in_a_desk(ready, lambda append: append("x"))
    assert ready.rung == []
    assert ready.client.exists(ready.keys.state) == 0
    assert ready.client.zscore(ready.keys.ready, CONNECTION) == in_an_hour


# A store that goes away.


def test_a_store_that_dies_is_unavailable_for_all_and_serves_all_when_it_is_back(
    fragile: tuple[Sluice, EmbeddedServer],
) -> None:
    sluice, server = fragile

    async def work(append: Append) -> tuple[list[Any], dict[str, str]]:
        await append("before")
        server.kill()
        calls = [append("a"), append("b"), append("c", generation=None)]
        refused = await asyncio.gather(*calls, return_exceptions=True)
        server.start()
        names = ["d", "e"]
        return refused, dict(zip(await asyncio.gather(*map(append, names)), names, strict=True))

    refused, back = in_a_desk(sluice, work)
    assert [type(answer) for answer in refused] == [Unavailable] * 3
    assert sorted(kept(sluice).values()) == ["before", "d", "e"]
    assert back.items() <= kept(sluice).items()


def test_a_frozen_store_is_unavailable_within_two_seconds_and_no_late_reply_goes_astray(
    fragile: tuple[Sluice, EmbeddedServer],
) -> None:
    sluice, server = fragile

    async def work(append: Append) -> tuple[list[Any], float, dict[str, str]]:
        await append("before")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)
        began = time.monotonic()
        try:
            # One that leaves at once, and one that is still waiting for its turn when the first gives up.
            first = asyncio.create_task(append("a"))
            await asyncio.sleep(0.2)
            calls = [first, append("b"), append("c", generation=None)]
            refused = await asyncio.gather(*calls, return_exceptions=True)
            waited = time.monotonic() - began
        finally:
            os.kill(server.pid, signal.SIGCONT)
        names = ["d", "e", "f"]
        return refused, waited, dict(zip(await asyncio.gather(*map(append, names)), names, strict=True))

    refused, waited, back = in_a_desk(sluice, work)
    assert [type(answer) for answer in refused] == [Unavailable] * 3
    assert waited < 3.0
    assert back.items() <= kept(sluice).items()

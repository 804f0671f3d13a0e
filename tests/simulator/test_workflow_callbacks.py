"""Connect and trigger: what is posted, how it is retried, and what the outside ledger keeps."""

import asyncio
import time
from collections import Counter
from itertools import pairwise

import httpx
import pytest

from simulator.callbacks import RETRY_SECONDS
from tests.simulator.conftest import ROB


def chain_is_whole(pages) -> bool:
    """From "" to the end, each next cursor the cursor of another page, whatever their order."""
    by_cursor = {page["cursor"]: page for page in pages}
    cursor, seen = "", 0
    while cursor in by_cursor:
        page, seen = by_cursor[cursor], seen + 1
        assert page["has_more"] == bool(page["next_cursor"])
        cursor = page["next_cursor"]
        if not cursor:
            return seen == len(pages)
    return False


def test_connecting_posts_the_directory_once_page_by_page(bench):
    async def story():
        async with bench(channels=9, page_limit=4) as b:
            first = await b.connect()
            await b.idle()
            again = await b.connect()
            await b.idle()
            assert (first["new"], again["new"], first["channels"]) == (True, False, again["channels"])
            channels, users = b.pages("channels"), b.pages("users")
            assert chain_is_whole(channels)
            assert chain_is_whole(users)
            assert sorted(c["id"] for page in channels for c in page["channels"]) == first["channels"]
            assert len({page["run_id"] for page in channels}) == 1
            assert {page["run_id"] for page in channels}.isdisjoint(page["run_id"] for page in users)
            assert {page["connection"] for page in channels + users} == {ROB}
            assert {r.headers["authorization"] for r, _ in b.posted} == {"Bearer shared"}

    asyncio.run(story())


def test_a_trigger_brings_every_message_of_its_channels_and_of_no_other(bench):
    async def story():
        async with bench(channels=5, messages=600, page_limit=15, seed=3) as b:
            ids = (await b.connect())["channels"][::2]
            await b.trigger(ids)
            status = await b.idle()
            workspaces = (await b.get("/_sim/workspaces"))["workspaces"]
            counts = {c["id"]: c["messages"] for c in workspaces[0]["channels"]}
            got = Counter(c for c, _ in {(p["channel"], m["ts"]) for p in b.pages("messages") for m in p["messages"]})
            assert got == {channel: counts[channel] for channel in ids}
            lanes = {(p["channel"], p["thread_ts"]) for p in b.pages("messages")}
            for lane in lanes:
                assert chain_is_whole([p for p in b.pages("messages") if (p["channel"], p["thread_ts"]) == lane])
            assert status["callbacks"]["accepted"] == len(b.posted)

    asyncio.run(story())


def test_every_parent_with_replies_gets_a_lane_of_its_own_unless_not_wanted(bench):
    async def story():
        async with bench(channels=1, messages=200) as b:
            ids = (await b.connect())["channels"]
            await b.trigger(ids)
            await b.idle()
            pages = b.pages("messages")
            history = [m for p in pages if not p["thread_ts"] for m in p["messages"]]
            parents = {m["ts"] for m in history if m.get("reply_count")}
            assert parents
            assert parents == {p["thread_ts"] for p in pages if p["thread_ts"]}
            b.posted.clear()
            await b.trigger(ids, replies=False)
            await b.idle()
            assert {p["thread_ts"] for p in b.pages("messages")} == {""}
            b.posted.clear()
            one = min(parents)
            await b.trigger(ids, thread_ts=one)
            await b.idle()
            assert {p["thread_ts"] for p in b.pages("messages")} == {one}

    asyncio.run(story())


def test_a_window_brings_only_what_lies_in_it(bench):
    async def story():
        async with bench(channels=1, messages=100) as b:
            ids = (await b.connect())["channels"]
            await b.trigger(ids, replies=False)
            await b.idle()
            times = sorted(m["ts"] for p in b.pages("messages") for m in p["messages"])
            b.posted.clear()
            await b.trigger(ids, oldest=times[10], latest=times[20], replies=False)
            await b.idle()
            assert sorted(m["ts"] for p in b.pages("messages") for m in p["messages"]) == times[10:21]

    asyncio.run(story())


def test_an_unknown_channel_is_posted_as_slacks_refusal_and_stops_no_other(bench):
    async def story():
        async with bench(channels=2, messages=20) as b:
            ids = (await b.connect())["channels"]
            await b.trigger(["C0000000000", ids[0]])
            await b.idle()
            refused = [p for p in b.pages("messages") if p["channel"] == "C0000000000"]
            assert [(p["ok"], p["error"], p["messages"]) for p in refused] == [(False, "channel_not_found", [])]
            assert any(p["channel"] == ids[0] and p["messages"] for p in b.pages("messages"))

    asyncio.run(story())


@pytest.mark.parametrize("trouble", [503, 429, 500, "connect"])
def test_a_callback_is_retried_on_paragons_schedule_and_then_lost(bench, trouble):
    async def story():
        async with bench(channels=1, messages=3, webhooks="", retry_scale=0.001) as b:
            times: list[float] = []

            def failing(request: httpx.Request) -> httpx.Response:
                times.append(time.monotonic())
                if trouble == "connect":
                    raise httpx.ConnectError("refused")
                return httpx.Response(int(trouble), headers={"Retry-After": "1000"})

            b.answer = failing
            await b.trigger((await b.connect())["channels"], replies=False)
            callbacks = (await b.idle())["callbacks"]
            assert (callbacks["lost"], callbacks["retried"], callbacks["attempts"]) == (1, 5, 6)
            waits = [later - earlier for earlier, later in pairwise(times)]
            assert all(wait >= seconds * 0.001 for wait, seconds in zip(waits, RETRY_SECONDS, strict=True))
            assert (await b.get("/_sim/ledger"))["entries"] == []

    asyncio.run(story())


def test_a_callback_that_comes_through_at_last_is_accepted_once(bench):
    async def story():
        async with bench(channels=1, messages=3, webhooks="") as b:
            answers = iter([503, 503, 202])
            b.answer = lambda request: httpx.Response(next(answers), json={"receipt": "ab"})
            await b.trigger((await b.connect())["channels"], replies=False)
            callbacks = (await b.idle())["callbacks"]
            assert (callbacks["accepted"], callbacks["lost"], callbacks["retried"]) == (1, 0, 2)
            assert [e["receipt"] for e in (await b.get("/_sim/ledger"))["entries"]] == ["ab"]

    asyncio.run(story())


def test_a_refused_callback_is_not_repeated(bench):
    async def story():
        async with bench(channels=1, messages=3, webhooks="") as b:
            b.answer = lambda request: httpx.Response(401)
            await b.trigger((await b.connect())["channels"], replies=False)
            callbacks = (await b.idle())["callbacks"]
            assert (callbacks["refused"], callbacks["attempts"]) == (1, 1)

    asyncio.run(story())


def test_the_ledger_holds_ids_and_revisions_of_what_was_accepted_and_no_content(bench):
    async def story():
        async with bench(channels=2, messages=120, page_limit=20) as b:
            await b.trigger((await b.connect())["channels"])
            await b.idle()
            ledger, after = [], 0
            while True:
                page = await b.get("/_sim/ledger", after=after, limit=7)
                ledger += page["entries"]
                after = page["next"]
                if not page["more"]:
                    break
            assert [line["seq"] for line in ledger] == list(range(1, len(b.posted) + 1))
            messages = [line for line in ledger if line["kind"] == "messages"]
            assert {(line["run_id"], line["attempt"], line["epoch"]) for line in messages} == {
                ("run-1", 1, 1764000000000000)
            }
            posted = {m["ts"]: m for p in b.pages("messages") for m in p["messages"]}
            recorded = {ts: revision for line in messages for ts, revision in line["records"]}
            assert recorded.keys() == posted.keys()
            for ts, message in posted.items():
                at = message.get("edited", {}).get("ts", ts)
                assert recorded[ts] == at.replace(".", "")
            directory = [line for line in ledger if line["kind"] == "users"]
            assert {line["epoch"] for line in directory} == {None}
            expected = [[u["id"], str(u.get("updated", 0))] for p in b.pages("users") for u in p["members"]]
            assert [record for line in directory for record in line["records"]] == expected
            assert "canary" not in str(ledger)

    asyncio.run(story())


def test_duplicates_come_when_the_seed_says_so(bench):
    async def story():
        async with bench(channels=1, messages=60, page_limit=5, duplicate_rate=1.0, webhooks="") as b:
            await b.trigger((await b.connect())["channels"], replies=False)
            await b.idle()
            times = Counter(p["cursor"] for p in b.pages("messages"))
            assert set(times.values()) == {2}
            assert len((await b.get("/_sim/ledger"))["entries"]) == len(b.posted)

    asyncio.run(story())


def test_callbacks_are_on_the_wire_together_but_never_more_than_the_plan_allows(bench):
    async def story():
        async with bench(channels=3, messages=300, page_limit=5, concurrency=4, webhooks="") as b:
            await b.http.post("/_sim/slow", json={"seconds": 0.02})
            most = 0
            await b.trigger((await b.connect())["channels"])
            while not (status := await b.get("/_sim/status"))["idle"]:
                most = max(most, status["callbacks"]["in_flight"])
                await asyncio.sleep(0.005)
            assert most == 4

    asyncio.run(story())


def test_slow_holds_pages_back_and_zero_lets_them_go(bench):
    async def story():
        async with bench(channels=1, messages=40, page_limit=5, webhooks="") as b:
            await b.http.post("/_sim/slow", json={"seconds": 60})
            await b.trigger((await b.connect())["channels"])
            await asyncio.sleep(0.1)
            assert b.posted == []
            assert (await b.get("/_sim/status"))["idle"] is False
            await b.http.post("/_sim/slow", json={"seconds": 0})
            await b.idle()
            assert b.posted
            assert (await b.http.post("/_sim/slow", json={"seconds": -1})).status_code == 400

    asyncio.run(story())


def test_messages_can_be_written_edited_and_deleted_live(bench):
    async def story():
        async with bench(channels=1, messages=5) as b:
            channel = (await b.connect())["channels"][0]
            place = {"connection": ROB, "channel": channel}
            root = (
                await b.http.post("/_sim/messages", json={**place, "text": "root", "ts": "1700000000.000100"})
            ).json()
            reply = await b.http.post("/_sim/messages", json={**place, "text": "late reply", "thread_ts": root["ts"]})
            assert reply.status_code == 201
            await b.http.post("/_sim/messages/edit", json={**place, "ts": root["ts"], "text": "better"})
            thread = (await b.slack("conversations.replies", channel=channel, ts=root["ts"]))["messages"]
            assert [m["ts"] for m in thread] == [root["ts"], reply.json()["ts"]]
            assert (thread[0]["reply_count"], thread[0]["text"].split()[0], "edited" in thread[0]) == (
                1,
                "better",
                True,
            )
            await b.http.post("/_sim/messages/delete", json={**place, "ts": reply.json()["ts"]})
            await b.http.post("/_sim/messages/delete", json={**place, "ts": root["ts"]})
            history = (await b.slack("conversations.history", channel=channel))["messages"]
            assert root["ts"] not in {m["ts"] for m in history}
            gone = await b.http.post("/_sim/messages/delete", json={**place, "ts": root["ts"]})
            assert (gone.status_code, gone.json()) == (404, {"error": "message_not_found"})
            assert (await b.http.post("/_sim/messages", json={**place, "text": 1})).status_code == 400

    asyncio.run(story())


def test_a_user_goes_to_the_workspace_with_the_fewest_or_to_the_one_named(bench):
    async def story():
        async with bench(connections=2, messages=2, channels=1) as b:
            at = [(await b.connect(f"u{n}/org"))["workspace"] for n in range(3)]
            assert at == [0, 1, 0]
            assert (await b.connect("u9/org", workspace=1))["workspace"] == 1
            response = await b.http.post("/_sim/connect", json={"connection": "x/org", "workspace": 2})
            assert response.status_code == 400
            assert (await b.get("/_sim/workspaces"))["workspaces"][1]["connections"] == ["u1/org", "u9/org"]

    asyncio.run(story())

"""Slack's limits on a clock of our own, and pages that are short or empty and go on all the same."""

import asyncio

import pytest

from simulator.slack.api import SlackApi
from simulator.slack.channel import Channel
from simulator.slack.rates import RateLimits
from simulator.slack.shortening import Shortening
from simulator.slack.workspace import Workspace

HISTORY = "conversations.history"


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_fifty_a_sliding_minute_and_the_wait_is_until_the_first_is_a_minute_old(clock):
    limits = RateLimits(clock=clock)
    for _ in range(50):
        assert limits.take("T1", HISTORY, "standard") is None
        clock.now += 0.5
    assert limits.take("T1", HISTORY, "standard") == pytest.approx(35)
    clock.now += 35
    assert limits.take("T1", HISTORY, "standard") is None
    assert limits.take("T1", HISTORY, "standard") == pytest.approx(0.5)


def test_teams_and_methods_have_limits_of_their_own_and_lists_have_twenty(clock):
    limits = RateLimits(clock=clock)
    assert [limits.take("T1", "users.list", "standard") for _ in range(20)] == [None] * 20
    assert limits.take("T1", "users.list", "standard") == 60
    assert limits.take("T1", "conversations.list", "standard") is None
    assert limits.take("T2", "users.list", "standard") is None
    assert limits.take("T1", "auth.test", "standard") is None


def test_the_restricted_regime_lets_one_reading_a_minute_through_and_lists_as_before(clock):
    limits = RateLimits(0.01, clock)
    assert limits.take("T1", HISTORY, "restricted") is None
    assert limits.take("T1", HISTORY, "restricted") == pytest.approx(0.6)
    assert limits.take("T1", "conversations.replies", "restricted") is None
    assert [limits.take("T1", "users.list", "restricted") for _ in range(20)] == [None] * 20
    clock.now += 0.6
    assert limits.take("T1", HISTORY, "restricted") is None


def test_nothing_is_limited_where_the_regime_is_free_but_a_burst_closes_a_method(clock):
    limits = RateLimits(clock=clock)
    assert [limits.take("T1", HISTORY, "free") for _ in range(200)] == [None] * 200
    limits.close("T1", HISTORY, 0.5)
    assert limits.take("T1", HISTORY, "free") == 30
    clock.now += 30
    assert limits.take("T1", HISTORY, "free") is None


def full(messages: int) -> Workspace:
    channel = Channel({"id": "C1", "name": "general"})
    for number in range(messages):
        channel.add({"type": "message", "user": "U1", "text": "said", "ts": f"{1_700_000_000 + number}.000100"})
    for number in range(30):
        ts = f"{1_700_001_000 + number}.000100"
        channel.add({"type": "message", "user": "U1", "text": "r", "ts": ts, "thread_ts": "1700000000.000100"})
    channel.count_replies(1_700_000_000_000_100)
    return Workspace("T1", "Team", [{"id": "U1", "name": "u"}], {"C1": channel})


def pages(workspace: Workspace, seed: int, method: str, **args: str) -> list[list[str]]:
    api = SlackApi(lambda token: workspace, 999, shortening=Shortening(seed, 0.3))
    found, cursor, asked = [], "", set()
    while True:
        page = api.call(method, "t", {"channel": "C1", "limit": "10", **args, "cursor": cursor})
        found.append([message["ts"] for message in page["messages"]])
        cursor = page.get("response_metadata", {}).get("next_cursor", "")
        assert bool(cursor) is page["has_more"]
        if not cursor:
            return found
        assert cursor not in asked, "a cursor leads on"
        asked.add(cursor)


@pytest.mark.parametrize("seed", range(8))
def test_short_and_empty_pages_lead_to_every_message_once_in_its_order(seed):
    workspace = full(200)
    found = pages(workspace, seed, HISTORY)
    shown = [ts for page in found for ts in page]
    assert shown == sorted((m["ts"] for m in workspace.channels["C1"].messages.values() if "1700000" in m["ts"]),
                           reverse=True)  # fmt: skip
    assert [] in found
    assert any(0 < len(page) < 10 for page in found[:-1])
    thread = [ts for page in pages(workspace, seed, "conversations.replies", ts="1700000000.000100") for ts in page]
    assert len(thread) == len(set(thread)) == 31


def test_a_workflow_that_knows_of_the_restricted_regime_gets_everything_one_call_after_the_other(bench):
    async def story():
        async with bench(channels=2, messages=60, regime="restricted", time_scale=0.0001, retry_scale=0.0) as b:
            ids = (await b.connect())["channels"]
            await b.idle()
            await b.trigger(ids)
            await b.idle()
            posted = b.pages("messages")
            assert max(len(page["messages"]) for page in posted) <= 15
            assert not any("error" in page for page in posted)
            shown = {(page["channel"], m["ts"]) for page in posted for m in page["messages"]}
            return len(shown), (await b.get("/_sim/workspaces"))["workspaces"][0]["messages"]

    got, there = asyncio.run(story())
    assert got == there

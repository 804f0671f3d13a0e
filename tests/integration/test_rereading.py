"""Old windows are read again: edits win, what is gone goes, late replies come, and a cut reading empties nothing."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pulls_world import Pulls
from slack_played import Channel, delivered, pages, settle, tomorrow, yesterday
from sluice import CONNECTION, now_us

from pipeline.store import counters


def only(pulls: Pulls, kind: str) -> str:
    """The newest open run of a kind, planned for tomorrow where there is none."""
    pulls.plan(at=tomorrow())
    runs = [run for run in pulls.stores.ledger.runs.listing(CONNECTION) if run.kind == kind and run.open]
    return max(runs, key=lambda run: run.latest).id


@pytest.fixture
def channel(pulls: Pulls) -> Channel:
    """A channel that was read, with ten messages of yesterday and a thread."""
    made = Channel("C1")
    for second in range(10):
        made.post(yesterday(second))
    made.post(yesterday(100), thread=yesterday(0))
    made.post(yesterday(-40 * 86400))
    settle(pulls, made)
    assert delivered(pulls, "C1") == made.truth()
    return made


def test_a_channel_is_read_to_its_beginning_newest_first_and_then_no_more(pulls: Pulls, channel: Channel) -> None:
    shown = pulls.shown("C1")
    assert (shown["tail"], "back" in shown, "run" in shown) == (0, False, False)
    runs = [run for run in pulls.stores.ledger.runs.listing(CONNECTION) if run.kind in ("live", "back")]
    ends = sorted((run.oldest, run.latest) for run in runs)
    assert [latest for _, latest in ends[:-1]] == [oldest for oldest, _ in ends[1:]]
    assert len(ends) > 3
    assert settle(pulls, channel) == []


def test_an_edit_and_a_deletion_of_yesterday_are_found_in_the_night(pulls: Pulls, channel: Channel) -> None:
    channel.edit(yesterday(3), "better", yesterday(200))
    channel.delete(yesterday(4))
    kinds = settle(pulls, channel, at=tomorrow())
    assert "reread" in kinds
    assert delivered(pulls, "C1") == channel.truth()
    assert settle(pulls, channel, at=tomorrow()) == [], "once a night"


def test_a_day_that_reads_the_same_costs_no_fence(pulls: Pulls, channel: Channel) -> None:
    before = counters.totals(pulls.client, pulls.stores.shards).get("reread.fences", 0)
    assert "reread" in settle(pulls, channel, at=tomorrow())
    assert counters.totals(pulls.client, pulls.stores.shards).get("reread.fences", 0) == before


def test_late_replies_to_an_old_thread_and_deleted_ones_are_found(pulls: Pulls, channel: Channel) -> None:
    channel.post(yesterday(300), "late", thread=yesterday(0))
    channel.post(yesterday(301), "first of its thread", thread=yesterday(5))
    channel.delete(yesterday(100))
    kinds = settle(pulls, channel, at=tomorrow())
    assert kinds.count("thread") == 2
    assert delivered(pulls, "C1") == channel.truth()


def test_a_parent_that_is_gone_takes_its_thread_with_it(pulls: Pulls, channel: Channel) -> None:
    del channel.messages[yesterday(100)], channel.messages[yesterday(0)]
    settle(pulls, channel, at=tomorrow())
    assert delivered(pulls, "C1") == channel.truth()


def test_a_reading_that_lacks_more_than_a_fifth_waits_for_an_operator(pulls: Pulls, channel: Channel) -> None:
    for second in range(2, 10):
        channel.delete(yesterday(second))
    settle(pulls, channel, at=tomorrow())
    assert len(delivered(pulls, "C1")) == 12, "nothing is gone yet"
    [held] = [run for run in pulls.stores.ledger.runs.listing(CONNECTION) if run.state == "held"]
    assert pulls.stores.ledger.rereads.release(held.id, by="operator")
    pulls.drain()
    assert delivered(pulls, "C1") == channel.truth()
    assert not pulls.stores.ledger.rereads.release(held.id, by="operator")
    assert pulls.get(held.id).state == "covered"


def test_what_waits_for_an_operator_is_answered_by_a_reading_that_shows_everything_again(
    pulls: Pulls, channel: Channel
) -> None:
    whole = dict(channel.messages)
    for second in range(2, 10):
        channel.delete(yesterday(second))
    settle(pulls, channel, at=tomorrow())
    channel.messages = whole
    settle(pulls, channel, at=tomorrow(2))
    assert pulls.client.scard(pulls.keys.sweeps) == 0
    assert delivered(pulls, "C1") == channel.truth()


@pytest.mark.parametrize("flaw", [{"is_limited": True}, {"dead": True}])
def test_a_reading_that_is_not_whole_takes_nothing_away(pulls: Pulls, channel: Channel, flaw: dict[str, bool]) -> None:
    before = delivered(pulls, "C1")
    channel.delete(yesterday(4))
    name = only(pulls, "live")
    pulls.answer(attempt := pulls.ask(name), *pages(channel, attempt))
    name = only(pulls, "reread")
    attempt = pulls.ask(name)
    made = pages(channel, attempt)
    if "dead" in flaw:
        made[-1]["messages"].append({"type": "message", "text": "no identity"})
    pulls.answer(attempt, *(one | flaw for one in made))
    pulls.looked(at=now_us() + 1_000_000)
    assert pulls.get(name).state == "covered"
    assert delivered(pulls, "C1") == before
    assert counters.totals(pulls.client, pulls.stores.shards)["reread.unsound"] == 1


def test_a_reading_under_two_credentials_takes_nothing_away(pulls: Pulls, channel: Channel) -> None:
    before = delivered(pulls, "C1")
    channel.delete(yesterday(4))
    pulls.answer(attempt := pulls.ask(only(pulls, "live")), *pages(channel, attempt))
    pulls.looked(at=now_us() - 10_000_000)
    name = only(pulls, "reread")
    pulls.answer(attempt := pulls.ask(name), *pages(channel, attempt))
    assert pulls.get(name).state == "requested", "it is judged once Paragon was asked after its last page"
    pulls.looked(credential="cred-2", at=now_us() + 1_000_000)
    assert pulls.get(name).state == "covered"
    assert delivered(pulls, "C1") == before


def test_somebody_can_have_everything_read_again_with_every_thread(pulls: Pulls, channel: Channel) -> None:
    old = yesterday(-40 * 86400)
    channel.edit(old, "edited long ago", yesterday(1))
    channel.edit(yesterday(100), "an edited reply", yesterday(200))
    for second in range(2, 10):
        channel.delete(yesterday(second))
    assert pulls.stores.ledger.rereads.again(CONNECTION, ["C1"], 0, by="operator") == ["C1"]
    assert "reread" in settle(pulls, channel)
    assert delivered(pulls, "C1") == channel.truth()
    assert settle(pulls, channel) == []


def test_a_channel_that_is_revoked_and_allowed_again_is_read_from_the_start(pulls: Pulls, channel: Channel) -> None:
    pulls.allow()
    pulls.drain()
    assert delivered(pulls, "C1") == {}
    assert pulls.client.keys("*threads:*") == []
    pulls.allow("C1")
    pulls.drain()
    pulls.patched()
    assert "back" in settle(pulls, channel)
    assert delivered(pulls, "C1") == channel.truth()


SECONDS = st.integers(0, 30)
ACTS = st.lists(
    st.tuples(st.sampled_from(["post", "edit", "delete", "reply", "loud", "night"]), SECONDS, SECONDS), max_size=25
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTS)
def test_whatever_happens_in_slack_after_a_whole_reading_the_mesh_shows_the_same(
    store: str, acts: list[tuple[str, int, int]]
) -> None:
    made = Pulls(store)
    try:
        _live(made, acts)
    finally:
        made.close()


def _live(pulls: Pulls, acts: list[tuple[str, int, int]]) -> None:
    pulls.client.flushall()
    pulls.register()
    pulls.allow("C1")
    pulls.drain()
    pulls.patched()
    pulls.looked()
    channel = Channel("C1")
    for second in range(5):
        channel.post(yesterday(second))
    settle(pulls, channel)
    nights = 0
    for number, (act, first, second) in enumerate(acts):
        _act(channel, act, yesterday(first), yesterday(100 + second), yesterday(1000 + number))
        if act == "night":
            nights += 1
            settle(pulls, channel, at=tomorrow(nights))
    pulls.stores.ledger.rereads.again(CONNECTION, ["C1"], 0, by="operator")
    settle(pulls, channel, at=tomorrow(nights))
    assert delivered(pulls, "C1") == channel.truth()
    assert {run.state for run in pulls.stores.ledger.runs.listing(CONNECTION)} <= {"covered", "held"}


def _act(channel: Channel, act: str, ts: str, reply: str, at: str) -> None:
    there = ts in channel.messages
    match act:
        case "post" if not there:
            channel.post(ts)
        case "edit" if there and channel.messages[ts].get("subtype") != "tombstone":
            channel.edit(ts, f"edited {at}", at)
        case "delete" if there:
            channel.delete(ts)
        case "reply" | "loud" if there and reply not in channel.messages:
            channel.post(reply, thread=ts, broadcast=act == "loud")

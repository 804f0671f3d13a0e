"""Slack's pages: every message once, within the bounds, newest first."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.slack.api import SlackApi
from simulator.slack.channel import Channel
from simulator.slack.paging import SlackError, bounds, decode_cursor, encode_cursor, limit_of, micros, stamp
from simulator.slack.workspace import Workspace

BASE = 1_700_000_000_000_000
TIMES = st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True)


def workspace_of(times: list[int], replies: int = 0) -> Workspace:
    """One channel C1; the earliest message gets the replies, all later than the history."""
    channel = Channel({"id": "C1", "name": "one"})
    for at in times:
        channel.add({"ts": stamp(BASE + at), "text": "x", "user": "U1"})
    parent = stamp(BASE + min(times))
    for at in range(replies):
        channel.add({"ts": stamp(BASE + 1000 + at), "text": "r", "user": "U2", "thread_ts": parent})
    if replies:
        channel.count_replies(BASE + min(times))
    return Workspace("T1", "one", [{"id": "U1"}], {"C1": channel})


def flat(pages: list[list[str]]) -> list[str]:
    return list(chain.from_iterable(pages))


def follow(workspace: Workspace, method: str, page_limit: int = 999, **args: str) -> list[list[str]]:
    api = SlackApi(lambda token: workspace, page_limit)
    pages, cursor = [], ""
    while True:
        page = api.call(method, "token", {"channel": "C1", **args, **({"cursor": cursor} if cursor else {})})
        assert page["ok"], page
        pages.append([message["ts"] for message in page["messages"]])
        cursor = page.get("response_metadata", {}).get("next_cursor", "")
        assert page["has_more"] == bool(cursor)
        if not cursor:
            return pages


@given(TIMES, st.integers(1, 10), st.integers(1, 10))
def test_following_the_cursors_gives_each_message_once_and_the_newest_first(times, limit, cap):
    pages = follow(workspace_of(times), "conversations.history", cap, limit=str(limit))
    assert flat(pages) == [stamp(BASE + at) for at in sorted(times, reverse=True)]
    assert all(len(page) <= min(limit, cap) for page in pages)


@given(TIMES, st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_bounds_are_exclusive_unless_inclusive(times, oldest, latest, inclusive):
    args = {"oldest": stamp(BASE + oldest), "latest": stamp(BASE + latest), "inclusive": str(inclusive).lower()}
    found = flat(follow(workspace_of(times), "conversations.history", 3, **args))
    expected = [t for t in times if (oldest <= t <= latest if inclusive else oldest < t < latest)]
    assert found == [stamp(BASE + at) for at in sorted(expected, reverse=True)]


def test_inclusive_without_a_bound_says_nothing():
    assert bounds("", "", inclusive=True) == bounds("", "", inclusive=False)


@given(st.integers(1, 30), st.integers(1, 8))
def test_replies_come_oldest_first_after_their_parent_each_once(replies, limit):
    pages = follow(workspace_of([5, 3], replies), "conversations.replies", ts=stamp(BASE + 3), limit=str(limit))
    assert flat(pages) == [stamp(BASE + 3), *(stamp(BASE + 1000 + at) for at in range(replies))]
    assert all(len(page) <= limit for page in pages)


def test_replies_are_not_in_history_but_broadcasts_are():
    workspace = workspace_of([1, 2], replies=2)
    channel = workspace.channel("C1")
    broadcast = {"ts": stamp(BASE + 2000), "thread_ts": stamp(BASE + 1), "subtype": "thread_broadcast", "text": "b"}
    channel.add(broadcast)
    assert flat(follow(workspace, "conversations.history")) == [stamp(BASE + at) for at in (2000, 2, 1)]
    assert len(flat(follow(workspace, "conversations.replies", ts=stamp(BASE + 1)))) == 4


def test_a_message_that_arrives_between_two_pages_moves_nothing():
    workspace = workspace_of([1, 2, 3, 4])
    api = SlackApi(lambda token: workspace, 2)
    first = api.call("conversations.history", "t", {"channel": "C1"})
    workspace.channel("C1").add({"ts": stamp(BASE + 50), "text": "late"})
    workspace.channel("C1").remove(stamp(BASE + 2))
    cursor = first["response_metadata"]["next_cursor"]
    second = api.call("conversations.history", "t", {"channel": "C1", "cursor": cursor})
    assert [m["ts"] for m in second["messages"]] == [stamp(BASE + 1)]
    assert second["has_more"] is False


def test_a_parent_shows_its_thread_and_a_deleted_one_leaves_a_tombstone():
    channel = workspace_of([1], replies=3).channel("C1")
    parent = channel.take(stamp(BASE + 1))
    assert (parent["reply_count"], parent["latest_reply"], parent["thread_ts"]) == (
        3,
        stamp(BASE + 1002),
        stamp(BASE + 1),
    )
    channel.remove(stamp(BASE + 1002))
    assert parent["reply_count"] == 2
    channel.remove(stamp(BASE + 1))
    grave = channel.take(stamp(BASE + 1))
    assert (grave["subtype"], grave["reply_count"]) == ("tombstone", 2)
    for at in (1000, 1001):
        channel.remove(stamp(BASE + at))
    assert "reply_count" not in channel.take(stamp(BASE + 1))


@given(st.integers(0, 9_999_999_999_999_999))
def test_a_time_stamp_survives_the_way_there_and_back(us):
    assert micros(stamp(us)) == us


@pytest.mark.parametrize("ts", ["", ".", "1.2.3", "-1.0", "1e9", "1.1234567", "12345678901.0", "١.٢", "nan", " 1.0"])
def test_what_is_no_time_stamp_is_refused(ts):
    with pytest.raises(SlackError):
        micros(ts)


def test_slack_says_its_errors_with_ok_false():
    workspace = workspace_of([1])
    api = SlackApi(lambda token: workspace if token == "good" else None, 999)
    cases = {
        "not_authed": ("auth.test", "", {}),
        "invalid_auth": ("auth.test", "bad", {}),
        "unknown_method": ("chat.nothing", "good", {}),
        "channel_not_found": ("conversations.history", "good", {"channel": "C9"}),
        "thread_not_found": ("conversations.replies", "good", {"channel": "C1", "ts": "1.0"}),
        "invalid_cursor": ("conversations.history", "good", {"channel": "C1", "cursor": "%%%"}),
        "invalid_limit": ("conversations.history", "good", {"channel": "C1", "limit": "0"}),
        "invalid_ts_oldest": ("conversations.history", "good", {"channel": "C1", "oldest": "then"}),
        "invalid_ts_latest": ("conversations.history", "good", {"channel": "C1", "latest": "now"}),
    }
    for error, (method, token, args) in cases.items():
        assert api.call(method, token, args) == {"ok": False, "error": error}
    crossed = {"channel": "C1", "cursor": encode_cursor("user", "U1")}
    assert api.call("conversations.history", "good", crossed)["error"] == "invalid_cursor"


def test_a_limit_over_the_cap_is_cut_and_none_is_the_default():
    assert (limit_of("5000", 100, 999), limit_of("", 100, 999), limit_of("", 100, 15)) == (999, 100, 15)


def test_cursors_are_slacks_own():
    assert encode_cursor("next_ts", "1512085861000543") == "bmV4dF90czoxNTEyMDg1ODYxMDAwNTQz"
    assert decode_cursor("user", "dXNlcjpVMDYxTkZUVDI=") == "U061NFTT2"

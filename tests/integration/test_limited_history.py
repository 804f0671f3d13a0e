"""Slack's plan may hide old messages: what is hidden is marked, and the mark goes when it is shown."""

import pytest
from pulls_world import Pulls, page
from slack_played import Channel, delivered, settle, yesterday
from sluice import CONNECTION, TEAM

from pipeline.rules.windows import HOUR_US
from pipeline.store import counters

USER = "rob@example.com"


def last_error(pulls: Pulls) -> str | None:
    pulls.stores.sync_statuses.tell(CONNECTION)
    pulls.drain()
    told: str | None = pulls.live("sync_status")[f"{TEAM}:C1:{USER}"]["last_error"]
    return told


@pytest.fixture
def hidden(pulls: Pulls) -> str:
    """A run whose page told that Slack hides what is older."""
    [name] = pulls.plan()
    pulls.answer(pulls.ask(name), page("C1", yesterday(0), is_limited=True))
    return name


def test_a_window_that_slack_shows_only_in_part_is_covered_and_does_not_pass_for_whole(
    pulls: Pulls, hidden: str
) -> None:
    run = pulls.get(hidden)
    assert (run.state, run.reason) == ("covered", "limited"), "Slack shows no more of it, however often it is asked"
    assert pulls.shown("C1")["limited"] == run.latest
    assert last_error(pulls) == "limited"


def test_a_later_window_that_hides_nothing_leaves_the_mark_of_the_older_one(pulls: Pulls, hidden: str) -> None:
    latest = pulls.get(hidden).latest
    [run] = [one for one in pulls.planned(at=latest + HOUR_US) if one.kind == "live"]
    pulls.answer(pulls.ask(run.id), page("C1"))
    assert pulls.head("C1") == run.latest
    assert (pulls.get(run.id).reason, pulls.shown("C1")["limited"]) == (None, latest)


def test_the_mark_goes_when_all_was_read_again_and_nothing_was_hidden(pulls: Pulls, hidden: str) -> None:
    channel = Channel("C1")
    for days in (0, 20, 60, 200):
        channel.post(yesterday(-days * 86400))
    settle(pulls, channel)
    assert "limited" in pulls.shown("C1"), "that older windows are whole says nothing of it"
    assert set(delivered(pulls, "C1")) < set(channel.truth())
    pulls.stores.ledger.rereads.again(CONNECTION, ["C1"], 0, by="operator")
    settle(pulls, channel)
    assert "limited" not in pulls.shown("C1")
    assert delivered(pulls, "C1") == channel.truth()
    assert last_error(pulls) is None
    assert "reread.unsound" not in counters.totals(pulls.client, pulls.stores.shards)


def test_who_revokes_the_channel_forgets_the_mark(pulls: Pulls, hidden: str) -> None:
    pulls.allow()
    pulls.drain()
    pulls.allow("C1")
    pulls.drain()
    assert "limited" not in pulls.shown("C1")

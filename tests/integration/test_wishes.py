"""What somebody wants read again whole: whatever none of its readings shows goes, in whatever thread."""

import pytest
from pulls_world import Pulls
from slack_played import TODAY, Channel, delivered, pages, settle, yesterday
from sluice import CONNECTION, now_us

from pipeline.rules.windows import DAY_US


@pytest.fixture
def channel(pulls: Pulls) -> Channel:
    """A channel that was read, with a thread that began weeks ago and had a reply yesterday."""
    made = Channel("C1")
    made.post(OLD)
    made.post(REPLY, thread=OLD)
    settle(pulls, made)
    assert delivered(pulls, "C1") == made.truth()
    return made


def want(pulls: Pulls, since: int = 0) -> None:
    """In pieces of ten days to begin with."""
    pulls.client.hset(pulls.keys.coverage(CONNECTION), "C1|step", 10 * DAY_US)
    assert pulls.stores.ledger.rereads.again(CONNECTION, ["C1"], since, by="operator") == ["C1"]
    assert pulls.shown("C1")["again"] == pulls.head("C1")


OLD, REPLY = yesterday(-39 * 86400), yesterday(40)


@pytest.mark.parametrize("parent", ["stays", "goes"])
def test_an_old_thread_that_nobody_remembers_goes_when_it_is_shown_no_more(
    pulls: Pulls, channel: Channel, parent: str
) -> None:
    del channel.messages[REPLY]
    if parent == "goes":
        del channel.messages[OLD]
    want(pulls)
    settle(pulls, channel)
    pulls.drain()
    assert delivered(pulls, "C1") == channel.truth()
    assert "again" not in pulls.shown("C1")


def test_what_went_on_in_a_thread_after_its_piece_was_read_is_there_all_the_time(
    pulls: Pulls, channel: Channel
) -> None:
    want(pulls)
    kinds, listing = [], pulls.stores.ledger.runs.listing
    while pulls.plan(at=TODAY) or any(run.open for run in listing(CONNECTION)):
        run = min((one for one in listing(CONNECTION) if one.open), key=lambda one: one.kind == "thread")
        pulls.answer(attempt := pulls.ask(run.id), *pages(channel, attempt))
        pulls.looked(at=now_us() + 1_000_000)
        kinds.append(run.kind)
        assert delivered(pulls, "C1") == channel.truth()
    assert kinds.index("thread") == len(kinds) - 1, "the last of all"
    pulls.drain()
    assert delivered(pulls, "C1") == channel.truth()
    assert "again" not in pulls.shown("C1")


def test_a_thread_that_was_read_before_the_wish_is_read_for_it_too(pulls: Pulls, channel: Channel) -> None:
    pulls.client.zadd(pulls.keys.moved(CONNECTION), {f"C1|{OLD}": 1})
    thread = pulls.ask(*pulls.plan(at=TODAY))
    assert thread.run.kind == "thread"
    want(pulls)
    [piece] = pulls.plan(at=TODAY)
    pulls.answer(attempt := pulls.ask(piece), *pages(channel, attempt))
    pulls.looked(at=now_us() + 1_000_000)
    while (names := pulls.plan(at=TODAY)) and pulls.get(names[0]).kind == "reread":
        pulls.answer(attempt := pulls.ask(names[0]), *pages(channel, attempt))
        pulls.looked(at=now_us() + 1_000_000)
    pulls.answer(thread, *pages(channel, thread))
    pulls.looked(at=now_us() + 1_000_000)
    assert settle(pulls, channel) == ["thread"]
    pulls.drain()
    assert delivered(pulls, "C1") == channel.truth()


@pytest.mark.parametrize(("since", "limited"), [(0, True), (TODAY - 20 * DAY_US, False)], ids=["unsound", "later"])
def test_a_reading_that_is_not_sound_or_not_from_the_beginning_ends_no_thread_that_it_did_not_see(
    pulls: Pulls, channel: Channel, since: int, *, limited: bool
) -> None:
    del channel.messages[REPLY]
    want(pulls, since)
    first = True
    while names := pulls.plan(at=TODAY):
        for name in names:
            made = pages(channel, attempt := pulls.ask(name))
            pulls.answer(attempt, *(one | {"is_limited": limited and first} for one in made))
            pulls.looked(at=now_us() + 1_000_000)
            first = False
    pulls.drain()
    assert REPLY in delivered(pulls, "C1")
    assert "again" not in pulls.shown("C1")


def test_a_thread_that_slack_cut_short_leaves_what_was_not_seen_where_it_is(pulls: Pulls, channel: Channel) -> None:
    want(pulls)
    listing = pulls.stores.ledger.runs.listing
    while pulls.plan(at=TODAY) or any(run.open for run in listing(CONNECTION)):
        open_ = [run for run in listing(CONNECTION) if run.open]
        attempt = pulls.ask(min(open_, key=lambda one: one.kind == "thread").id)
        made = pages(channel, attempt)
        if attempt.run.kind == "thread":
            made = [one | {"messages": one["messages"][:1], "is_limited": True} for one in made]
        pulls.answer(attempt, *made)
        pulls.looked(at=now_us() + 1_000_000)
    pulls.drain()
    assert delivered(pulls, "C1") == channel.truth()
    assert "again" not in pulls.shown("C1")


def test_nothing_ends_before_the_last_of_several_threads_is_read(pulls: Pulls, channel: Channel) -> None:
    channel.post(other := yesterday(-38 * 86400))
    channel.post(yesterday(41), thread=other)
    want(pulls)
    settle(pulls, channel)
    want(pulls)
    listing, kinds = pulls.stores.ledger.runs.listing, []
    while pulls.plan(at=TODAY) or any(run.open for run in listing(CONNECTION)):
        pulls.drain()
        assert delivered(pulls, "C1") == channel.truth()
        run = min((one for one in listing(CONNECTION) if one.open), key=lambda one: one.kind == "thread")
        pulls.answer(attempt := pulls.ask(run.id), *pages(channel, attempt))
        pulls.looked(at=now_us() + 1_000_000)
        kinds.append(run.kind)
    assert kinds[-2:] == ["thread", "thread"]


def test_a_newer_wish_is_not_answered_by_a_reading_of_the_one_before(pulls: Pulls, channel: Channel) -> None:
    want(pulls)
    [first] = pulls.plan(at=TODAY)
    attempt = pulls.ask(first)
    made = pages(channel, attempt)
    channel.post(new := yesterday(80000))
    [live] = pulls.plan(at=TODAY + DAY_US)
    pulls.answer(later := pulls.ask(live), *pages(channel, later))
    want(pulls)
    pulls.answer(attempt, *made)
    pulls.looked(at=now_us() + 1_000_000)
    assert pulls.shown("C1")["again"] == pulls.head("C1"), "still all of it"
    del channel.messages[new]
    settle(pulls, channel, at=TODAY + DAY_US)
    pulls.drain()
    assert delivered(pulls, "C1") == channel.truth()

"""A channel that is not what was allowed any more: paused with the page that tells it, read after a yes."""

import dataclasses
import json
from collections.abc import Iterator

import pytest
from channel_world import FIRST, OTHER, SECOND, THIRD, Channels, directory, raw
from sluice import CONNECTION, ORG, SHARDS, TEAM, page

from pipeline.errors import Rejected
from pipeline.store import dead_letters
from pipeline.store.allowlists import DirectMessagesError
from pipeline.store.channel_answers import CannotResumeError
from pipeline.store.events import Events
from pipeline.store.runs import Attempt

SHARED = raw("C1", is_ext_shared=True)


@pytest.fixture
def world(store: str) -> Iterator[Channels]:
    made = Channels(store).begin()
    made.allow("C1", "C2")
    made.drain()
    yield made
    made.close()


def notes(world: Channels, event: str) -> list[dict[str, object]]:
    rows = [json.loads(row[b"e"]) for _, row in world.client.xrange(world.keys.audit)]
    return [row for row in rows if row["event"] == event]


# The pause.


def test_a_channel_that_gets_shared_is_paused_and_nothing_of_it_passes_while_the_others_go_on(world: Channels) -> None:
    world.read("C1", FIRST)
    receipt = world.show(SHARED, raw("C2"))
    assert world.paused() == {"C1": ["shared_externally"]}
    assert world.dropped(receipt) == {"channel_paused.allowed_slack_channel": 1}
    assert world.dropped(world.read("C1", SECOND)) == {"channel_paused.message": 1}
    world.read("C2", SECOND)
    assert sorted(world.live()) == [f"{TEAM}:C1:{FIRST}", f"{TEAM}:C2:{SECOND}"], "what was delivered stays"
    assert world.live("allowed_slack_channel")[f"{TEAM}:C1"]["is_ext_shared"] is False
    assert dead_letters.count(world.client, SHARDS) == 0


def test_messages_of_the_batch_that_shows_the_sharing_do_not_pass_either(world: Channels) -> None:
    world.receive(page("C1", FIRST), directory(SHARED), page("C1", SECOND), page("C2", FIRST))
    world.drain()
    assert list(world.live()) == [f"{TEAM}:C2:{FIRST}"]


def test_a_channel_that_is_on_no_list_is_not_paused_and_its_sharing_is_known_when_it_is_allowed(
    world: Channels,
) -> None:
    world.show(raw("C3", is_ext_shared=True))
    assert world.paused() == {}
    world.allow("C1", "C2", "C3")
    world.show(raw("C3", is_ext_shared=True))
    world.read("C3", FIRST)
    assert (world.paused(), len(world.live())) == ({}, 1)


def test_sharing_within_the_company_pauses_nothing(world: Channels) -> None:
    world.show(raw("C1", is_shared=True, is_org_shared=True), raw("C2", is_pending_ext_shared=True))
    assert world.paused() == {}


def test_an_archived_channel_is_read_as_any_other(world: Channels) -> None:
    world.show(raw("C1", is_archived=True))
    [name] = world.plan()
    attempt = world.begin_run(name)
    assert isinstance(attempt, Attempt)
    assert attempt.channels == ["C1", "C2"]
    world.answer(attempt, page("C1", FIRST), page("C2", FIRST))
    assert (world.run_of(name).state, len(world.live())) == ("covered", 2)


def test_the_same_page_twice_pauses_tells_and_counts_once(world: Channels) -> None:
    world.stores = dataclasses.replace(world.stores, events=Events(world.client, SHARDS, wanted=True))
    for _ in range(2):
        world.show(SHARED)
    world.receive(directory(SHARED), directory(SHARED) | {"connection": OTHER})
    world.drain()
    assert world.client.hget(world.keys.counters, "paused.shared_externally") == b"1"
    [note] = notes(world, "channel.paused")
    assert (note["connection"], note["channel"], note["reason"], note["by"]) == (
        CONNECTION,
        "C1",
        "shared_externally",
        "sluice",
    )
    [event] = [json.loads(row) for row in world.client.hvals(world.keys.events)]
    assert (event["type"], event["connection"]) == ("channel.paused", CONNECTION)
    assert json.loads(event["body"])["data"]["reason"] == "shared_externally"


def test_two_connections_that_read_the_channel_are_both_held_back_and_both_told(world: Channels) -> None:
    world.stores = dataclasses.replace(world.stores, events=Events(world.client, SHARDS, wanted=True))
    world.allow("C1", connection=OTHER)
    world.show(SHARED)
    world.receive(page("C1", FIRST) | {"connection": OTHER})
    world.drain()
    assert world.live() == {}
    told = sorted(json.loads(row)["connection"] for row in world.client.hvals(world.keys.events))
    assert told == sorted([CONNECTION, OTHER])


# The answer.


def test_a_resume_confirms_the_sharing_and_brings_the_record_and_what_comes_then(world: Channels) -> None:
    world.show(SHARED)
    assert world.resume() == ["shared_externally"]
    world.drain()
    assert world.live("allowed_slack_channel")[f"{TEAM}:C1"]["is_ext_shared"] is True
    world.read("C1", FIRST)
    for _ in range(2):
        world.show(SHARED)
    assert (world.paused(), len(world.live())) == ({}, 1), "the same evidence asks nobody twice"
    assert world.resume() == []
    [note] = notes(world, "channel.resumed")
    assert (note["by"], note["channel"], note["reasons"]) == ("test", "C1", ["shared_externally"])


def test_who_stopped_sharing_and_shares_again_is_asked_again(world: Channels) -> None:
    world.show(SHARED)
    world.resume()
    world.show(raw("C1"))
    assert world.paused() == {}
    world.show(SHARED)
    assert world.paused() == {"C1": ["shared_externally"]}


def test_a_sharing_that_ends_under_the_pause_still_waits_for_a_person(world: Channels) -> None:
    world.show(SHARED)
    world.show(raw("C1"))
    assert world.paused() == {"C1": ["shared_externally"]}
    world.resume()
    world.show(raw("C1"))
    assert world.paused() == {}


def test_a_page_that_was_judged_before_the_answer_does_not_pause_again_after_it(world: Channels) -> None:
    world.show(SHARED)
    pauses, judge = world.stores.channel_pauses, world.stores.channel_pauses.judge

    class Answered(type(pauses)):  # type: ignore[misc]
        """The person says yes between the look and the settle."""

        def judge(self, *args):  # type: ignore[no-untyped-def]
            found = judge(*args)
            assert found.judgement.pauses
            world.resume()
            return found

    world.stores = dataclasses.replace(world.stores, channel_pauses=Answered(world.client, SHARDS, world.vault))
    world.show(SHARED)
    assert world.paused() == {}
    assert len(notes(world, "channel.paused")) == 1


def test_a_drain_that_dies_before_its_settle_has_let_nothing_through_and_the_next_one_pauses(world: Channels) -> None:
    pauses = world.stores.channel_pauses

    class Dying(type(pauses)):  # type: ignore[misc]
        """The drain ends with the page delivered and not settled."""

        def write(self, *args):  # type: ignore[no-untyped-def]
            raise MemoryError

    world.stores = dataclasses.replace(world.stores, channel_pauses=Dying(world.client, SHARDS, world.vault))
    world.receive(directory(SHARED), page("C1", FIRST))
    with pytest.raises(MemoryError):
        world.drain()
    assert (world.paused(), world.live()) == ({}, {})
    world.stores = dataclasses.replace(world.stores, channel_pauses=pauses)
    world.drain()
    assert (world.paused(), world.live()) == ({"C1": ["shared_externally"]}, {})
    assert len(notes(world, "channel.paused")) == 1


def test_a_list_without_the_channel_retracts_it_and_ends_the_pause(world: Channels) -> None:
    world.read("C1", FIRST)
    world.show(SHARED)
    world.allow("C2")
    world.drain()
    assert (world.paused(), world.live()) == ({}, {})
    world.allow("C1", "C2")
    world.read("C1", FIRST)
    assert len(world.live()) == 1, "who allows it now knows that it is shared"
    assert world.client.hlen(world.keys.baselines(ORG)) == 2


def test_the_pause_stays_while_anybody_allows_the_channel_and_goes_with_the_last_disconnect(world: Channels) -> None:
    world.allow("C1", connection=OTHER)
    world.show(SHARED)
    world.disconnect(CONNECTION, by="test")
    assert world.paused() == {"C1": ["shared_externally"]}
    world.disconnect(OTHER, by="test")
    assert world.paused() == {}
    assert world.client.hlen(world.keys.baselines(ORG)) == 0


# Windows.


def test_a_paused_channel_is_not_asked_for_its_window_stays_open_and_a_resume_makes_it_due(world: Channels) -> None:
    [name] = world.plan()
    first = world.begin_run(name)
    assert isinstance(first, Attempt)
    world.show(SHARED)
    world.answer(first, page("C1", FIRST, SECOND), page("C2", FIRST))
    assert world.stores.ledger.coverage(CONNECTION)["C1"].get("head") is None, "a page that was dropped proves nothing"
    assert world.begin_run(name) == "paused"
    run = world.run_of(name)
    assert (run.state, run.reason, run.attempt) == ("blocked", "channel_paused", 1)
    made = [world.run_of(one) for one in world.plan()]
    assert [(run.kind, run.channels) for run in made] == [("live", ["C2"]), ("back", ["C2"])]
    world.resume()
    assert world.client.zscore(world.keys.due, f"trigger:{name}") <= world.client.time()[0] * 1e6 + 1e6
    again = world.stores.ledger.runs.begin(world.run_of(name))
    assert isinstance(again, Attempt)
    assert again.channels == ["C1"]
    world.answer(again, page("C1", FIRST, SECOND, THIRD))
    assert sorted(world.live()) == [*(f"{TEAM}:C1:{ts}" for ts in (FIRST, SECOND, THIRD)), f"{TEAM}:C2:{FIRST}"]
    assert world.run_of(name).state == "covered"


def test_a_resume_makes_the_windows_of_every_connection_due(world: Channels) -> None:
    world.allow("C1", connection=OTHER)
    [ours], [theirs] = world.plan(), world.plan(OTHER)
    world.show(SHARED)
    assert world.begin_run(theirs) == "paused"
    world.resume()
    for name, connection in ((ours, CONNECTION), (theirs, OTHER)):
        assert world.client.zscore(world.keys.due, f"trigger:{name}") <= world.client.time()[0] * 1e6 + 1e6
        assert world.client.zscore(world.keys.due, f"plan:{connection}") <= world.client.time()[0] * 1e6 + 1e6
        assert isinstance(world.stores.ledger.runs.begin(world.run_of(name)), Attempt)


def test_a_trigger_that_is_being_posted_during_the_answer_does_not_put_the_window_off(world: Channels) -> None:
    [name] = world.plan()
    world.show(SHARED)
    attempt = world.begin_run(name)
    assert isinstance(attempt, Attempt)
    world.resume()
    world.stores.ledger.runs.asked(attempt, world.stores.now_us())
    again = world.stores.ledger.runs.begin(world.run_of(name))
    assert isinstance(again, Attempt)
    assert (again.channels, again.state) == (["C1", "C2"], "requested")


def test_a_new_attempt_leaves_out_the_paused_channel_and_asks_for_the_others(world: Channels) -> None:
    [name] = world.plan()
    world.show(SHARED)
    attempt = world.begin_run(name)
    assert isinstance(attempt, Attempt)
    assert attempt.channels == ["C2"]


def test_a_window_that_was_given_up_under_the_pause_is_asked_for_anew(world: Channels) -> None:
    [name] = world.plan()
    world.client.hset(world.keys.run(name), mapping={"state": "given_up", "attempt": 10})
    world.allow("C1")
    world.show(SHARED)
    world.patched()
    assert (world.begin_run(name), world.run_of(name).state) == ("paused", "given_up")
    world.resume()
    attempt = world.stores.ledger.runs.begin(world.run_of(name))
    assert isinstance(attempt, Attempt)
    assert (attempt.number, attempt.state) == (11, "requested")


# Another id.


def test_a_channel_that_comes_back_under_another_id_is_paused_and_only_a_new_list_answers(world: Channels) -> None:
    world.read("C1", FIRST)
    world.show(raw("C1") | {"id": "C9"}, raw("C2"))
    [pause] = world.stores.channel_pauses.of(ORG, TEAM)["C1"]
    assert (pause.reason, pause.new_id) == ("id_changed", "C9")
    with pytest.raises(CannotResumeError):
        world.resume(operator=True)
    assert world.dropped(world.read("C9", SECOND)) == {"not_allowed.message": 1}, "never followed silently"
    world.allow("C9", "C2")
    world.drain()
    world.read("C9", FIRST)
    assert (world.paused(), list(world.live())) == ({}, [f"{TEAM}:C9:{FIRST}"])


def test_a_channel_that_was_renamed_and_comes_back_under_another_id_is_paused(world: Channels) -> None:
    world.show(raw("C1") | {"id": "C9", "name": "renamed", "previous_names": ["older", "c1", 7, None]}, raw("C2"))
    assert world.paused() == {"C1": ["id_changed"]}


def test_a_notice_among_messages_pauses_is_no_dead_letter_and_its_page_passes_not(world: Channels) -> None:
    notice = {"type": "channel_id_changed", "old_channel_id": "C1", "new_channel_id": "C9", "event_ts": "9999999999.0"}
    late = page("C1", FIRST)
    late["messages"].append(notice)
    [receipt] = world.receive(late)
    world.drain()
    assert (world.paused(), world.live()) == ({"C1": ["id_changed"]}, {})
    assert world.dropped(receipt) == {"channel_paused.message": 2}
    other = page("C2", FIRST)
    other["messages"].append(notice)
    [receipt] = world.receive(other)
    world.drain()
    assert world.dropped(receipt) == {"notice.message": 1}
    assert dead_letters.count(world.client, SHARDS) == 0


# By hand.


def test_an_operators_pause_ends_by_an_operators_word_alone(world: Channels) -> None:
    assert world.answers.pause(CONNECTION, "C1", by="operator")
    assert not world.answers.pause(CONNECTION, "C1", by="operator")
    assert world.dropped(world.read("C1", FIRST)) == {"channel_paused.message": 1}
    with pytest.raises(CannotResumeError):
        world.resume()
    assert world.resume(operator=True) == ["operator"]
    world.show(SHARED)
    assert world.paused() == {"C1": ["shared_externally"]}, "an operator's resume confirmed no sharing"


def test_of_two_reasons_one_answer_ends_both_and_confirms_the_sharing(world: Channels) -> None:
    world.answers.pause(CONNECTION, "C1", by="operator")
    world.show(SHARED)
    assert world.paused() == {"C1": ["operator", "shared_externally"]}
    world.resume(operator=True)
    world.show(SHARED)
    assert world.paused() == {}


@pytest.mark.parametrize("channel", ["C9", "C1|operator", ""])
def test_a_channel_that_is_on_no_list_can_be_neither_paused_nor_resumed(world: Channels, channel: str) -> None:
    with pytest.raises(Rejected, match="not_allowed"):
        world.answers.pause(CONNECTION, channel, by="operator")
    with pytest.raises(Rejected, match="not_allowed"):
        world.resume(channel)


# Direct messages.


@pytest.mark.parametrize(
    "direct", [raw("G1", is_mpim=True), raw("D1", is_im=True), raw("C3", is_im=True)], ids=lambda one: one["id"]
)
def test_a_direct_message_is_refused_by_its_flags_whatever_its_id(world: Channels, direct: dict[str, object]) -> None:
    world.show(direct)
    with pytest.raises(DirectMessagesError) as refused:
        world.allow("C1", str(direct["id"]))
    assert refused.value.channels == [direct["id"]]
    assert world.stores.allowlists.own(CONNECTION, TEAM) == ["C1", "C2"]


def test_what_turns_out_to_be_a_direct_message_is_neither_asked_for_nor_passes(world: Channels) -> None:
    world.allow("C1", "G1")
    world.receive(page("G1", FIRST), directory(raw("G1", is_mpim=True)))
    world.drain()
    assert world.dropped(world.read("G1", FIRST)) == {"direct_message.message": 1}
    assert (world.live(), world.stores.allowlists.pullable(CONNECTION, TEAM)) == ({}, ["C1"])
    assert f"{TEAM}:G1" not in world.live("allowed_slack_channel")


def test_an_open_window_asks_for_no_direct_message_and_goes_on_where_the_setting_allows_it(world: Channels) -> None:
    world.allow("C1", "C2")
    names = world.plan()
    world.show(raw("C1"), raw("C2", is_mpim=True))
    lists = world.stores.allowlists

    def begin(name: str) -> Attempt | str:
        world.client.hset(world.keys.run(name), "ask_at", 0)
        world.client.hdel(world.keys.run(name), "progress")
        found = world.run_of(name)
        return world.stores.ledger.runs.begin(found, direct=lists.direct(CONNECTION, TEAM, found.channels))

    for name in names:
        found, asked = world.run_of(name), begin(name)
        if found.channels == ["C2"]:
            assert (asked, world.run_of(name).reason, world.run_of(name).attempt) == ("paused", "direct_message", 0)
        else:
            assert isinstance(asked, Attempt)
            assert asked.channels == ["C1"]
    lists.direct_messages = True
    attempts = [begin(name) for name in names]
    assert {one for found in attempts if isinstance(found, Attempt) for one in found.channels} == {"C1", "C2"}


def test_a_private_channel_with_an_old_id_is_no_direct_message(world: Channels) -> None:
    world.show(raw("G1", is_private=True, is_group=True))
    world.allow("G1")
    world.read("G1", FIRST)
    assert len(world.live()) == 1


def test_direct_messages_pass_where_the_setting_says_so(world: Channels) -> None:
    world.stores.allowlists.direct_messages = True
    world.show(raw("D1", is_im=True))
    world.allow("D1")
    world.read("D1", FIRST)
    assert (len(world.live()), list(world.live("allowed_slack_channel"))) == (1, [f"{TEAM}:D1"])
    world.stores.allowlists.direct_messages = False
    world.read("D1", SECOND)
    assert len(world.live()) == 1, "and not any more once it does not"

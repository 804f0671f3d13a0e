"""Events on their way: at least once, each try signed anew, and a dead receiver costs next to nothing."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis
from events_world import HOUR_US, NEW, OLD, URL, Core, Door, away, happened, status
from pydantic import SecretStr
from sluice import CONNECTION, SHARDS, Sluice, now_us
from standardwebhooks import Webhook

from pipeline.receiver import Receiver
from pipeline.rules.retries import PATIENCE, WAITS
from pipeline.store.dead_events import DeadEvents
from pipeline.store.endpoint import Endpoint
from pipeline.store.events import Events
from pipeline.store.keys import EVENTS_SENDER
from pipeline.store.scripts import Changes
from workers.telling import Telling


@pytest.fixture
def sluice(store: str) -> Iterator[Sluice]:
    made = Sluice(store, events=True)
    yield made
    made.close()


@pytest.fixture
def core(sluice: Sluice) -> Iterator[Core]:
    made = Core(sluice)
    yield made
    made.close()


def test_an_event_arrives_verified_and_is_gone(core: Core) -> None:
    name = core.append(happened(at=1764000000000000))
    assert core.tell() == {"sent": 1}
    data = {"connection": CONNECTION, "org": "end10843", "team": "T0534672TWT", "at": 1764000000000000}
    event = {"type": "connection.credential.valid", "timestamp": "2025-11-24T16:00:00.000000Z", "data": data}
    assert core.door.taken == [(name, event)]
    assert core.waiting() == []
    assert core.item() is None
    kind = "connection.credential.valid"
    assert core.counters() == {f"outgoing.written.{kind}": 1, f"outgoing.sent.{kind}": 1}


def test_events_are_sent_in_the_order_in_which_they_were_written(core: Core) -> None:
    names = [core.append() for _ in range(5)]
    assert core.tell() == {"sent": 5}
    assert core.door.ids == names


def test_without_an_address_nothing_is_written(store: str) -> None:
    silent = Sluice(store)
    changes = Changes()
    assert silent.stores.events.append(changes, silent.keys, happened()) is None
    assert changes.commands == []
    silent.close()


def test_a_change_that_is_refused_tells_nothing(core: Core) -> None:
    changes = Changes().expect("something", "GET", core.keys.state)
    assert core.stores.events.append(changes, core.keys, happened()) is not None
    assert changes.commit(core.client) == 1
    assert core.waiting() == []
    assert core.item() is None
    assert core.counters() == {}


def test_both_secrets_sign_so_that_either_one_verifies(sluice: Sluice) -> None:
    for holds in (NEW, OLD):
        core = Core(sluice, secrets=(NEW, OLD), door=Door(secret=holds))
        core.append()
        assert core.tell() == {"sent": 1}
        assert core.door.asked[0].headers["webhook-signature"].count("v1,") == 2
        core.close()


def test_a_receiver_with_another_secret_takes_nothing(sluice: Sluice) -> None:
    core = Core(sluice, door=Door(secret=OLD))
    core.append()
    with pytest.raises(Exception, match="No matching signature"):
        core.tell()
    core.close()


def test_a_crash_between_sending_and_writing_it_down_sends_it_again_under_the_same_id(core: Core) -> None:
    name = core.append()

    def crash(request: httpx.Request) -> httpx.Response:
        core.door.take(request)
        raise KeyboardInterrupt

    core.door.answers = [crash]
    with pytest.raises(KeyboardInterrupt):
        core.tell()
    assert core.waiting() == [name]
    assert core.tell() == {"sent": 1}
    assert core.door.ids == [name, name]


def test_of_a_sender_that_died_the_turn_ends_by_itself(core: Core) -> None:
    core.append()
    core.client.set(EVENTS_SENDER, "somebody", px=50)
    assert core.tell() == {"busy": 1}
    assert core.door.asked == []
    assert 0 < (core.item() or 0) < 2
    time.sleep(0.06)
    assert core.tell() == {"sent": 1}


def test_two_senders_send_nothing_twice(core: Core, sluice: Sluice) -> None:
    second = Telling(sluice.stores, core.endpoint, core.receiver)
    meanwhile: list[dict[str, int]] = []

    def also_the_second(request: httpx.Request) -> httpx.Response:
        meanwhile.append(dict(second.tell(core.keys.shard)))
        return core.door.take(request)

    name = core.append()
    core.door.answers = [also_the_second]
    core.tell()
    assert meanwhile == [{"busy": 1}]
    assert core.door.ids == [name]


def test_a_sender_that_lost_its_turn_stops(core: Core) -> None:
    core.append()
    core.append()

    def taken_away(request: httpx.Request) -> httpx.Response:
        core.client.set(EVENTS_SENDER, "another")
        return core.door.take(request)

    core.door.answers = [taken_away]
    assert core.tell() == {"sent": 1}
    assert core.client.get(EVENTS_SENDER) == b"another"
    assert len(core.waiting()) == 1


def test_what_is_written_while_others_are_sent_is_due_all_the_same(core: Core) -> None:
    core.append()

    def one_more(request: httpx.Request) -> httpx.Response:
        core.client.zadd(core.keys.due, {f"events:{core.keys.shard}": now_us() + 10 * HOUR_US})
        core.append()
        time.sleep(0.06)
        return core.door.take(request)

    core.door.answers = [one_more]
    core.telling = Telling(core.stores, core.endpoint, core.receiver, seconds=0.05)
    assert core.tell() == {"sent": 1, "more": 1}
    assert (core.item() or 1) < 0


def test_the_end_of_a_round_does_not_hide_an_event_that_came_in_between(core: Core) -> None:
    late = Changes()
    core.stores.events.append(late, core.keys, happened())

    class Meanwhile(redis.Redis):
        """An event comes between what the round's end reads and what it writes."""

        def execute_command(self, *command: Any, **options: Any) -> Any:
            if command[0] == "EVALSHA":
                late.commit(core.client)
            return super().execute_command(*command, **options)

    # The item's time lies in the past, so the new event leaves it as it is: the number of events alone tells.
    core.client.zadd(core.keys.due, {f"events:{core.keys.shard}": 1})
    with Meanwhile.from_url(core.sluice.url) as client:
        assert not Events(client, SHARDS, wanted=True).rest(core.keys, "1", 0)
    assert core.tell() == {"sent": 1}


def test_a_turn_is_short_and_lets_the_other_shards_go_first(core: Core) -> None:
    core.append()
    core.append()
    core.telling = Telling(core.stores, core.endpoint, core.receiver, seconds=-1.0)
    assert core.tell() == {"more": 1}
    assert 1 < (core.item() or 0) < 3


def test_a_receiver_that_is_away_is_asked_once_and_then_left_alone(core: Core) -> None:
    names = [core.append() for _ in range(50)]
    core.door.always = away
    assert core.tell() == {"failed": 1, "parked": 1}
    assert len(core.door.asked) == 1
    assert core.endpoint.state().reason == "unreachable"
    core.sluice.client.zadd(core.keys.due, {f"events:{core.keys.shard}": 1})
    assert core.tell() == {"parked": 1}
    assert len(core.door.asked) == 1
    assert (core.item() or 0) > 0.2
    for _ in range(12):
        core.park_over()
        assert core.tell() == {"failed": 1, "parked": 1}
    assert len(core.door.asked) == 13
    assert 140 < (core.endpoint.state().until - now_us()) / 1e6 <= 300
    core.door.always = None
    core.tell_anyway()
    assert sorted(core.door.ids) == sorted(names)
    assert core.endpoint.state().failures == 0


@pytest.mark.parametrize("code", [429, 503])
def test_a_receiver_that_says_when_is_not_asked_before(core: Core, code: int) -> None:
    name = core.append()
    core.door.answers = [status(code, Retry_After="1800")]
    assert core.tell() == {"failed": 1, "parked": 1}
    assert 1790 < (core.due(name) or 0) <= 1800
    assert 1790 < (core.item() or 0) <= 1800
    assert core.stored(name)["reason"] == f"status_{code}"


def test_an_event_that_is_refused_by_itself_holds_back_no_other(core: Core) -> None:
    first, second = core.append(), core.append()
    core.door.answers = [status(422)]
    assert core.tell() == {"failed": 1, "sent": 1}
    assert core.door.ids == [second]
    assert core.waiting() == [first]
    assert core.endpoint.state().word(now_us()) == "open"
    assert 4 < (core.item() or 0) < 6, "when it is tried again"


@pytest.mark.parametrize("code", [301, 400, 401, 404, 500])
def test_whatever_is_not_2xx_is_tried_again(core: Core, code: int) -> None:
    name = core.append()
    core.door.answers = [status(code, Location="https://elsewhere.example.com/")]
    assert core.tell()["failed"] == 1
    assert len(core.door.asked) == 1
    assert 4 < (core.due(name) or 0) < 6
    assert core.tell_anyway() == {"sent": 1}
    assert core.door.ids == [name]


def test_the_tries_follow_the_schedule_and_end_in_a_dead_letter(core: Core) -> None:
    name = core.append()
    core.door.always = status(500)
    for wait in WAITS:
        assert core.tell_anyway()["failed"] == 1
        assert wait - 1 <= (core.due(name) or 0) <= wait * 1.1
    assert core.tell_anyway()["dead"] == 1
    assert {request.headers["webhook-id"] for request in core.door.asked} == {name}
    assert len(core.door.asked) == 10
    assert (core.waiting(), core.dead()) == ([], [name])
    found = DeadEvents(core.client, SHARDS).find(name)
    assert found is not None
    assert (found.tries, found.reason) == (10, "status_500")
    kind = "connection.credential.valid"
    assert core.counters() == {
        f"outgoing.written.{kind}": 1,
        f"outgoing.failed.{kind}": 9,
        f"outgoing.dead.{kind}": 1,
    }


def test_each_try_is_signed_anew_so_that_an_old_one_cannot_be_replayed(sluice: Sluice) -> None:
    at, door = [1764000000.0], Door()
    door.always = status(500)
    receiver = Receiver(URL, [SecretStr(NEW)], transport=door, clock=lambda: at[0])
    for at[0] in (1764000000.0, 1764000300.9):
        receiver.tell("00ab", "{}")
    receiver.close()
    assert [request.headers["webhook-timestamp"] for request in door.asked] == ["1764000000", "1764000300"]
    assert door.asked[0].headers["webhook-signature"] != door.asked[1].headers["webhook-signature"]


def test_410_switches_the_address_off_until_an_operator_says_otherwise(core: Core) -> None:
    name = core.append()
    core.append()
    core.door.answers = [status(410)]
    assert core.tell() == {"disabled": 2}
    assert core.tell_anyway() == {"disabled": 1}
    assert len(core.door.asked) == 1
    assert core.endpoint.state().word(now_us()) == "disabled"
    assert core.stored(name)["tries"] == 0
    assert 3500 < (core.item() or 0) <= 3600
    assert core.endpoint.enable()
    assert core.tell_anyway() == {"sent": 2}


def test_another_address_begins_anew(core: Core) -> None:
    core.endpoint.disable("status_410")
    assert Endpoint(core.client, "https://core.example.com/other").state().word(now_us()) == "open"


def test_what_waited_three_days_at_a_dead_receiver_is_a_dead_letter_at_no_request(core: Core) -> None:
    names = [core.append() for _ in range(3)]
    core.door.always = away
    core.tell()
    [key] = [key for key in core.client.keys("sluice:events:*") if key.decode() != EVENTS_SENDER]
    long_ago = now_us() - int(PATIENCE * 1e6) - 1_000_000
    core.client.hset(key, mapping={"since": long_ago, "until": now_us() + HOUR_US})
    for name in names[:2]:
        core.client.zadd(core.keys.events_order, {name: long_ago})
    assert core.tell() == {"dead": 2, "parked": 1}
    assert len(core.door.asked) == 1
    assert sorted(core.dead()) == sorted(names[:2])
    assert core.waiting() == names[2:]


def test_what_is_old_is_still_sent_to_a_receiver_that_has_only_just_begun_to_fail(core: Core) -> None:
    name = core.append()
    core.client.zadd(core.keys.events_order, {name: 1})
    core.door.answers = [away]
    assert core.tell() == {"failed": 1, "parked": 1}
    assert core.tell_anyway() == {"sent": 1}


def test_a_dead_event_is_sent_again_under_its_id_once_somebody_says_so(core: Core) -> None:
    name, dead = core.append(), DeadEvents(core.client, SHARDS)
    waiting = core.stores.events.get(core.keys, name)
    assert waiting is not None
    assert dead.bury(core.keys, waiting, waiting)
    assert core.tell() == {}
    assert dead.resend(name, by="test")
    assert not dead.resend(name, by="test")
    assert core.tell() == {"sent": 1}
    assert core.door.ids == [name]
    assert core.dead() == []


def test_what_is_cut_from_the_dead_is_counted(core: Core) -> None:
    dead = DeadEvents(core.client, SHARDS, kept=2)
    names = [core.append() for _ in range(4)]
    for name in names:
        waiting = core.stores.events.get(core.keys, name)
        assert waiting is not None
        dead.bury(core.keys, waiting, waiting)
    assert core.dead() == names[2:]
    assert core.counters()["outgoing.cut.connection.credential.valid"] == 2


def test_an_event_that_ended_meanwhile_is_neither_failed_nor_buried(core: Core) -> None:
    name = core.append()
    waiting = core.stores.events.get(core.keys, name)
    assert waiting is not None
    core.tell()
    assert not core.stores.events.failed(core.keys, waiting, "timeout", now_us())
    assert not DeadEvents(core.client, SHARDS).bury(core.keys, waiting, waiting)
    assert not core.stores.events.sent(core.keys, waiting)
    assert core.waiting() == core.dead() == []


def test_an_id_of_nowhere_is_no_dead_event(core: Core) -> None:
    dead = DeadEvents(core.client, SHARDS)
    for name in ("", "zz", "ff" + "0" * 32, "00" + "0" * 32):
        assert dead.find(name) is None
        assert not dead.drop(name, by="test")


def test_where_the_address_was_taken_away_what_waits_waits_on(core: Core) -> None:
    name = core.append()
    assert dict(Telling(core.stores, core.endpoint, None).tell(core.keys.shard)) == {"unset": 1}
    assert core.waiting() == [name]
    assert 3500 < (core.item() or 0) <= 3600


def test_a_held_store_tells_nothing(core: Core) -> None:
    core.append()
    core.client.set(core.keys.state, "held")
    assert core.stores.schedule.lease(core.keys) == []
    core.client.delete(core.keys.state)
    assert core.stores.schedule.lease(core.keys) == [("events", str(core.keys.shard))]


def test_the_library_refuses_what_is_older_than_five_minutes(sluice: Sluice) -> None:
    door = Door()
    receiver = Receiver(URL, [SecretStr(NEW)], transport=door, clock=lambda: time.time() - 301)
    door.always = status(200)
    receiver.tell("00ab", "{}")
    receiver.close()
    with pytest.raises(Exception, match="too old"):
        Webhook(NEW).verify(door.asked[0].content, dict(door.asked[0].headers))


def test_however_many_wait_they_are_one_item_of_the_schedule(core: Core) -> None:
    for _ in range(150):
        core.append()
    core.stores.schedule.put(core.keys, "plan", CONNECTION, now_us())
    assert core.stores.schedule.lease(core.keys) == [("events", str(core.keys.shard)), ("plan", CONNECTION)]

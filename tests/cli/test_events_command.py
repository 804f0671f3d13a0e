"""`./sluice events`, at a real store and without any other process."""

import threading
import time
from base64 import b64encode
from pathlib import Path

import pytest
import redis

from cli.__main__ import main
from cli.status import SAID, _table
from pipeline.events import CredentialValid
from pipeline.store import hold
from pipeline.store.client import clock, connect
from pipeline.store.dead_events import DeadEvents
from pipeline.store.endpoint import Endpoint
from pipeline.store.events import Events, Waiting
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes

CONNECTION, URL = "rob@example.com/end10843", "https://core.example.com/events"
SHARDS = Shards(16)
KEYS = SHARDS.of(CONNECTION)


@pytest.fixture
def here(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("SLUICE_STORE_URL", store)
    monkeypatch.setenv("SLUICE_EVENTS_URL", URL)
    monkeypatch.setenv("SLUICE_EVENTS_SECRETS", f"whsec_{b64encode(bytes(32)).decode()}")
    return ["--state", str(tmp_path)]


@pytest.fixture
def client(store: str) -> redis.Redis:
    with connect(store) as made:
        yield made


def written(client: redis.Redis) -> Waiting:
    changes, events = Changes(), Events(client, SHARDS, wanted=True)
    name = events.append(changes, KEYS, CredentialValid(connection=CONNECTION, team="T0534672TWT", at=clock(client)))
    changes.commit(client)
    found = events.get(KEYS, name or "")
    assert found is not None
    return found


def dead(client: redis.Redis) -> str:
    waiting = written(client)
    assert DeadEvents(client, SHARDS).bury(KEYS, waiting, waiting)
    return waiting.id


def test_what_waits_and_what_is_dead_is_listed(
    here: list[str], client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting, buried = written(client), dead(client)
    Events(client, SHARDS, wanted=True).failed(KEYS, waiting, "status_503", clock(client))
    assert main(["events", *here]) == 0
    shown = capsys.readouterr().out
    assert "The core service takes events." in shown
    assert "1 wait, the oldest for 0 s; 1 are dead." in shown
    assert f"  {waiting.id}  connection.credential.valid  {CONNECTION}  since 20" in shown
    assert "tried 1 times (status_503)" in shown
    assert buried not in shown
    assert main(["events", "dead", *here]) == 0
    assert buried in capsys.readouterr().out


def test_a_store_that_is_held_says_why_nothing_is_sent(
    here: list[str], client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    written(client)
    hold.place(client, SHARDS, None)
    assert main(["events", *here]) == 0
    assert "held" in capsys.readouterr().out.splitlines()[0]
    assert main(["events", "test", "--seconds", "0", *here]) == 1
    assert "./sluice restore --confirm" in capsys.readouterr().err


def test_more_than_a_screen_of_them_is_counted(
    here: list[str], client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(23):
        written(client)
    main(["events", "list", *here])
    shown = capsys.readouterr().out.splitlines()
    assert (len(shown), shown[-1]) == (23, "  and 3 more")


def test_a_dead_event_is_sent_again_or_dropped_by_its_id_or_with_all(
    here: list[str], client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    one, *others = [dead(client) for _ in range(4)]
    assert main(["events", "resend", one, *here]) == 0
    assert capsys.readouterr().out == "1 sent again.\n"
    assert client.zscore(KEYS.events_due, one)
    assert main(["events", "drop", others[0], *here]) == 0
    assert main(["events", "resend", "all", *here]) == 0
    assert capsys.readouterr().out == "1 dropped.\n2 sent again.\n"
    assert DeadEvents(client, SHARDS).names() == []
    assert main(["events", "drop", "all", *here]) == 0
    assert main(["events", "resend", one, *here]) == 1
    assert f"{one} is no dead event" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["resend"], ["drop"], ["list", "0a"], ["test", "0a"]])
def test_an_id_is_wanted_where_one_is_meant_and_nowhere_else(here: list[str], words: list[str]) -> None:
    assert main(["events", *words, *here]) == 2


def test_a_ping_that_is_taken_says_so(here: list[str], client: redis.Redis, capsys: pytest.CaptureFixture[str]) -> None:
    def worker() -> None:
        events, until = Events(client, SHARDS, wanted=True), time.monotonic() + 10
        while not (found := events.next(Keys(0), clock(client))) and time.monotonic() < until:
            time.sleep(0.01)
        assert found is not None
        events.sent(Keys(0), found)

    thread = threading.Thread(target=worker)
    thread.start()
    assert main(["events", "test", *here]) == 0
    thread.join()
    assert "The core service took 00" in capsys.readouterr().out


def test_a_ping_that_is_refused_or_that_nobody_sends_says_so(
    here: list[str], client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["events", "test", "--seconds", "0.2", *here]) == 1
    assert "not sent yet" in capsys.readouterr().err

    def worker() -> None:
        events, until = Events(client, SHARDS, wanted=True), time.monotonic() + 10
        while client.zcard(Keys(0).events_order) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        for name in client.zrange(Keys(0).events_order, 0, -1):
            found = events.get(Keys(0), name.decode())
            assert found is not None
            events.failed(Keys(0), found, "status_401", clock(client))

    thread = threading.Thread(target=worker)
    thread.start()
    assert main(["events", "test", *here]) == 1
    thread.join()
    assert "not taken (status_401)" in capsys.readouterr().err


def test_an_address_that_is_left_alone_or_switched_off_is_told_and_tried_again(
    here: list[str], client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = Endpoint(client, URL)
    endpoint.failed("timeout", 60)
    main(["events", *here])
    assert "fails (timeout, 1 in a row): tried again in 60 s." in capsys.readouterr().out
    endpoint.disable("status_410")
    main(["events", *here])
    assert "wants no events (status_410)" in capsys.readouterr().out
    assert main(["events", "enable", *here]) == 0
    assert "The core service takes events." in capsys.readouterr().out


def test_without_an_address_it_is_said(
    here: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SLUICE_EVENTS_URL")
    monkeypatch.delenv("SLUICE_EVENTS_SECRETS")
    assert main(["events", *here]) == 0
    assert "no events are written" in capsys.readouterr().out
    assert main(["events", "test", *here]) == 2


def test_a_store_that_is_away_is_a_sentence(
    here: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_STORE_URL", "redis://127.0.0.1:1/0")
    assert main(["events", *here]) == 1
    assert capsys.readouterr().err == "sluice: store away\n"
    monkeypatch.delenv("SLUICE_STORE_URL")
    assert main(["events", *here]) == 2


def test_the_status_mentions_what_the_core_service_was_not_told() -> None:
    nothing = {"urls": {}, "processes": [], **dict.fromkeys(SAID)}
    told = {"waiting": 3, "dead": 1, "endpoint": {"state": "disabled", "reason": "status_410"}}
    shown = _table({**nothing, "events": told}, running=True).splitlines()
    assert shown[-1] == "  events: 3 wait, 1 are dead; its address is disabled (status_410): ./sluice events"
    quiet = {"waiting": 0, "dead": 0, "endpoint": {"state": "open", "reason": ""}}
    assert "events" not in _table({**nothing, "events": quiet}, running=True)

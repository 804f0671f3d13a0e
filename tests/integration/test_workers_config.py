"""What the Celery application is told, read from the application itself."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from celery import Celery
from celery.beat import ScheduleEntry
from celery.schedules import schedule

from cli.dev_secrets import DevSecrets
from cli.options import StackOptions
from cli.programs import programs
from cli.stand_ins import build
from settings import STACK_MARK
from workers import beat, control
from workers.names import DISPATCH, UPKEEP
from workers.strategy import StrictTask, well_formed


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """World and programs of a stack that is not started."""
    state = tmp_path_factory.mktemp("state")
    secrets, options = DevSecrets.in_directory(state), StackOptions()
    world = build({}, secrets, preferred_ports=False)
    return world, {program.name: program for program in programs(world, secrets, options, Path(state))}


@pytest.fixture(scope="module")
def app(started: tuple[Any, Any]) -> Iterator[Celery]:
    with patch.dict(os.environ, {**started[0].environment, STACK_MARK: "1"}):
        from workers.app import app

        app.conf.task_serializer  # noqa: B018 - settles the configuration
    yield app
    sys.modules.pop("workers.app")


def test_messages_are_json_and_results_are_nowhere(app: Celery) -> None:
    conf = app.conf
    assert (conf.task_serializer, conf.accept_content, conf.event_serializer) == ("json", ["json"], "json")
    assert (conf.result_backend, conf.task_ignore_result) == (None, True)
    assert (conf.timezone, conf.enable_utc) == ("UTC", True)


def test_nothing_that_a_worker_holds_outlives_it_in_the_broker(app: Celery) -> None:
    conf = app.conf
    assert (conf.task_acks_late, conf.worker_prefetch_multiplier) == (False, 1)
    assert conf.worker_cancel_long_running_tasks_on_connection_loss is False
    assert conf.broker_connection_max_retries is None, "a worker waits for its broker, however long"


def test_a_worker_stops_softly_and_a_task_has_an_end(app: Celery) -> None:
    conf = app.conf
    assert conf.worker_soft_shutdown_timeout > 5, "longer than a drain"
    assert conf.worker_enable_soft_shutdown_on_idle
    assert 0 < conf.task_soft_time_limit < conf.task_time_limit


def test_publishing_gives_up_in_seconds(app: Celery) -> None:
    options = app.conf.broker_transport_options
    assert options["socket_timeout"] <= 3
    assert options["socket_connect_timeout"] <= 3
    assert app.conf.task_publish_retry is False


def test_flower_is_sent_what_it_shows(app: Celery) -> None:
    assert app.conf.worker_send_task_events
    assert app.conf.task_track_started


def test_workers_neither_gossip_nor_mingle_and_keep_their_heartbeat(started: tuple[Any, Any]) -> None:
    argv = started[1]["worker-1"].argv
    assert {"--without-gossip", "--without-mingle"} <= set(argv)
    assert "--without-heartbeat" not in argv
    assert argv[argv.index("--pool") + 1] == "prefork"


def test_secrets_are_on_no_command_line(started: tuple[Any, Any]) -> None:
    world, chosen = started
    secrets = [
        value
        for name, value in world.environment.items()
        if any(part in name for part in ("KEY", "SECRET", "TOKEN")) and len(value) > 15
    ]
    assert secrets
    for program in chosen.values():
        assert not [one for one in secrets if one in " ".join(program.argv)]


def test_every_entry_of_beat_expires(app: Celery) -> None:
    assert app.conf.beat_scheduler == "workers.beat:SlotScheduler"
    assert set(app.conf.beat_schedule) == {"dispatch", "upkeep"}
    for entry in app.conf.beat_schedule.values():
        assert 0 < entry["options"]["expires"] <= 60
        assert entry["task"] in (DISPATCH, UPKEEP)
        assert "countdown" not in entry["options"]
        assert "eta" not in entry["options"]


@pytest.mark.parametrize(("now", "seconds", "slot"), [(0.0, 1.0, 0), (0.999, 1.0, 0), (61.2, 30.0, 2)])
def test_a_slot_is_the_number_of_a_tick(now: float, seconds: float, slot: int) -> None:
    assert beat.slot(now, seconds) == slot


def test_two_beats_name_the_same_slot(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, Any]] = []
    monkeypatch.setattr("workers.beat.time.time", lambda: 1_700_000_000.4)
    for _ in range(2):
        scheduler = beat.SlotScheduler(app, lazy=True)
        monkeypatch.setattr(scheduler, "send_task", lambda name, args, kwargs, **_: sent.append((name, args)))
        monkeypatch.setattr(type(app), "tasks", {})
        entry = ScheduleEntry(name="upkeep", task=UPKEEP, schedule=schedule(30.0), options={"expires": 60}, app=app)
        scheduler.apply_async(entry, advance=False)
    assert sent == [(UPKEEP, [56666666])] * 2


def test_a_worker_answers_questions_and_takes_no_commands() -> None:
    from celery.worker.control import Panel

    assert set(Panel.data) == {name for name in control.ALLOWED if name in Panel.data}
    for name in ("ping", "stats", "active", "registered", "enable_events"):
        assert name in Panel.data
    for name, what in Panel.meta.items():
        if what.type == "control" and name not in ("enable_events", "heartbeat"):
            assert name not in Panel.data


@pytest.mark.parametrize("arguments", [[5], ["0a" + "0" * 24]])
def test_what_ours_send_is_taken_off_the_queue(app: Celery, arguments: list[Any]) -> None:
    app.loader.import_default_modules()
    task = app.tasks[UPKEEP]
    made = app.amqp.create_task_message("an-id", UPKEEP, arguments, {}, expires=60)
    assert well_formed(made.headers, json.loads(json.dumps(made.body)))
    assert isinstance(task, StrictTask)
    assert task.Strategy == "workers.strategy:strict"


@pytest.mark.parametrize(
    ("headers", "payload"),
    [
        ({}, {"a": 1}),
        ({}, None),
        ({}, [[1], {}]),
        ({}, [[], {}, {}]),
        ({}, [[1, 2], {}, {}]),
        ({}, [[[1]], {}, {}]),
        ({}, [[1], {"a": 1}, {}]),
        ({}, [[1], {}, {"chain": [{"task": "x"}]}]),
        ({"id": None}, [[1], {}, {}]),
        ({"eta": "2100-01-01T00:00:00"}, [[1], {}, {}]),
        ({"retries": 1}, [[1], {}, {}]),
        ({"shadow": "x"}, [[1], {}, {}]),
        ({"expires": []}, [[1], {}, {}]),
    ],
)
def test_what_ours_never_send_is_refused(headers: dict[str, Any], payload: Any) -> None:
    assert well_formed({"id": "x"}, [[1], {}, {}])
    assert not well_formed({"id": "x", **headers}, payload)

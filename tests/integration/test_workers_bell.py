"""The bell over a real broker: what it puts there, and what it costs when the broker is gone."""

import base64
import inspect
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery.app.task import Task

from api.bell import Bell, make_sender
from cli.embedded import EmbeddedServer
from tests.eventually import eventually
from workers import names, tasks

TASKS = {
    names.DRAIN: (tasks.drain, ["shard"]),
    names.DISPATCH: (tasks.dispatch, ["slot"]),
    names.TRIGGER: (tasks.trigger, ["run_id"]),
    names.PATCH_METADATA: (tasks.patch_metadata, ["connection"]),
    names.LOOK: (tasks.look, ["connection"]),
    names.TELL: (tasks.tell, ["shard"]),
    names.UPKEEP: (tasks.upkeep, ["slot"]),
}


@pytest.fixture
def bell(broker_url: str) -> Iterator[Bell]:
    made = Bell(make_sender(broker_url))
    yield made
    made.close()


def messages(broker_url: str) -> list[dict[str, Any]]:
    with redis.Redis.from_url(broker_url) as client:
        return [json.loads(raw) for raw in client.lrange(names.QUEUE, 0, -1)]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_takes_a_shard_an_id_or_a_slot_and_nothing_else(name: str) -> None:
    task, wanted = TASKS[name]
    assert isinstance(task, Task)
    assert task.name == name
    assert list(inspect.signature(task.run).parameters) == wanted


def test_every_name_that_can_be_sent_is_a_task() -> None:
    named = {value for value in vars(names).values() if isinstance(value, str) and value.startswith("sluice.")}
    assert named == set(TASKS)


def test_a_ring_carries_a_shard_and_nothing_else(bell: Bell, broker_url: str) -> None:
    bell(11)
    [message] = eventually(lambda: messages(broker_url))
    assert message["content-type"] == "application/json"
    args, kwargs, embedded = json.loads(base64.b64decode(message["body"]))
    assert (args, kwargs) == ([11], {})
    assert not any(embedded.values()), "no callbacks, no chain, no chord"
    headers = message["headers"]
    assert (headers["task"], headers["argsrepr"], headers["kwargsrepr"]) == (names.DRAIN, "[11]", "{}")
    assert headers["eta"] is None
    assert headers["expires"], "a ring that nobody heard for a minute is not worth a drain"
    known = {*("lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit")}
    known |= {*("root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting")}
    known |= {"stamped_headers", "stamps", "store_result_depth"}
    assert set(headers) <= known
    assert message["properties"]["priority"] == 0


def test_a_sender_speaks_json_wants_no_result_and_never_hangs(broker_url: str) -> None:
    with make_sender(broker_url) as app:
        assert (app.conf.task_serializer, app.conf.accept_content) == ("json", ["json"])
        assert app.conf.result_backend is None
        assert app.conf.task_ignore_result
        assert not app.conf.task_publish_retry
        assert app.conf.broker_transport_options["socket_timeout"] <= 3


def test_rings_of_a_shard_that_waits_to_be_rung_are_one(broker_url: str) -> None:
    bell = Bell(make_sender(broker_url))
    held, started = threading.Event(), threading.Event()
    real = bell._app.send_task

    def slow(*args: Any, **kwargs: Any) -> Any:
        started.set()
        assert held.wait(8)
        return real(*args, **kwargs)

    bell._app.send_task = slow  # type: ignore[method-assign]
    try:
        bell(1)
        assert started.wait(8)
        for _ in range(10_000):
            bell(1)
            bell(2)
        held.set()
        eventually(lambda: bell.counts["rung"] == 3, "one under way, one after it, one of another shard")
        assert bell.counts["coalesced"] == 19_998
        assert len(messages(broker_url)) == 3
    finally:
        held.set()
        bell.close()


def test_rings_from_many_threads_are_all_accounted_for(bell: Bell) -> None:
    def ring() -> None:
        for number in range(500):
            bell(number % 16)

    threads = [threading.Thread(target=ring) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert eventually(lambda: not bell._waiting and sum(bell.counts.values()) == 4000)
    assert bell.counts["failed"] == bell.counts["dropped"] == 0


@pytest.mark.parametrize("how", ["dead", "frozen"])
def test_a_broker_that_is_gone_never_holds_up_who_rings(how: str) -> None:
    with EmbeddedServer(durable=False) as server:
        bell = Bell(make_sender(server.url))
        bell(0)
        assert eventually(lambda: bell.counts["rung"])
        assert server.pid is not None
        if how == "dead":
            server.kill()
        else:
            os.kill(server.pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            for shard in range(4):
                bell(shard)
            assert time.monotonic() - begun < 0.1
            eventually(lambda: bell.counts["failed"])
        finally:
            if how == "frozen":
                os.kill(server.pid, signal.SIGCONT)
            bell.close()


def test_a_ring_after_the_end_is_counted_and_harmless(bell: Bell) -> None:
    bell.close()
    bell(3)
    assert bell.counts["dropped"] == 1

"""Real Celery processes, started as `./sluice up` starts them: a ring, a hostile broker, two beats, Flower."""

import base64
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from celery import Celery

from api.bell import Bell, make_sender
from cli.options import StackOptions
from cli.spawn import spawn, terminate
from cli.stack import Stack
from pipeline.store.client import connect
from pipeline.store.connections import Connections
from pipeline.store.keys import Shards
from pipeline.store.receipts import find
from pipeline.store.vault import Vault
from settings import Settings
from tests.eventually import eventually
from workers.names import DISPATCH, DRAIN, PATCH_METADATA, QUEUE, TELL, TRIGGER

SHARDS = Shards(16)
PICKLE = base64.b64encode(b"cos\nsystem\n(S'touch ran-from-pickle'\ntR.").decode()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), StackOptions(concurrency=1, restart_crashed=False)) as made:
        made.start(["store", "broker", "mesh", "flower", "worker"])
        yield made


@pytest.fixture
def store(stack: Stack) -> Iterator[redis.Redis]:
    with connect(stack.urls["store"]) as client:
        yield client


@pytest.fixture
def broker(stack: Stack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack.urls["broker"]) as client:
        yield client


@pytest.fixture
def sender(stack: Stack) -> Iterator[Celery]:
    with make_sender(stack.urls["broker"]) as app:
        yield app


def register(stack: Stack, store: redis.Redis, connection: str) -> tuple[int, str]:
    """A connection whose `user` waits for the mesh: its shard, and the receipt of that."""
    settings = Settings.load("service", environ=stack.env, op_env=None)
    connections = Connections(store, SHARDS, Vault(settings.vault_keys))
    _, receipt = connections.register(connection, team="T123", who={}, by="test")
    return SHARDS.of(connection).shard, receipt


def state(store: redis.Redis, receipt: str) -> str:
    found = find(store, SHARDS.of("ann/acme"), receipt)
    return str(found and found["state"])


def test_a_ring_is_heard_by_a_worker_which_drains_to_the_mesh(stack: Stack, store: redis.Redis) -> None:
    shard, receipt = register(stack, store, "ann/acme")
    assert state(store, receipt) == "waiting"
    bell = Bell(make_sender(stack.urls["broker"]))
    try:
        bell(shard)
        assert eventually(lambda: state(store, receipt) == "delivered")
    finally:
        bell.close()


def test_flower_shows_the_drain_its_shard_and_what_it_did(stack: Stack, store: redis.Redis, sender: Celery) -> None:
    shard, receipt = register(stack, store, "ann/acme")
    sender.send_task(DRAIN, args=[shard])
    assert eventually(lambda: state(store, receipt) == "delivered")
    assert httpx.get(f"{stack.urls['flower']}/tasks").status_code == 401
    password = stack.secrets.flower_password.get_secret_value()
    with httpx.Client(base_url=stack.urls["flower"], auth=("sluice", password)) as flower:
        rows = eventually(lambda: [r for r in _table(flower) if r["state"] == "SUCCESS" and "settled" in r["result"]])
        assert (rows[0]["name"], rows[0]["args"], rows[0]["kwargs"]) == (DRAIN, f"[{shard}]", "{}")
        assert "'settled.delivered': 1" in rows[0]["result"]
        assert flower.get("/tasks").status_code == 200, "the page around the table"
        assert "worker-1@sluice" in flower.get("/workers").text


def _table(flower: httpx.Client) -> list[dict[str, Any]]:
    """What the page's table is filled from."""
    columns = ("name", "uuid", "state", "args", "kwargs", "result")
    form = {"draw": 1, "start": 0, "length": 100, "search[value]": "", "order[0][column]": 0, "order[0][dir]": "asc"}
    form |= {f"columns[{n}][data]": name for n, name in enumerate(columns)}
    return list(flower.post("/tasks/datatable", data=form).json()["data"])


def message(body: bytes | str, task: str = DRAIN, content_type: str = "application/json", **headers: Any) -> str:
    """A message as a stranger with access to the broker would write it."""
    ident = str(uuid.uuid4())
    told = {"lang": "py", "task": task, "id": ident, "root_id": ident, "argsrepr": "?", "kwargsrepr": "{}"} | headers
    properties = {
        "correlation_id": ident,
        "reply_to": ident,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": QUEUE},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": ident,
    }
    body = body if isinstance(body, str) else base64.b64encode(body).decode()
    encoding = "binary" if "python" in content_type else "utf-8"
    return json.dumps(
        {
            "body": body,
            "content-encoding": encoding,
            "content-type": content_type,
            "headers": told,
            "properties": properties,
        }
    )


def call(*args: Any) -> bytes:
    return json.dumps([args, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]).encode()


HOSTILE = [
    message(PICKLE, content_type="application/x-python-serialize"),
    message(b"not json"),
    message(b'{"a": 1}'),
    message(b"[[1], {}]"),
    message(b"null"),
    message(call(1), id=None),
    message(call(1), eta="2100-01-01T00:00:00+00:00"),
    message(call(1), timelimit=[0.001, 0.001]),
    message(call(1), timelimit=7),
    message(call(1), expires="yesterday"),
    message(call(1), expires=[]),
    message(call(1), task="os.system"),
    message(call(1), task="celery.backend_cleanup"),
    message(call("touch ran-from-json"), task="celery.map"),
    message(call(99999)),
    message(call(-1)),
    message(call(16)),
    message(call("x")),
    message(call("0")),
    message(call(True)),
    message(call(None)),
    message(call([3])),
    message(call(1.0)),
    message(call({"shard": 3})),
    message(call(1, 2)),
    message(call()),
    message(call("x"), task=DISPATCH),
    message(call("../../x"), task=TRIGGER),
    message(call({"a": 1}), task=TRIGGER),
    message(call("ff" + "0" * 24), task=TRIGGER),
    message(call("no-slash"), task=PATCH_METADATA),
    message(call("x" * 5000 + "/y"), task=PATCH_METADATA),
    message(call(["ann/acme"]), task=PATCH_METADATA),
    message(call("nobody/nowhere"), task=PATCH_METADATA),
    message(call("99"), task=TELL),
    message(call(1), task=TELL),
    message(call("../1"), task=TELL),
]


def test_hostile_messages_are_refused_and_change_nothing(
    stack: Stack, store: redis.Redis, broker: redis.Redis, sender: Celery
) -> None:
    pid = stack.pid("worker-1")
    before = set(store.scan_iter())
    for one in HOSTILE:
        broker.lpush(QUEUE, one)
    eventually(lambda: broker.llen(QUEUE) == 0, "a message that cannot be read does not stop the queue")
    shard, receipt = register(stack, store, "ann/acme")
    sender.send_task(DRAIN, args=[shard])
    eventually(lambda: state(store, receipt) == "delivered", "the worker goes on")
    after = set(store.scan_iter()) - before
    ours = f"{{s{shard}}}:".encode()
    assert {key for key in after if not key.startswith(ours)} == set(), "no key of a shard that is none"
    assert stack.pid("worker-1") == pid
    here = Path(__file__).parents[2]
    assert not list(here.glob("ran-from-*")) + list(stack.state_dir.rglob("ran-from-*"))


def test_commands_over_the_broker_are_not_obeyed(stack: Stack, store: redis.Redis, sender: Celery) -> None:
    pid = stack.pid("worker-1")
    for command in ("shutdown", "pool_restart", "cancel_consumer", "revoke", "time_limit", "rate_limit"):
        arguments = {"queue": QUEUE, "task_name": DRAIN, "rate_limit": "1/h", "hard": 1, "soft": 1, "task_id": "x"}
        sender.control.broadcast(command, arguments=arguments)
    shard, receipt = register(stack, store, "ann/acme")
    sender.send_task(DRAIN, args=[shard])
    assert eventually(lambda: state(store, receipt) == "delivered")
    assert stack.pid("worker-1") == pid
    assert sender.control.ping(timeout=3) == [{"worker-1@sluice": {"ok": "pong"}}], "questions are answered"


def test_two_beats_have_one_effect(stack: Stack, store: redis.Redis, broker: redis.Redis, tmp_path: Path) -> None:
    register(stack, store, "ann/acme")
    keys, patch = SHARDS.of("ann/acme"), "patch:ann/acme"
    stack.start(["beat"])
    [program] = [child.program for child in stack._children.values() if child.program.name == "beat"]
    second = spawn(list(program.argv), cwd=program.cwd, env=program.env, log=tmp_path / "beat-2.log")
    try:
        store.zadd(keys.due, {patch: 1})
        # No Paragon is there: the first to take it fails, and puts it to a time that a second would put off further.
        assert eventually(lambda: store.hget(keys.tries, patch)) == b"1"
    finally:
        terminate(second)
        second.wait(10)
        stack.stop(["beat"])


def test_what_a_worker_logs_names_no_content_and_no_traceback_for_others_outages(stack: Stack) -> None:
    lines = [json.loads(line) for line in stack.log("worker-1").read_text().splitlines() if line.startswith("{")]
    refused = [line for line in lines if line.get("event", line.get("message")) == "task.refused"]
    assert len(refused) >= 6
    assert {line["task"] for line in refused} == {DRAIN, DISPATCH, PATCH_METADATA, TELL}

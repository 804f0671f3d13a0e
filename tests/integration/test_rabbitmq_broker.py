"""Celery's broker is a real RabbitMQ, by SLUICE_BROKER_URL alone. Runs where its server is installed already."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.bell import make_sender
from tests.eventually import eventually
from tests.integration.other_broker import SHARDS, OtherBroker
from tests.integration.rabbit import PROGRAM, Rabbit
from workers.names import DRAIN, QUEUE

pytestmark = [
    pytest.mark.rabbitmq,
    pytest.mark.skipif(PROGRAM is None, reason="no rabbitmq-server here; on Debian: apt-get install rabbitmq-server"),
]


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    with Rabbit(tmp_path_factory.mktemp("rabbit")) as running:
        yield running


@pytest.fixture(scope="module")
def world(rabbit: Rabbit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherBroker]:
    with OtherBroker(tmp_path_factory.mktemp("stack"), rabbit.url) as running:
        yield running


def test_a_worker_drains_what_is_rung_through_rabbitmq(world: OtherBroker) -> None:
    assert "broker" not in world.stack.names
    assert world.delivers()


def test_beat_ticks_and_questions_to_workers_go_through_rabbitmq(world: OtherBroker, rabbit: Rabbit) -> None:
    world.work()
    world.stack.start(["beat"])
    try:
        world.store.zadd(SHARDS.of("ann/acme").due, {"patch:ann/acme": 1})
        # No Paragon answers here: the first try fails, and that it was made shows that the tick came through.
        eventually(lambda: world.store.hget(SHARDS.of("ann/acme").tries, "patch:ann/acme"))
    finally:
        world.stack.stop(["beat"])
    with make_sender(rabbit.url) as sender:
        assert sender.control.ping(timeout=5) == [{"worker-1@sluice": {"ok": "pong"}}]


def test_a_message_holds_a_shard_and_nothing_is_left_in_the_queue(world: OtherBroker, rabbit: Rabbit) -> None:
    world.stack.stop(["worker"])
    world.ring()
    try:
        eventually(lambda: _waiting(rabbit) == 1)
        with make_sender(rabbit.url) as sender, sender.connection_for_write() as connection:
            message = connection.default_channel.basic_get(QUEUE, no_ack=True)
            assert message.headers["task"] == DRAIN
            assert message.headers["argsrepr"] == f"[{SHARDS.of('ann/acme').shard}]"
    finally:
        world.stack.start(["worker"])
    assert world.delivers()
    eventually(lambda: _waiting(rabbit) == 0)


def test_a_full_rabbitmq_keeps_nobody_waiting_and_is_used_again_after(world: OtherBroker, rabbit: Rabbit) -> None:
    rabbit.control("set_vm_memory_high_watermark", "0.000001")
    try:
        begun = time.monotonic()
        for _ in range(50):
            world.ring()
            time.sleep(0.02)
        assert time.monotonic() - begun < 5, "the bell has a thread of its own"
    finally:
        rabbit.control("set_vm_memory_high_watermark", "0.4")
    assert world.delivers()


def test_a_worker_goes_on_after_rabbitmq_was_killed_and_came_back(world: OtherBroker, rabbit: Rabbit) -> None:
    pid = world.stack.pid("worker-1")
    rabbit.restart()
    assert world.delivers(), "rings that met the outage may be lost, later ones are not"
    assert world.stack.pid("worker-1") == pid


def _waiting(rabbit: Rabbit) -> int:
    rows = [line.split() for line in rabbit.control("list_queues", "name", "messages").splitlines()]
    return sum(int(count) for name, count in rows if name == QUEUE)


def test_the_address_is_handed_on_as_it_is(tmp_path: Path) -> None:
    with make_sender("amqps://bob:word@one:5671/vhost") as sender:
        assert sender.conf.broker_url == "amqps://bob:word@one:5671/vhost"

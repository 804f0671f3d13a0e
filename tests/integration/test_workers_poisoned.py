"""What is no message at all in the broker's list: it ends a worker inside of kombu, once, and is gone."""

from pathlib import Path

import redis

from tests.eventually import eventually
from tests.integration.other_broker import OtherBroker
from workers.names import QUEUE

RAW = b"not json: a secret"


def test_raw_text_ends_a_worker_that_comes_back_and_does_not_meet_it_again(broker_url: str, tmp_path: Path) -> None:
    """kombu reads it off the list before it looks at it: hence no worker meets it twice."""
    with OtherBroker(tmp_path, broker_url, restart=True) as world, redis.Redis.from_url(broker_url) as broker:
        before = world.stack.pid("worker-1")
        broker.lpush(QUEUE, RAW)
        eventually(lambda: world.stack.pid("worker-1") not in (None, before), "the worker is back")
        assert world.delivers()
        assert RAW not in broker.lrange(QUEUE, 0, -1)
        after = world.stack.pid("worker-1")
        assert world.delivers()
        assert world.stack.pid("worker-1") == after, "it does not end again"
        assert "a secret" not in world.stack.log("worker-1").read_text()

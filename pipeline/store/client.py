"""One Redis client factory, with every risky default decided here.

redis-py retries ten times by default: one XADD during a stall was written twice (facts.md, 3). Here nothing is
retried by the client, waits are short, and whoever calls decides what an unknown outcome means.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.certificates import distrusted
from pipeline.errors import Unavailable

TIMEOUT_SECONDS = 5.0
INTAKE_TIMEOUT_SECONDS = 2.0

Reply = Any  # What a command answers: bytes, int, None, or lists of these.
_AWAY = (redis.ConnectionError, redis.TimeoutError, redis.exceptions.ReadOnlyError)
# Refusals that mean "not now": full, cannot write its log, still loading, script running, no replica.
DISTRUSTED = "store certificate not trusted"
_NOT_NOW = {"OOM", "MISCONF", "LOADING", "BUSY", "READONLY", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN"}


def connect(url: str, *, timeout: float = TIMEOUT_SECONDS) -> redis.Redis:
    """A thread-safe client that never retries. Answers are bytes; `timeout` is in seconds."""
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, 2.0),
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        protocol=2,
        decode_responses=False,
    )


def connect_async(url: str, *, timeout: float = INTAKE_TIMEOUT_SECONDS) -> redis.asyncio.Redis:
    """The same for the event loop: what the intake appends with."""
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, 1.0),
        retry=AsyncRetry(NoBackoff(), 0),
        retry_on_error=[],
        protocol=2,
        decode_responses=False,
    )


def unavailable(error: BaseException) -> Unavailable | None:
    """The store's outage that `error` tells of, or None where it is a bug of ours."""
    if isinstance(error, _AWAY) and distrusted(error):
        return Unavailable(DISTRUSTED, retry_after=30.0)
    if isinstance(error, _AWAY):
        return Unavailable("store away", retry_after=2.0)
    if isinstance(error, redis.ResponseError) and _code(error) in _NOT_NOW:
        return Unavailable("store refuses writes", retry_after=5.0)
    return None


def _code(error: redis.ResponseError) -> str:
    """The server's first word. redis-py takes it off the text of the errors that it has a class for, and puts the
    command before the text of those that a pipeline raises."""
    said = str(error).rpartition(" caused error: ")[2]
    return str(getattr(error, "status_code", None) or said.partition(" ")[0])


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn the store's outages into `Unavailable`; let everything else through, loud."""
    try:
        yield
    except redis.RedisError as error:
        outage = unavailable(error)
        if outage is None:
            raise
        raise outage from error


def ask(client: redis.Redis, *command: str | bytes | int | float) -> Reply:
    """One command; the store's outages come as `Unavailable`."""
    with store_errors():
        return client.execute_command(*command)


def ask_all(client: redis.Redis, commands: Iterable[Sequence[str | bytes | int | float]]) -> list[Reply]:
    """Several commands in one round trip, each on its own: no MULTI."""
    with store_errors(), client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)
        return list(pipe.execute())


def clock(client: redis.Redis) -> int:
    """The store's clock in microseconds: what is due is decided by it alone, however ours are set."""
    seconds, micros = ask(client, "TIME")
    return int(seconds) * 1_000_000 + int(micros)

"""Sockets off in unit tests, loopback only elsewhere; one real Valkey a session for those that need a store.

A server that does not start fails the test: nothing here skips, so a green run has run everything.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from pytest_socket import disable_socket, socket_allow_hosts

from cli.embedded import EmbeddedServer

HERE = Path(__file__).parent
WITHOUT_SOCKETS = tuple(HERE / name for name in ("unit", "slack", "architecture"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if any(item.path.is_relative_to(folder) for folder in WITHOUT_SOCKETS):
        disable_socket(allow_unix_socket=True)  # asyncio's own loop needs a socket pair
    else:
        socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def store_server() -> Iterator[EmbeddedServer]:
    """A durable Valkey as `./sluice up` starts it: AOF with fsync always, noeviction."""
    with EmbeddedServer(durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def broker_server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(durable=False) as server:
        yield server


def _emptied(server: EmbeddedServer) -> str:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        client.config_set("maxmemory", 0)
    return server.url


@pytest.fixture(scope="session")
def store_url(store_server: EmbeddedServer) -> str:
    """The session's store, as others left it; use `store` for an empty one."""
    return store_server.url


@pytest.fixture
def store(store_server: EmbeddedServer) -> str:
    """The URL of the session's store, emptied for this test."""
    return _emptied(store_server)


@pytest.fixture
def broker_url(broker_server: EmbeddedServer) -> str:
    """The URL of the session's broker, emptied for this test."""
    return _emptied(broker_server)

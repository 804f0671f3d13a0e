"""Fixtures for the library's own tests: the shipped fake, real servers in processes, and peers made of raw sockets."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from common_mesh.testing.plugin import fake_mesh, mesh_engine

__all__ = ["fake_mesh", "mesh_engine"]

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode puts no test folder there, and mesh_samples is shared

from mesh_served import Served

Talk = Callable[[socket.socket], None]


@pytest.fixture
def peer() -> Iterator[Callable[[Talk], str]]:
    """Start a listener that handles each connection with a function; gives its base URL."""
    with ExitStack() as stack:
        yield lambda talk: stack.enter_context(_listening(talk))


@contextmanager
def _listening(talk: Talk) -> Iterator[str]:
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def one(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                talk(connection)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connections.append(connection)
                    threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
                    threads[-1].start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
    for thread in [acceptor, *threads]:
        thread.join(5)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start reference servers; they share one store unless told otherwise."""
    started: list[Served] = []

    def start(*options: str, env: dict[str, str] | None = None) -> Served:
        store = () if "--null" in options else ("--store", f"sqlite:///{tmp_path / 'mesh.db'}")
        started.append(Served(*store, *options, env=env))
        return started[-1]

    yield start
    for server in started:
        server.stop()

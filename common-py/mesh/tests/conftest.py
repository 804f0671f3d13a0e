"""Fixtures for the library's own tests: the shipped fake, real servers in processes, and peers made of raw sockets."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from common_mesh.testing.plugin import fake_mesh, mesh_engine

__all__ = ["fake_mesh", "mesh_engine"]

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode puts no test folder there, and mesh_samples is shared

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


class Served:
    """A reference server in a process of its own."""

    def __init__(self, *options: str, env: dict[str, str] | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "common_mesh.server", "--port", str(self.port), *options]
        self.process = subprocess.Popen(command, env={**os.environ, **(env or {})})
        self.url = f"http://127.0.0.1:{self.port}"
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(httpx.TransportError):
                httpx.get(f"{self.url}/healthz", trust_env=False)
                return
            time.sleep(0.05)
        raise RuntimeError("the reference server did not start")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(5)


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

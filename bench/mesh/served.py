"""Programs that a measurement starts: on a free port, ready before it begins, ended with it."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench import machine

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 20.0


class Served(NamedTuple):
    """A mesh that answers."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def served(*program: str, cores: list[int] | None = None) -> Iterator[Served]:
    """`python -m <program> --port …` on these cores, while the block runs. RuntimeError if it does not come up."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    with machine.on(cores or []):
        process = subprocess.Popen([sys.executable, "-m", *program, "--port", str(port)], cwd=ROOT)  # noqa: S603 - our own
    try:
        _await(process, port)
        yield Served(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def _await(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), opener.open(f"http://127.0.0.1:{port}/healthz", timeout=2):
            return
        time.sleep(0.05)
    raise RuntimeError("the mesh of the measurement did not start")

"""The reference server as a process of its own, for tests."""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress

import httpx


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

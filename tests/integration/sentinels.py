"""A broker that fails over: two Valkeys, one a replica of the other, and Sentinels that know them by a name."""

import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import redis

from cli.embedded import EmbeddedServer, server_binary
from cli.ports import HOST, choose
from cli.spawn import kill_group, spawn

NAME = "sluice-broker"
PASSWORD = "of-the-sentinels"


class Sentinels:
    """`url` is what SLUICE_BROKER_URL wants. A context manager; all files lie in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.servers = [EmbeddedServer(directory / name, durable=False) for name in ("one", "two")]
        self._directory = directory
        self._ports = list(choose({"a": 0, "b": 0, "c": 0}).values())
        self._processes: list[subprocess.Popen[bytes]] = []
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        hosts = ";".join(f"{HOST}:{port}" for port in self._ports)
        return f"sentinel://{hosts}/0?master_name={NAME}&sentinel_password={PASSWORD}"

    def __enter__(self) -> Self:
        with self._stack:
            for server in self.servers:
                self._stack.enter_context(server)
            with redis.Redis.from_url(self.servers[1].url) as replica:
                replica.replicaof(HOST, self.servers[0].port)
            for port in self._ports:
                self._sentinel(port)
            self._until(lambda: self.master() == self.servers[0].port and self._replicas() == 1)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _sentinel(self, port: int) -> None:
        directory = self._directory / f"sentinel-{port}"
        directory.mkdir()
        (directory / "sentinel.conf").write_text(f"""
            bind {HOST}
            port {port}
            requirepass {PASSWORD}
            sentinel sentinel-pass {PASSWORD}
            sentinel monitor {NAME} {HOST} {self.servers[0].port} 2
            sentinel down-after-milliseconds {NAME} 500
            sentinel failover-timeout {NAME} 3000
        """)
        command = [server_binary(), directory / "sentinel.conf", "--sentinel"]
        process = spawn(command, cwd=directory, log=directory / "log")
        self._stack.callback(kill_group, process)

    def _ask(self, *command: str) -> object:
        """What the first Sentinel says; None while it does not answer."""
        try:
            with redis.Redis(HOST, self._ports[0], password=PASSWORD, decode_responses=True, protocol=2) as sentinel:
                return sentinel.execute_command(*command)
        except redis.RedisError:
            return None

    def master(self) -> int | None:
        """The port of the broker that now counts."""
        found = self._ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return int(found[1]) if isinstance(found, list | tuple) else None

    def _replicas(self) -> int:
        found = self._ask("SENTINEL", "REPLICAS", NAME)
        return len(found) if isinstance(found, list | tuple) else 0

    def fail_over(self) -> None:
        """Kill the master; until the Sentinels name the other one."""
        self.servers[0].kill()
        self._until(lambda: self.master() == self.servers[1].port)

    def _until(self, done: object, seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while not done():  # type: ignore[operator]
            assert time.monotonic() < until, "the Sentinels did not agree"
            time.sleep(0.05)

"""A RabbitMQ of our own on loopback, where its program is installed: Debian's `rabbitmq-server` brings it."""

import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import amqp

from cli.ports import HOST, choose
from cli.spawn import ended, kill_group, spawn, terminate
from tests.integration.tls_servers import Authority, Certificate

FOLDERS = ("/usr/lib/rabbitmq/bin", "/opt/homebrew/sbin", "/usr/local/sbin", "/usr/sbin")
# The wrapper in /usr/sbin changes the user and writes to /var; what it wraps does neither.
PROGRAM = shutil.which("rabbitmq-server", path=os.pathsep.join(FOLDERS))
ADDRESS = "{127,0,0,1}"


class Rabbit:
    """`url` is what SLUICE_BROKER_URL wants. A context manager; everything it writes lies in `directory`."""

    def __init__(self, directory: Path, authority: Authority | None = None, host: str = HOST) -> None:
        """With an authority it speaks TLS, too, by a certificate that is made out to `host`."""
        self._directory = directory
        self._ports = choose({"amqp": 0, "amqps": 0, "dist": 0, "epmd": 0})
        if authority is not None:
            self._speak_tls(authority.file, authority.issue("rabbit", host=host))
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{HOST}:{self._ports['amqp']}//"

    @property
    def secure(self) -> str:
        """The same over TLS, without a CA."""
        return f"amqps://guest:guest@{HOST}:{self._ports['amqps']}//"

    def _speak_tls(self, ca: Path, certificate: Certificate) -> None:
        (self._directory / "rabbitmq.conf").write_text(f"""
            listeners.ssl.1 = {HOST}:{self._ports["amqps"]}
            ssl_options.cacertfile = {ca}
            ssl_options.certfile = {certificate.file}
            ssl_options.keyfile = {certificate.key}
            ssl_options.verify = verify_none
            ssl_options.fail_if_no_peer_cert = false
        """)

    def _environment(self) -> dict[str, str]:
        """Nothing of it is shared with an installed node: no port, no cookie, no folder, no epmd."""
        here = self._directory
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(here),
            "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self._ports["epmd"]),
            "RABBITMQ_NODENAME": f"sluice{self._ports['amqp']}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self._ports["amqp"]),
            "RABBITMQ_DIST_PORT": str(self._ports["dist"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-kernel inet_dist_use_interface {ADDRESS}",
            "RABBITMQ_MNESIA_BASE": str(here / "mnesia"),
            "RABBITMQ_LOG_BASE": str(here / "log"),
            "RABBITMQ_PID_FILE": str(here / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(here / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
        }

    def __enter__(self) -> Self:
        with self._stack:
            # In the foreground and first, so that the server starts none that would outlive it.
            epmd = [str(shutil.which("epmd")), "-address", HOST, "-port", str(self._ports["epmd"])]
            self._stack.callback(kill_group, spawn(epmd, env=self._environment(), cwd=self._directory))
            self._start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        log = self._directory / "out"
        self._process = spawn([str(PROGRAM)], env=self._environment(), cwd=self._directory, log=log)
        self._stack.callback(self._stop, self._process)
        self._until_it_answers(log)

    def _stop(self, process: "subprocess.Popen[bytes]") -> None:
        terminate(process)
        deadline = time.monotonic() + 15
        while not ended(process) and time.monotonic() < deadline:
            time.sleep(0.05)
        kill_group(process)

    def restart(self) -> None:
        """An outage: killed, and started again after a while with what it had on disk."""
        assert self._process is not None
        kill_group(self._process)
        time.sleep(1)
        self._start()

    def control(self, *command: str) -> str:
        """What `rabbitmqctl` says."""
        program = Path(str(PROGRAM)).with_name("rabbitmqctl")
        said = subprocess.run(
            [program, "--quiet", *command], env=self._environment(), capture_output=True, text=True, check=True
        )
        return said.stdout

    def _until_it_answers(self, log: Path, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not self._answers():
            assert time.monotonic() < deadline, f"RabbitMQ did not start: {log.read_text()[-1000:]}"
            assert self._process is not None
            assert not ended(self._process), f"RabbitMQ ended: {log.read_text()[-1000:]}"
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            with amqp.Connection(f"{HOST}:{self._ports['amqp']}", connect_timeout=2):
                return True
        except (OSError, amqp.AMQPError):
            return False

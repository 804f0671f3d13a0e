"""Development secrets: made once, kept in the state directory, one file each that only the owner can read.

They stand in for what a secret store holds in production, and survive a restart, since the store's entries are
sealed with the vault key. None has a default: a state directory without them gets new ones.
"""

import base64
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import SecretStr


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _token() -> str:
    return secrets.token_urlsafe(32)


def _vault_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _signing_secret() -> str:
    return f"whsec_{_vault_key()}"


MAKERS: dict[str, Callable[[], str]] = {
    "signing_key": _private_key,
    "webhook_secret": _token,
    "run_token_key": _token,
    "vault_key": _vault_key,
    "operator_token": _token,
    "core_token": _token,
    "event_secret": _signing_secret,
    "flower_password": _token,
    "mesh_token": _token,
}


@dataclass(frozen=True)
class DevSecrets:
    """What the stand-ins and we share. `signing_key` is a PEM, `vault_key` base64 of 32 bytes, `event_secret`
    what Standard Webhooks signs with, the rest are tokens."""

    directory: Path
    signing_key: SecretStr
    webhook_secret: SecretStr
    run_token_key: SecretStr
    vault_key: SecretStr
    operator_token: SecretStr
    core_token: SecretStr
    event_secret: SecretStr
    flower_password: SecretStr
    mesh_token: SecretStr

    @classmethod
    def in_directory(cls, directory: Path) -> Self:
        """Those of this directory; what is missing is made. File names are the fields' with dashes."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = {name: SecretStr(_kept(cls.path(directory, name), make)) for name, make in MAKERS.items()}
        made = cls(directory=directory, **kept)
        if not made.public_key.exists():
            _write(made.public_key, _public_half(made.signing_key))
        return made

    @staticmethod
    def path(directory: Path, name: str) -> Path:
        """Where a secret lies: `operator_token` → `<directory>/operator-token`."""
        return directory / name.replace("_", "-")

    @property
    def public_key(self) -> Path:
        """The PEM file with the public half of `signing_key`, which Paragon (the simulator) checks tokens with."""
        return self.directory / "signing-key.pub"


def _public_half(private: SecretStr) -> str:
    key = load_pem_private_key(private.get_secret_value().encode(), password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _kept(path: Path, make: Callable[[], str]) -> str:
    if not path.exists():
        _write(path, make())
    return path.read_text()


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a key that was cut short by a crash would be a key that opens nothing."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

"""docs/paragon-auth.md and docs/rotation.md are held to the code: figures, claims, error kinds, rings of keys."""

import base64
import inspect
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from api.connections import OURS
from pipeline.errors import Unavailable
from pipeline.paragon import client, errors, run_tokens, token
from pipeline.store.runs import MOST_ATTEMPTS
from pipeline.store.vault import Vault
from settings import Settings, SettingsError

ROOT = Path(__file__).resolve().parents[2]
AUTH = (ROOT / "docs/paragon-auth.md").read_text()
NOW = 1_700_000_000
DIGEST = "0" * 64


def claims(encoded: str) -> dict[str, object]:
    payload = encoded.split(".")[1]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


@pytest.fixture(scope="module")
def pem() -> SecretStr:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return SecretStr(text.replace("\n", "\\n"))


def test_the_user_token_has_the_claims_and_times_of_the_page(pem: SecretStr) -> None:
    tokens = token.UserTokens(pem, audience="useparagon.com/p", clock=lambda: NOW)
    made = claims(tokens.token("ann/acme"))
    assert made == {"sub": "ann/acme", "iat": NOW - 60, "exp": NOW - 60 + 3600, "aud": "useparagon.com/p"}
    assert all(f"| `{claim}` |" in AUTH for claim in made)
    assert "now − 60 s" in AUTH
    assert "`iat` + 3600 s" in AUTH
    assert f"{token._FRESH} s to live" in AUTH


def test_the_run_token_has_the_claims_and_times_of_the_page() -> None:
    made = claims(run_tokens.RunTokens({"k": SecretStr("s" * 32)}).mint("ann/acme", "r", 1, 2, 3, NOW))
    section = AUTH.split("## Run token")[1].split("\n## ")[0]
    assert all(f"`{claim}`" in section for claim in made)
    assert made["exp"] == NOW + 30 * 86400
    assert "30 days" in section
    assert f"{run_tokens.LEEWAY} s of leeway" in section


def test_the_limits_of_a_call_are_those_of_the_page() -> None:
    given = inspect.signature(client.ParagonClient).parameters
    assert f"At most {given['timeout'].default:.0f} s a wait, {given['deadline'].default:.0f} s a call" in AUTH
    assert f"{client.ANSWER_LIMIT // 2**20} MiB" in AUTH
    assert MOST_ATTEMPTS == 10
    assert "ten attempts" in AUTH


def test_every_kind_of_error_stands_on_the_page() -> None:
    kinds = [
        name for name, found in vars(errors).items() if inspect.isclass(found) and found.__module__ == errors.__name__
    ]
    assert len(kinds) == 4
    assert all(f"`{name}`" in AUTH for name in kinds)


def test_our_own_metadata_keys_stand_on_the_page() -> None:
    assert all(f"`{key}`" in AUTH for key in OURS)


def test_a_vault_key_that_is_missing_makes_its_values_wait_and_a_second_one_opens_them() -> None:
    old, new = {"old": bytes(32)}, {"new": bytes([1]) * 32}
    sealed = Vault(old).seal("acme", b"header", b"plain")
    assert Vault(new | old).open("acme", "old", b"header", sealed) == b"plain"
    assert Vault(new | old).key_id == "new"
    with pytest.raises(Unavailable):
        Vault(new).open("acme", "old", b"header", sealed)


def load(**given: str) -> Settings:
    return Settings.load("cli", environ={f"SLUICE_{name}": value for name, value in given.items()}, op_env=None)


def test_a_scope_has_at_most_two_core_tokens_and_the_webhooks_two_secrets() -> None:
    assert load(CORE_TOKENS=f"operator={DIGEST},operator={'0' * 64}").core_tokens == {"operator": (DIGEST, "0" * 64)}
    with pytest.raises(SettingsError, match="more than two"):
        load(CORE_TOKENS=",".join([f"operator={DIGEST}"] * 3))
    with pytest.raises(SettingsError, match="more than two"):
        load(WEBHOOK_SECRETS=",".join(letter * 16 for letter in "abc"))

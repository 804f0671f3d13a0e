import base64
import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.paragon.run_tokens import LEEWAY, LIFETIME, BadToken, RunTokens

NOW = 1_700_000_000
OLD, NEW, STRANGER = ("o" * 40, "n" * 40, "s" * 40)
CLAIMS = {
    "aud": "webhooks",
    "sub": "ann/acme",
    "run": "r1",
    "attempt": 2,
    "epoch": 1_700_000_000_000_000,
    "gen": 3,
    "kind": "messages",
    "iat": NOW,
    "exp": NOW + LIFETIME,
}


def ring(**keys: str) -> RunTokens:
    return RunTokens({kid: SecretStr(secret) for kid, secret in keys.items()})


def signed(changes: Mapping[str, Any], key: str = NEW, kid: str | None = "new", algorithm: str = "HS256") -> str:
    claims = {name: value for name, value in (CLAIMS | dict(changes)).items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


@pytest.fixture
def tokens() -> RunTokens:
    return ring(new=NEW, old=OLD)


def test_what_was_minted_is_read_back(tokens: RunTokens) -> None:
    claims = tokens.verify(tokens.mint("rob@x.com/end1", "run-1", 4, 17, 2, NOW), NOW + 5)
    assert (claims.connection, claims.run, claims.attempt, claims.epoch, claims.gen) == (
        "rob@x.com/end1",
        "run-1",
        4,
        17,
        2,
    )


def test_the_first_key_signs_and_both_verify(tokens: RunTokens) -> None:
    assert jwt.get_unverified_header(tokens.mint("a/b", "r", 1, 1, 1, NOW))["kid"] == "new"
    assert tokens.verify(ring(old=OLD).mint("a/b", "r", 1, 1, 1, NOW), NOW).connection == "a/b"


def test_a_token_without_a_key_id_is_tried_with_every_key(tokens: RunTokens) -> None:
    assert tokens.verify(signed({}, OLD, kid=None), NOW).run == "r1"


def test_the_claims_of_the_forgeries_below_are_good_when_signed_right(tokens: RunTokens) -> None:
    assert tokens.verify(signed({}), NOW).gen == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - LEEWAY},
        {"exp": None},
        {"iat": NOW + LEEWAY + 1},
        {"iat": None},
        {"nbf": NOW + LEEWAY + 1},
        {"nbf": "soon"},
        {"aud": "core"},
        {"aud": None},
        {"kind": "channels"},
        {"kind": None},
        {"sub": ""},
        {"sub": None},
        {"run": None},
        {"run": 7},
        {"attempt": "2"},
        {"attempt": True},
        {"epoch": 1.5},
        {"epoch": None},
        {"gen": None},
        {"exp": 1e300},
    ],
    ids=str,
)
def test_a_claim_that_is_wrong_or_missing_is_refused(tokens: RunTokens, changes: dict[str, Any]) -> None:
    with pytest.raises(BadToken):
        tokens.verify(signed(changes), NOW)


@pytest.mark.parametrize(
    ("key", "kid", "algorithm"),
    [(STRANGER, "new", "HS256"), (NEW, "stranger", "HS256"), (NEW, "old", "HS256"), (NEW * 2, "new", "HS512")],
)
def test_another_key_key_id_or_algorithm_is_refused(tokens: RunTokens, key: str, kid: str, algorithm: str) -> None:
    with pytest.raises(BadToken):
        tokens.verify(signed({}, key, kid, algorithm), NOW)


def test_no_algorithm_at_all_is_refused(tokens: RunTokens) -> None:
    for algorithm in ("none", "None", "NONE"):
        head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "new"}).encode()).rstrip(b"=")
        body = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b"=")
        for signature in (b"", b"AAAA"):
            with pytest.raises(BadToken):
                tokens.verify(b".".join((head, body, signature)).decode(), NOW)


def test_a_public_key_used_as_a_secret_signs_nothing(tokens: RunTokens) -> None:
    import hashlib
    import hmac

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "new"}).encode()).rstrip(b"=")
    content = head + b"." + base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b"=")
    signature = base64.urlsafe_b64encode(hmac.new(pem, content, hashlib.sha256).digest()).rstrip(b"=")
    with pytest.raises(BadToken):
        tokens.verify((content + b"." + signature).decode(), NOW)


def test_a_clock_that_is_off_by_thirty_seconds_is_no_outage(tokens: RunTokens) -> None:
    token = tokens.mint("a/b", "r", 1, 1, 1, NOW)
    assert tokens.verify(token, NOW - 30)
    assert tokens.verify(token, NOW + LIFETIME + 30)


def test_a_remembered_token_still_expires(tokens: RunTokens) -> None:
    token = tokens.mint("a/b", "r", 1, 1, 1, NOW)
    assert tokens.verify(token, NOW)
    with pytest.raises(BadToken):
        tokens.verify(token, NOW + LIFETIME + LEEWAY)


def test_memory_is_bounded_and_forgeries_take_no_place_in_it() -> None:
    tokens = RunTokens({"new": SecretStr(NEW)}, remember=3)
    for run in range(10):
        tokens.verify(tokens.mint("a/b", f"r{run}", 1, 1, 1, NOW), NOW)
        with pytest.raises(BadToken):
            tokens.verify(signed({}, STRANGER), NOW)
    assert len(tokens._verified) == 3


@given(
    st.text(max_size=200)
    | st.integers(1, 3).map(lambda n: base64.urlsafe_b64encode(b"[" * n * 900).decode() + ".e30.AA")
)
def test_rubbish_is_only_ever_refused(token: str) -> None:
    with pytest.raises(BadToken):
        ring(new=NEW).verify(token, NOW)


def test_a_token_of_a_megabyte_is_refused_unread(tokens: RunTokens) -> None:
    with pytest.raises(BadToken):
        tokens.verify(signed({"pad": "x" * 1_000_000}), NOW)


def test_keys_that_are_missing_or_short_stop_the_start() -> None:
    for keys in ({}, {"k": "short"}):
        with pytest.raises(ValueError, match="key"):
            ring(**keys)

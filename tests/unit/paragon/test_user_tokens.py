import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from pipeline.paragon.token import LIFETIME, UserTokens


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def claims(token: str, key: rsa.RSAPrivateKey) -> dict[str, object]:
    options = {"verify_exp": False, "verify_aud": False, "verify_iat": False}
    read: dict[str, object] = jwt.decode(token, key.public_key(), algorithms=["RS256"], options=options)
    return read


def test_a_token_says_who_and_for_an_hour(pem: str, signing_key: rsa.RSAPrivateKey) -> None:
    read = claims(UserTokens(SecretStr(pem), clock=Clock()).token("rob@x.com/end1"), signing_key)
    assert set(read) == {"sub", "iat", "exp"}
    assert read["sub"] == "rob@x.com/end1"
    assert int(str(read["exp"])) - int(str(read["iat"])) == LIFETIME == 3600


def test_an_audience_is_there_only_when_it_was_configured(pem: str, signing_key: rsa.RSAPrivateKey) -> None:
    tokens = UserTokens(SecretStr(pem), audience="useparagon.com/p1", clock=Clock())
    assert claims(tokens.token("a/b"), signing_key)["aud"] == "useparagon.com/p1"


def test_a_verifier_whose_clock_is_thirty_seconds_behind_is_no_outage(pem: str, signing_key: rsa.RSAPrivateKey) -> None:
    clock = Clock()
    assert int(str(claims(UserTokens(SecretStr(pem), clock=clock).token("a/b"), signing_key)["iat"])) <= clock.now - 30


def test_a_key_out_of_a_secret_store_has_its_line_ends_written_out(pem: str) -> None:
    assert UserTokens(SecretStr(pem.replace("\n", "\\n"))).token("a/b").count(".") == 2


def test_a_token_is_remembered_until_shortly_before_its_end(pem: str) -> None:
    clock = Clock()
    tokens = UserTokens(SecretStr(pem), clock=clock)
    first = tokens.token("a/b")
    clock.now += 2900
    assert tokens.token("a/b") == first
    clock.now += 100
    assert tokens.token("a/b") != first


def test_a_clock_that_was_set_back_gets_a_new_token(pem: str) -> None:
    clock = Clock()
    tokens = UserTokens(SecretStr(pem), clock=clock)
    first = tokens.token("a/b")
    clock.now -= 3600
    assert tokens.token("a/b") != first


def test_memory_is_bounded_and_the_least_used_goes(pem: str) -> None:
    clock = Clock()
    tokens = UserTokens(SecretStr(pem), clock=clock, remember=2)
    kept = tokens.token("a/b")
    tokens.token("c/d")
    clock.now += 1
    assert tokens.token("a/b") == kept
    tokens.token("e/f")
    assert set(tokens._minted) == {"a/b", "e/f"}


def test_a_key_that_is_none_stops_the_start_and_is_not_quoted() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    other = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for text in ("", "op://vault/key", other, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"):
        with pytest.raises(ValueError, match="RSA private key") as caught:
            UserTokens(SecretStr(text))
        assert "op://" not in str(caught.value)

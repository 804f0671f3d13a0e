from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from api.verify import Sender, Unauthorized, Verifier, bind
from pipeline.envelope import Envelope, EnvelopeError, Kind
from pipeline.paragon.run_tokens import LIFETIME, RunTokens

NOW = 1_700_000_000
KEY = "k" * 40
OLD, NEW = "old-shared-secret-0001", "new-shared-secret-0001"
TOKENS = RunTokens({"k1": SecretStr(KEY)})
KINDS: list[Kind] = ["messages", "channels", "users"]


def verifier(*secrets: str, tokens: RunTokens | None = TOKENS, outside_runs: bool = False) -> Verifier:
    return Verifier(tokens, [SecretStr(secret) for secret in secrets], allow_messages_outside_runs=outside_runs)


def bearer(credential: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"x"), (b"authorization", b"Bearer " + credential.encode())]


def token(now: float = NOW) -> str:
    return TOKENS.mint("ann/acme", "r1", 2, 17, 3, now)


def test_a_run_token_says_whose_page_it_is() -> None:
    sender = verifier(NEW).authenticate("messages", bearer(token()), NOW)
    assert sender == Sender(connection="ann/acme", run="r1", attempt=2, epoch=17, gen=3)


@pytest.mark.parametrize("kind", ["channels", "users"])
@pytest.mark.parametrize("secret", [OLD, NEW])
def test_a_directory_page_comes_with_either_secret(kind: Kind, secret: str) -> None:
    assert verifier(NEW, OLD).authenticate(kind, bearer(secret), NOW) == Sender()


def test_a_run_token_opens_no_directory() -> None:
    with pytest.raises(Unauthorized):
        verifier(NEW).authenticate("channels", bearer(token()), NOW)


def test_the_secret_opens_messages_only_where_that_is_allowed() -> None:
    assert verifier(NEW, outside_runs=True).authenticate("messages", bearer(NEW), NOW) == Sender()
    assert verifier(NEW, outside_runs=True).authenticate("messages", bearer(token()), NOW).run == "r1"
    with pytest.raises(Unauthorized):
        verifier(NEW).authenticate("messages", bearer(NEW), NOW)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outside_runs", [True, False])
def test_without_any_key_nobody_is_let_in(kind: Kind, outside_runs: bool) -> None:
    nobody = verifier(tokens=None, outside_runs=outside_runs)
    for credential in (token(), NEW, "", " "):
        with pytest.raises(Unauthorized):
            nobody.authenticate(kind, bearer(credential), NOW)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", NEW.encode())],
        [(b"authorization", b"Basic " + NEW.encode())],
        [(b"authorization", b"Bearer " + NEW.encode() + b"x")],
        [(b"authorization", b"Bearer " + NEW[:-1].encode())],
        [(b"authorization", b"Bearer \xff\xfe")],
        [(b"x-authorization", b"Bearer " + NEW.encode())],
        [(b"authorization", b"Bearer " + NEW.encode())] * 2,
    ],
)
def test_no_credential_half_a_credential_and_two_are_refused(kind: Kind, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Unauthorized):
        verifier(NEW, outside_runs=True).authenticate(kind, headers, NOW)


@pytest.mark.parametrize(
    "forged",
    [
        token(NOW - LIFETIME - 61),
        token(NOW + 61),
        jwt.encode({"sub": "ann/acme"}, KEY, algorithm="HS256"),
        token() + "x",
        token().rpartition(".")[0] + ".",
    ],
)
def test_a_token_out_of_its_time_or_shape_is_refused(forged: str) -> None:
    with pytest.raises(Unauthorized):
        verifier(NEW).authenticate("messages", bearer(forged), NOW)


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_secret_that_is_none_stops_the_start(secret: str) -> None:
    with pytest.raises(ValueError, match="webhook secret"):
        verifier(secret)


RUN = Sender(connection="ann/acme", run="r1", attempt=2, epoch=17, gen=3)


@pytest.mark.parametrize("said", [{}, {"connection": "ann/acme"}, {"run_id": "r1", "attempt": 2}])
def test_what_an_envelope_leaves_out_comes_from_the_token(said: dict[str, Any]) -> None:
    assert bind(RUN, Envelope(kind="messages", channel="C1", **said)) == RUN


@pytest.mark.parametrize("said", [{"connection": "bob/acme"}, {"run_id": "r2"}, {"attempt": 1}])
def test_a_callback_for_another_is_unauthorized(said: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        bind(RUN, Envelope(kind="messages", channel="C1", **said))


def test_a_directory_page_belongs_to_the_execution_that_it_names() -> None:
    bound = bind(Sender(), Envelope(kind="users", connection="ann/acme", run_id="x1"))
    assert bound == Sender(connection="ann/acme", run="x1")


def test_messages_by_the_secret_belong_to_no_run_whatever_they_say() -> None:
    page = Envelope(kind="messages", connection="ann/acme", run_id="r1", attempt=2, channel="C1")
    assert bind(Sender(), page) == Sender(connection="ann/acme")


def test_messages_by_the_secret_must_name_their_connection() -> None:
    with pytest.raises(EnvelopeError, match="connection"):
        bind(Sender(), Envelope(kind="messages", channel="C1"))

"""Who sent a callback (design.md, 7). Sans-IO: headers in, a `Sender` or `Unauthorized` out.

Pages of messages carry the run token that we put into the trigger's body. Directory pages, which Paragon starts by
itself, carry the project's shared secret, which is one for all customers: it tells that Paragon's project speaks, and
the connection stays a claim that the store must know. Messages by the shared secret only where a setting allows it:
then they belong to no run, whatever they say.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from pydantic import SecretStr

from pipeline.envelope import Envelope, EnvelopeError, Kind
from pipeline.paragon.run_tokens import BadToken, RunTokens

RawHeaders = Iterable[tuple[bytes, bytes]]
"""As ASGI gives them: names in lower case."""

_SHORTEST_SECRET: Final = 16


class Unauthorized(Exception):
    """No sender that we know. Which check failed is not said: it would help nobody honest."""


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Whose page it is. `epoch` (microseconds) and `gen` are there where a run token was; None: unknown."""

    connection: str | None = None
    run: str | None = None
    attempt: int | None = None
    epoch: int | None = None
    gen: int | None = None


class Verifier:
    """Knows senders by run tokens (None: no page of messages is let in) and by shared secrets (any number of them).

    Either may be missing, and then what it guards answers 401. Raises `ValueError` for a secret that is none.
    """

    def __init__(
        self,
        run_tokens: RunTokens | None,
        secrets: Sequence[SecretStr],
        *,
        allow_messages_outside_runs: bool = False,
    ) -> None:
        plain = [secret.get_secret_value().encode() for secret in secrets]
        if any(len(secret) < _SHORTEST_SECRET for secret in plain):
            raise ValueError(f"a webhook secret needs at least {_SHORTEST_SECRET} bytes")
        self._run_tokens, self._outside_runs = run_tokens, allow_messages_outside_runs
        self._secrets = [_digest(secret) for secret in plain]

    def authenticate(self, kind: Kind, headers: RawHeaders, now: float) -> Sender:
        """The sender by the one `Authorization: Bearer` of `headers`; `now` in Unix seconds. Raises `Unauthorized`."""
        bearer = _bearer(headers)
        if kind == "messages":
            return self._of_messages(bearer, now)
        if not self._is_shared_secret(bearer):
            raise Unauthorized
        return Sender()

    def _of_messages(self, bearer: bytes, now: float) -> Sender:
        if self._outside_runs and self._is_shared_secret(bearer):
            return Sender()
        if self._run_tokens is None:
            raise Unauthorized
        try:
            claims = self._run_tokens.verify(bearer.decode("ascii"), now)
        except (BadToken, UnicodeDecodeError):
            raise Unauthorized from None
        return Sender(
            connection=claims.connection, run=claims.run, attempt=claims.attempt, epoch=claims.epoch, gen=claims.gen
        )

    def _is_shared_secret(self, bearer: bytes) -> bool:
        """Compared with every secret, as digests: neither which one nor how much of it fits shows in the time."""
        digest = _digest(bearer)
        return sum(hmac.compare_digest(digest, secret) for secret in self._secrets) > 0


def bind(sender: Sender, envelope: Envelope) -> Sender:
    """The sender with what its envelope adds; `connection` is set.

    A run token's word stands, and an envelope that says otherwise is a callback for another: `Unauthorized`. Without
    one the envelope names the connection (`EnvelopeError` where it does not), and a directory page its own run.
    """
    if sender.connection is None:
        if envelope.connection is None:
            raise EnvelopeError(422, "connection", "missing")
        if envelope.kind == "messages":
            return Sender(connection=envelope.connection)
        return Sender(connection=envelope.connection, run=envelope.run_id, attempt=envelope.attempt)
    said = (envelope.connection, envelope.run_id, envelope.attempt)
    known = (sender.connection, sender.run, sender.attempt)
    if any(one is not None and one != other for one, other in zip(said, known, strict=True)):
        raise Unauthorized
    return sender


def _bearer(headers: RawHeaders) -> bytes:
    """The one credential; two `Authorization` headers are none, since two readers could take different ones."""
    given = [value for name, value in headers if name == b"authorization"]
    scheme, _, credential = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    if scheme.lower() != b"bearer" or not credential.strip():
        raise Unauthorized
    return credential.strip()


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()

"""The core service's door for events: one signed POST and what came of it (Standard Webhooks, with its library).

One deadline for all of a call, no redirects, certificates verified; of the answer only the status counts.
"""

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import httpx
from common_mesh.transport import DeadlineTransport, until
from pydantic import SecretStr
from standardwebhooks import Webhook

from pipeline.paragon.errors import retry_after

DEADLINE_SECONDS: Final = 15.0
_BODY_SECONDS: Final = 1.0
_BODY_BYTES: Final = 64 * 1024
_OF_THIS_EVENT: Final = frozenset({400, 409, 413, 415, 422})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try. `status` is 0 where none came; `reason` is one word; `retry_after` is in seconds."""

    status: int
    reason: str
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        """2xx: the receiver has it."""
        return 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """410: the receiver wants no events any more, until an operator says otherwise."""
        return self.status == HTTPStatus.GONE

    @property
    def of_this_event(self) -> bool:
        """It refuses this event; that it fails at others does not follow."""
        return self.status in _OF_THIS_EVENT


class Receiver:
    """Sends events to one address; threads may share it. Each of `secrets` (`whsec_…`) signs; `transport` is tests'."""

    def __init__(
        self,
        url: str,
        secrets: Sequence[SecretStr],
        *,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self._url, self._clock, self._deadline = url, clock, deadline
        self._signers = [Webhook(secret.get_secret_value()) for secret in secrets]
        self._http = httpx.Client(
            transport=DeadlineTransport(2) if transport is None else transport,
            timeout=deadline,
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": "Sluice", "Accept-Encoding": "identity", "Content-Type": "application/json"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def tell(self, name: str, body: str) -> Answer:
        """Send an event once. `name` is its `webhook-id`, the same in every try; time and signatures are new."""
        try:
            with (
                until(time.monotonic() + self._deadline),
                self._http.stream("POST", self._url, content=body.encode(), headers=self._signed(name, body)) as answer,
            ):
                _read(answer)
        except httpx.TimeoutException:
            return Answer(0, "timeout")
        except httpx.TransportError as error:
            return Answer(0, "certificate" if _is_certificate(error) else "unreachable")
        wait = retry_after(answer.headers.get("Retry-After"), self._clock())
        return Answer(answer.status_code, f"status_{answer.status_code}", wait)

    def _signed(self, name: str, body: str) -> dict[str, str]:
        """The three headers; a signature of each secret, so that the receiver may change its own when it likes."""
        at = datetime.fromtimestamp(int(self._clock()), UTC)
        signatures = [signer.sign(name, at, body) for signer in self._signers]
        return {
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def _read(answer: httpx.Response) -> None:
    """Take a short answer off the line, so that the connection serves again; what is long or slow costs it."""
    size = 0
    try:
        with until(time.monotonic() + _BODY_SECONDS):
            for chunk in answer.iter_raw():
                size += len(chunk)
                if size > _BODY_BYTES:
                    return
    except httpx.TransportError:
        return  # the status came, and it says all


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None

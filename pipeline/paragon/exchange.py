"""One request to Paragon and its answer, bounded in time and size; the failures of the line in our words.

httpx bounds each wait by itself, so an answer whose headers trickle would be listened to for ever: the transport here
holds every operation on the socket to the deadline of the call.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx
from common_core.timing import timed
from common_mesh.transport import DeadlineTransport, until

from pipeline.certificates import distrusted
from pipeline.errors import SluiceError, Unavailable
from pipeline.paragon.errors import AccessRefused, refusal, retry_after

ANSWER_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of an answer that are read at most."""
RAW_LIMIT: Final = 1024 * 1024 * 1024
"""Bytes of a raw answer that are handed on at most."""
RAW_SECONDS: Final = 600.0
"""How long a raw answer's body may take."""
_ERROR_LIMIT: Final = 64 * 1024
_CONNECTIONS: Final = 32
_timed = timed("paragon.call", logging.getLogger(__name__), level=logging.DEBUG)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `body` is sent as JSON unless None."""

    method: str
    url: str
    token: str
    params: Mapping[str, str] | None = None
    body: object = None
    raw: bool = False
    """Whether Paragon is asked to hand on the provider's own answer."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What came of a raw call: the provider's status and headers, in their order, and the bytes that were handed on."""

    status: int
    headers: tuple[tuple[str, str], ...]
    size: int


class Exchange:
    """Sends requests; threads may share it. Times in seconds, `clock` in Unix seconds; `transport` is for tests."""

    def __init__(
        self,
        transport: httpx.BaseTransport | None,
        *,
        timeout: float,
        deadline: float,
        clock: Callable[[], float],
    ) -> None:
        self._deadline, self._clock = deadline, clock
        self._http = httpx.Client(
            transport=DeadlineTransport(_CONNECTIONS) if transport is None else transport,
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
            # Nothing bounds what a compressed answer inflates to, so none is asked for and none is inflated.
            headers={"Accept-Encoding": "identity", "Accept": "application/json"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @_timed
    def json(self, asked: Asked) -> tuple[object, float | None]:
        """The answer's JSON, None where there is none, and its `Retry-After`. Not 2xx and no answer raise."""
        ends = time.monotonic() + self._deadline
        with _failures(), self._sent(asked, ends) as response:
            answer = _json(_read(response, ANSWER_LIMIT, ends))
        wait = self._wait(response)
        if not response.is_success:
            raise refusal(response.status_code, answer, wait)
        return answer, wait

    @_timed
    def raw(self, asked: Asked, into: Callable[[bytes], object], limit: int = RAW_LIMIT) -> RawAnswer:
        """Hand the provider's own bytes to `into`, as they come and as they are encoded; nothing of a refusal.

        Raises as `json` does, and `Unavailable` for more than `limit` bytes: what was handed on then is a part.
        """
        with _failures(), self._sent(asked, time.monotonic() + self._deadline) as response:
            if not response.is_success:
                raise self._raw_refusal(response)
            size, ends = 0, time.monotonic() + RAW_SECONDS
            with until(ends):
                for chunk in _bounded(response.iter_raw(), limit, ends):
                    into(chunk)
                    size += len(chunk)
        return RawAnswer(response.status_code, tuple(response.headers.multi_items()), size)

    @contextmanager
    def _sent(self, asked: Asked, ends: float) -> Iterator[httpx.Response]:
        headers = {"Authorization": f"Bearer {asked.token}"}
        if asked.raw:
            headers |= {"X-Paragon-Use-Raw-Response": "1", "Accept": "*/*"}
        if asked.body is not None:
            headers["Content-Type"] = "application/json"
        # In ASCII, so that somebody else's metadata goes back as it came, half surrogate pairs and all.
        content = None if asked.body is None else json.dumps(asked.body).encode()
        with (
            until(ends),
            self._http.stream(
                asked.method, asked.url, params=asked.params, content=content, headers=headers
            ) as response,
        ):
            yield response

    def _raw_refusal(self, response: httpx.Response) -> SluiceError:
        """A 4xx that does not look like an error of Paragon is the provider's own, in whatever shape that has."""
        status = response.status_code
        try:
            answer = _json(_read(response, _ERROR_LIMIT, time.monotonic() + self._deadline))
        except Unavailable:  # too long, or compressed: the status alone has to do
            answer = None
        theirs = isinstance(answer, dict) and isinstance(answer.get("meta"), dict)
        if not theirs and 400 <= status < 500:
            said = answer.get("error") if isinstance(answer, dict) else ""
            answer = {"code": said, "meta": {"isIntegrationError": True}}
        return refusal(status, answer, self._wait(response))

    def _wait(self, response: httpx.Response) -> float | None:
        return retry_after(response.headers.get("Retry-After"), self._clock())


def _read(response: httpx.Response, limit: int, ends: float) -> bytes:
    """The answer, within its size and the call's time (`ends`, monotonic seconds)."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Unavailable("paragon_answer_encoded")
    return b"".join(_bounded(response.iter_bytes(), limit, ends))


def _bounded(chunks: Iterator[bytes], limit: int, ends: float) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise Unavailable("paragon_answer_too_long")
        if time.monotonic() > ends:
            raise Unavailable("paragon_deadline")
        yield chunk


@contextmanager
def _failures() -> Iterator[None]:
    """Transport errors in our words. A wrong certificate is no outage: somebody must look at it."""
    try:
        yield
    except httpx.TimeoutException:
        raise Unavailable("paragon_timeout") from None
    except httpx.TransportError as error:
        if distrusted(error):
            raise AccessRefused(0, "certificate") from None
        raise Unavailable("paragon_unreachable") from None


def _json(body: bytes) -> object:
    try:
        answer: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer

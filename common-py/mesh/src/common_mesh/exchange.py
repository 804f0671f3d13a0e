"""One request, one whole answer: within the deadline, within the cap, judged by kind."""

import json
import ssl
import time
from datetime import UTC, datetime
from typing import NamedTuple, cast

import httpx

from common_mesh import transport
from common_mesh.encoding import CODINGS, Coding
from common_mesh.errors import MeshError, ProtocolError, Refused
from common_mesh.policy import Policy
from common_mesh.retry import RETRIED, retry_after


class TryAgain(Exception):
    """Not now. `retry_after` as the mesh named it; `limited` if it is up and only says "slower" (429)."""

    def __init__(self, what: str, retry_after: float | None = None, *, limited: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after
        self.limited = limited


class TooLarge(Exception):
    """413: the batch must be smaller. The limits are the mesh's own, where it tells them."""

    def __init__(self, records: int | None, size: int | None) -> None:
        super().__init__("413")
        self.records = records
        self.bytes = size


class OtherCoding(Exception):
    """415: the mesh does not inflate this; it accepts these."""

    def __init__(self, accepted: tuple[Coding, ...]) -> None:
        super().__init__("415")
        self.accepted = accepted


class _Answer(NamedTuple):
    status: int
    headers: httpx.Headers
    body: bytes


def exchange(client: httpx.Client, policy: Policy, request: httpx.Request, deadline: float) -> bytes:
    """The body of a 200. Raises `TryAgain`, `TooLarge`, `OtherCoding`, `Refused` or `ProtocolError`."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TryAgain("the total deadline has passed")
    connect, read = min(policy.connect_timeout, left), min(policy.read_timeout, left)
    request.extensions["timeout"] = {"connect": connect, "read": read, "write": read, "pool": left}
    try:
        with transport.until(deadline):
            answer = _send(client, request, policy.max_answer_bytes, deadline)
    except httpx.TransportError as error:
        raise _judged_failure(error) from error
    return _judge(answer)


def _send(client: httpx.Client, request: httpx.Request, cap: int, deadline: float) -> _Answer:
    response = client.send(request, stream=True, follow_redirects=False)
    try:
        body = bytearray()
        # The stream itself, undecoded: `iter_raw` would refuse the ready-made responses of a mock transport.
        for chunk in cast("httpx.SyncByteStream", response.stream):
            body += chunk
            if len(body) > cap:
                raise ProtocolError(f"the mesh answered {response.status_code} with more than {cap} bytes")
            if time.monotonic() > deadline:
                raise TryAgain("the answer took longer than the total deadline")
        return _Answer(response.status_code, response.headers, bytes(body))
    finally:
        response.close()  # an answer left unread closes its connection: the slot is free again
        # httpx ties response and stream into a cycle, which would keep the request's body until the collector comes.
        response.stream = httpx.ByteStream(b"")


def _judged_failure(error: httpx.TransportError) -> Exception:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ProtocolError("the certificate of the mesh is not one we trust")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return ProtocolError("the request cannot be put on the wire")
    return TryAgain(f"the mesh did not answer ({type(error).__name__})")


def _judge(answer: _Answer) -> bytes:
    status = answer.status
    if status == 200:
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise ProtocolError("the mesh compressed an answer that we asked for in clear")
        return answer.body
    if status in RETRIED:
        asked = retry_after(answer.headers, datetime.now(UTC))
        raise TryAgain(f"the mesh answered {status}", asked, limited=status == 429)
    if status == 413:
        raise TooLarge(*_limits(answer.body))
    if status == 415:
        raise OtherCoding(_accepted(answer.headers))
    raise _final(status)


def _final(status: int) -> MeshError:
    if 400 <= status < 500:
        return Refused(f"the mesh refuses us with {status}", status=status)
    return ProtocolError(f"the mesh answered {status}, which the protocol does not know")


def _limits(body: bytes) -> tuple[int | None, int | None]:
    try:
        document = json.loads(body)
        found = [document.get(name) for name in ("max_records", "max_bytes")]
    except (ValueError, AttributeError, RecursionError):
        return None, None
    records, size = (value if type(value) is int and value > 0 else None for value in found)
    return records, size


def _accepted(headers: httpx.Headers) -> tuple[Coding, ...]:
    named = {part.split(";")[0].strip().lower() for part in headers.get("accept-encoding", "").split(",")}
    return tuple(coding for coding in CODINGS if coding in named)

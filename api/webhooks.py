"""The webhooks: where Paragon's workflows post what they read (design.md, 3 and 7).

    declared size ▶ sender ▶ media type ▶ body ▶ envelope ▶ sender again ▶ append ▶ 202
        413          401        415      413/400  400/422       401      403/429/503

Plain ASGI callables inside the application: these three routes carry all the load, and need neither dependencies
solved nor a response model. Nothing is parsed before the sender is known, and nothing is answered 202 before the
inbox has it.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import msgspec
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.body import BadBody, ClientGone, Encoding, TooLarge, read_body
from api.problems import Problem, problem_of, too_large, unauthorized
from api.verify import RawHeaders, Unauthorized, Verifier, bind
from pipeline.envelope import Envelope, Kind, pack, read_envelope, read_query
from pipeline.errors import SluiceError
from pipeline.payload import EnvelopeError

PATHS: Final[dict[Kind, str]] = {
    "channels": "/v1/webhooks/slack/channels",
    "users": "/v1/webhooks/slack/users",
    "messages": "/v1/webhooks/slack/messages",
}
BODY_SECONDS: Final = 60.0
"""How long a body may take to arrive."""

Count = Callable[[str, str], None]
"""(outcome, kind): called once for every callback, with "accepted" or the problem's slug."""

_log = logging.getLogger(__name__)
_ACCEPTED_HEADERS: Final = (b"content-type", b"application/json")


class Inbox(Protocol):
    """What keeps callbacks. It answers with a receipt only once the payload would survive a power cut."""

    async def append(
        self,
        *,
        kind: str,
        connection: str,
        generation: int | None,
        run: str | None,
        attempt: int | None,
        epoch: int | None,
        payload: bytes,
    ) -> str:
        """The receipt. Raises `NotRegistered`, `BacklogFull`, `Unavailable`."""
        ...


def no_count(_outcome: str, _kind: str) -> None:
    """Counts nothing."""


class WebhookEndpoint:
    """The ASGI callable of one kind of callback. `body_limit` in bytes; `clock` gives Unix seconds."""

    def __init__(
        self,
        kind: Kind,
        verifier: Verifier,
        inbox: Inbox,
        *,
        body_limit: int,
        body_seconds: float = BODY_SECONDS,
        count: Count = no_count,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kind, self._verifier, self._inbox = kind, verifier, inbox
        self._body_limit, self._body_seconds = body_limit, body_seconds
        self._count, self._clock = count, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; one whose sender has gone gets no answer."""
        try:
            receipt = await self._accept(scope, receive)
        except ClientGone:
            self._count("gone", self._kind)
        except Problem as problem:
            self._count(problem.slug, self._kind)
            await problem.response()(scope, receive, send)
        else:
            self._count("accepted", self._kind)
            await _answer(send, 202, msgspec.json.encode({"receipt": receipt}))

    async def _accept(self, scope: Scope, receive: Receive) -> str:
        """The receipt. Raises `Problem` and `ClientGone`."""
        head = _read_head(scope["headers"])
        if head.length is not None and head.length > self._body_limit:
            raise too_large(self._body_limit)
        try:
            sender = self._verifier.authenticate(self._kind, scope["headers"], self._clock())
            body = await self._read(receive, head)
            query = read_query(scope.get("query_string", b""))
            envelope = read_envelope(self._kind, body, query)
            sender = bind(sender, envelope)
            self._note(envelope)
            return await self._inbox.append(
                kind=self._kind,
                connection=sender.connection or "",
                generation=sender.gen,
                run=sender.run,
                attempt=sender.attempt,
                epoch=sender.epoch,
                payload=pack(body, query),
            )
        except Unauthorized:
            raise unauthorized() from None
        except EnvelopeError as error:
            # The sender is known, so an engineer is looking for why his workflow gets this.
            _log.warning("webhook.malformed", extra={"kind": self._kind, "at": error.location, "reason": error.kind})
            raise problem_of(error) from None
        except SluiceError as error:
            raise problem_of(error) from None

    async def _read(self, receive: Receive, head: "_Head") -> bytes:
        encoding = _supported(head)
        try:
            async with asyncio.timeout(self._body_seconds):
                return await read_body(receive, limit=self._body_limit, encoding=encoding, length=head.length)
        except TimeoutError:
            raise Problem(408, "slow-body", "The body took too long", headers={"Connection": "close"}) from None
        except TooLarge:
            raise too_large(self._body_limit) from None
        except BadBody as error:
            raise EnvelopeError(400, "body", error.kind) from None

    def _note(self, envelope: Envelope) -> None:
        """Count what is taken and yet worth a look: fields that we do not know, and Slack's own refusals."""
        if envelope.extra:
            self._count("extra-fields", self._kind)
        if envelope.gap:
            self._count("gap", self._kind)


def webhook_routes(
    verifier: Verifier,
    inbox: Inbox,
    *,
    body_limit: int,
    count: Count = no_count,
    clock: Callable[[], float] = time.time,
) -> list[Route]:
    """The three routes, for `app.router.routes`."""
    return [
        Route(
            path,
            WebhookEndpoint(kind, verifier, inbox, body_limit=body_limit, count=count, clock=clock),
            methods=["POST"],
            name=f"webhook_{kind}",
        )
        for kind, path in PATHS.items()
    ]


class _Head(NamedTuple):
    """What of the headers tells how to read the body."""

    length: int | None
    media_type: bytes
    encoding: bytes


def _read_head(headers: RawHeaders) -> _Head:
    found = dict(headers)
    length = found.get(b"content-length")
    return _Head(
        length=int(length) if length is not None and length.isdigit() and len(length) < 20 else None,
        media_type=found.get(b"content-type", b"application/json").lower(),
        encoding=found.get(b"content-encoding", b"identity").strip().lower(),
    )


def _supported(head: _Head) -> Encoding:
    """The body's encoding. Raises `Problem(415)` for what we do not read: only JSON in UTF-8, plain or gzip."""
    media_type, _, parameters = head.media_type.partition(b";")
    media_type = media_type.strip()
    is_json = media_type == b"application/json" or (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    )
    charset = parameters.replace(b'"', b"").replace(b" ", b"")
    if not is_json or (b"charset=" in charset and b"charset=utf-8" not in charset):
        raise Problem(415, "media-type", "Only application/json is read")
    match head.encoding:
        case b"identity" | b"":
            return "identity"
        case b"gzip" | b"x-gzip":
            return "gzip"
    raise Problem(415, "content-encoding", "Only gzip is inflated", headers={"Accept-Encoding": "gzip, identity"})


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [_ACCEPTED_HEADERS, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

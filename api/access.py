"""Who may call the core routes: bearer tokens, known only by their SHA-256, with a scope each.

A caller is known before a byte of his body is read, and bodies are bounded. What belongs to another organisation
answers as what does not exist: the same 404, before the store is asked.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.types import Message

from api.answers import problems
from api.body import ClientGone, TooLarge, read_body
from api.problems import Problem, too_large
from api.services import Services

OPERATOR: Final = "operator"
BODY_LIMIT: Final = 2 * 1024 * 1024
"""Bytes: the longest allowlist has room in it."""
BODY_SECONDS: Final = 30.0

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_bearer = HTTPBearer(auto_error=False, scheme_name="coreToken", description="Of `operator`, or of one organisation.")


class CoreRoute(APIRoute):
    """A route that knows its caller before it reads a bounded body; FastAPI itself would parse first."""

    def get_route_handler(self) -> Handler:
        """FastAPI's handler behind the door."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            request.state.held = held_by(request.headers.getlist("authorization"), services(request).core_tokens)
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    body = await read_body(request.receive, limit=BODY_LIMIT)
            except TooLarge:
                raise too_large(BODY_LIMIT) from None
            except TimeoutError:
                raise Problem(408, "slow-body", "The body took too long", headers={"Connection": "close"}) from None
            except ClientGone:
                return Response(status_code=400)  # nobody hears it
            return await inner(_with_body(request, body))

        return handler


def core_router(tag: str, prefix: str = "") -> APIRouter:
    """A router whose routes want a token; they are described under `tag`."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=CoreRoute, responses=problems(401, 503))


def held_by(authorizations: list[str], known: Mapping[str, Sequence[str]]) -> str:
    """The scope of the one bearer token, in constant time: every known digest is compared, whatever was sent.

    Two `Authorization` headers are none, since two readers could take different ones. Raises `Problem(401)`.
    """
    scheme, _, token = authorizations[0].partition(" ") if len(authorizations) == 1 else ("", "", "")
    digest = hashlib.sha256(token.strip().encode()).hexdigest()
    held = [name for name, stored in known.items() for one in stored if hmac.compare_digest(one, digest)]
    if scheme.lower() != "bearer" or not held:
        detail = "Send one of the tokens of SLUICE_CORE_TOKENS."
        raise Problem(401, "unauthorized", "Bearer token wanted", detail, headers={"WWW-Authenticate": "Bearer"})
    return held[0]


def not_found() -> Problem:
    """404, the same for what does not exist and for what another organisation has."""
    return Problem(404, "not-found", "Not found", "Nothing of that name for this token.")


def services(request: Request) -> Services:
    """The application's services."""
    found: Services = request.app.state.services
    return found


def scope(request: Request, _: Annotated[object, Depends(_bearer)]) -> str:
    """The scope of the caller's token: `operator` or `org:<id>`."""
    held: str = request.state.held
    return held


def operator(held: Annotated[str, Depends(scope)]) -> str:
    """Only the operator. Raises `Problem(403)`."""
    if held != OPERATOR:
        raise Problem(403, "forbidden", "Operator scope wanted", "This route needs the operator's token.")
    return held


def may_see(held: str, org: str) -> bool:
    """Whether a scope covers an organisation."""
    return held in (OPERATOR, f"org:{org}")


def decoded(part: str) -> str:
    """A part of the path as it was sent (`api.edge.RawPaths`), decoded. Raises `Problem(404)` for what is no UTF-8."""
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise not_found() from None


def organisation(
    org: Annotated[str, Path(description="Organisation id, percent-encoded.", examples=["end10843"])],
    held: Annotated[str, Depends(scope)],
) -> str:
    """The organisation in the path. 404 for another one's, and for one with a slash, which none can have."""
    name = decoded(org)
    if "/" in name or not may_see(held, name):
        raise not_found()
    return name


def _with_body(request: Request, body: bytes) -> Request:
    """The request with a body that was read already."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else await request.receive()

    return Request(request.scope, receive)


Known = Annotated[Services, Depends(services)]
Scope = Annotated[str, Depends(scope)]
Operator = Annotated[str, Depends(operator)]
Organisation = Annotated[str, Depends(organisation)]

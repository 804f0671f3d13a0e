"""Answers that are no success: RFC 9457 problems, in words of ours. No answer holds a piece of what was sent."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pipeline.errors import Rejected, SluiceError, Unavailable
from pipeline.payload import EnvelopeError
from pipeline.store.errors import BacklogFull, NotRegistered

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = 5.0
"""Seconds, where nobody named a better number."""


class Problem(Exception):
    """One answer. `slug` names the type (`urn:sluice:<slug>`); `extra` are the type's own members."""

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        super().__init__(f"{status} {slug}")
        self.status, self.slug, self.title, self.detail = status, slug, title, detail
        self.headers, self.extra = dict(headers or {}), extra

    def body(self) -> bytes:
        """The problem as JSON."""
        members = {"type": f"urn:sluice:{self.slug}", "title": self.title, "status": self.status, **self.extra}
        return msgspec.json.encode(members | {"detail": self.detail} if self.detail else members)

    def response(self) -> Response:
        """The problem as an answer."""
        return Response(self.body(), self.status, self.headers, media_type=MEDIA_TYPE)


def too_large(limit: int) -> Problem:
    """413. The rest of the body is not read: the connection ends with the answer."""
    detail = f"A body may have {limit} bytes, inflated."
    return Problem(413, "too-large", "The body is too large", detail, headers={"Connection": "close"}, limit=limit)


def unauthorized() -> Problem:
    """401, the same for every reason."""
    detail = "Send the run token (messages) or the project's secret (channels, users) as Authorization: Bearer."
    return Problem(401, "unauthorized", "The sender is not known", detail, headers={"WWW-Authenticate": "Bearer"})


def problem_of(error: SluiceError) -> Problem:
    """The answer to an expected failure: 403, 429, 503, or 400/422 with location and kind."""
    match error:
        case NotRegistered():
            return Problem(403, "not-registered", "The connection is not registered", "Register it before Connect.")
        case BacklogFull():
            return Problem(429, "backlog-full", "This connection has too much waiting", headers=_later(error))
        case Unavailable():
            return Problem(503, "unavailable", "Not available just now", "Send it again later.", headers=_later(error))
        case EnvelopeError():
            return Problem(error.status, "malformed", "The body is not what it must be", errors=[_place(error)])
        case Rejected():
            return Problem(422, "rejected", "This cannot work", errors=[_place(error)])
        case _:
            raise error


def install(app: FastAPI) -> None:
    """Have `app` answer problems for what its routes raise, for wrong input, and for what it has no route for."""

    def answer(_: Request, error: Exception) -> Response:
        return _problem(error, app).response()

    for kind in (Problem, SluiceError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def _problem(error: Exception, app: FastAPI) -> Problem:
    match error:
        case Problem():
            return error
        case SluiceError():
            return problem_of(error)
        case RequestValidationError():
            known = frozenset(_names(app.openapi()))
            errors = [{"location": _location(one["loc"], known), "kind": one["type"]} for one in error.errors()]
            return Problem(422, "invalid", "The request is not what it must be", errors=errors)
        case HTTPException():
            title = HTTPStatus(error.status_code).phrase
            return Problem(error.status_code, title.lower().replace(" ", "-"), title, headers=error.headers)
    # Starlette raises it again after this answer, so that the server's log has it.
    return Problem(500, "bug", "Something is wrong here")


def _later(error: Unavailable) -> dict[str, str]:
    return {"Retry-After": str(max(1, ceil(RETRY_AFTER if error.retry_after is None else error.retry_after)))}


def _place(error: Rejected) -> dict[str, str]:
    return {"location": error.location, "kind": error.reason}


def _location(parts: tuple[int | str, ...], known: frozenset[str]) -> str:
    """Where it is wrong. A name that is not of our schema was sent, so it is content: a star stands for it."""
    return ".".join(str(part) if isinstance(part, int) or part in known else "*" for part in parts)


def _names(schema: object) -> Iterator[str]:
    """Every name of a field, parameter or place in an OpenAPI document."""
    yield from ("body", "query", "path", "header", "cookie")
    yield from _named(schema)


def _named(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            yield from node["properties"]
        if isinstance(node.get("name"), str):
            yield node["name"]
        for inner in node.values():
            yield from _named(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _named(inner)

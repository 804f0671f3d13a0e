"""How the test bench's own routes read what they are asked and answer what is wrong with it."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulator.answers import answer, object_of
from simulator.slack.paging import SlackError

Json = dict[str, Any]
Endpoint = Callable[[Request], Awaitable[Response]]


class BadRequest(Exception):
    """The sentence that is answered with 400."""


def guarded(endpoint: Endpoint) -> Endpoint:
    """The route, with 400, 404 or 409 for what cannot be."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except BadRequest as error:
            return answer({"error": str(error)}, 400)
        except SlackError as error:
            return answer({"error": error.code}, 409 if error.code == "ts_taken" else 404)

    return answered


async def body_of(request: Request) -> Json:
    """The body, a JSON object. Raises `BadRequest`, as all of these."""
    body = await object_of(request)
    if body is None:
        raise BadRequest("the body must be a JSON object")
    return body


def text_of(body: Json, name: str) -> str:
    """A string that is not empty."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{name} must be a string that is not empty")
    return value


def number_of(request: Request, name: str, default: int) -> int:
    """A whole number of the query."""
    value = request.query_params.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) <= 12):
        raise BadRequest(f"{name} must be a number from 0")
    return int(value)

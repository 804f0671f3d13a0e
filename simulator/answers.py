"""JSON as it goes over the wire: ASCII with escapes, as Slack writes it, so that any string can be sent."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

Json = dict[str, Any]


def dump(value: Any) -> bytes:
    """Compact JSON bytes; `\\u` escapes keep even a lone surrogate sendable."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(dump(value), status, headers, media_type="application/json")


async def object_of(request: Request) -> Json | None:
    """The body as a JSON object; None where it is anything else."""
    try:
        value = json.loads(await request.body())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None

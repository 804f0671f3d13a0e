"""How the core routes' problems are described in OpenAPI. Pure."""

from typing import Any, Final

from api.problems import MEDIA_TYPE

Described = dict[int | str, dict[str, Any]]
"""Status → what FastAPI's `responses` takes."""

_MEANING: Final[dict[int, str]] = {
    401: "No token, or one that is not known.",
    403: "This route needs the operator's token.",
    404: "Nothing of that name for this token: it does not exist, or it is another organisation's.",
    409: "Not in this state: `type` and `detail` say what has to come first.",
    412: "The list has another version than `If-Match`: GET it again, then repeat.",
    413: "The body is too large.",
    422: "Not what it must be: `errors` names location and kind, never what was sent.",
    428: "`If-Match` is wanted: GET the list and send its ETag.",
    503: "The store is away or full: repeat after `Retry-After` seconds.",
}


def problems(*statuses: int) -> Described:
    """For FastAPI's `responses`. They refer to `#/components/schemas/Problem`, which `api.webhook_docs` adds."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _MEANING[status], "content": content} for status in statuses}

"""The webhooks' page in OpenAPI: plain ASGI callables describe nothing by themselves. Pure."""

from typing import Any, Final

from api.webhooks import PATHS
from pipeline.envelope_fields import READERS, REQUIRED
from pipeline.payload import LISTS, Kind

Json = dict[str, Any]

RUN_TOKEN: Final = "runToken"  # noqa: S105 - the name of a scheme
SHARED_SECRET: Final = "webhookSecret"  # noqa: S105

_SCHEMES: Final[Json] = {
    RUN_TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`run_token` of the trigger.",
    },
    SHARED_SECRET: {"type": "http", "scheme": "bearer", "description": "The project's secret for webhooks."},
}
_PROBLEM: Final[Json] = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"location": {"type": "string"}, "kind": {"type": "string"}},
            },
        },
    },
}
_ANSWERS: Final[dict[int, str]] = {
    400: "Not JSON in UTF-8, or another length or encoding than declared.",
    401: "The sender is not known, or the run token belongs to another connection, run or attempt.",
    403: "The connection is not registered: register it before Connect.",
    408: "The body took too long.",
    413: "The body is too large, as sent or inflated.",
    415: "Only `application/json`, plain or gzip.",
    422: "Not an envelope, or body and query disagree: `errors` names location and kind.",
    429: "This connection has too much waiting: send it again after `Retry-After` seconds.",
    503: "The inbox is away or full: send it again after `Retry-After` seconds.",
}
_MEANING: Final[dict[str, str]] = {
    "connection": "`<user>/<org>`, Paragon's own user id.",
    "run_id": "The run of the trigger; for a directory, a fresh one for each execution of the workflow.",
    "attempt": "The attempt of the trigger.",
    "channel": "The channel that was read. Slack's messages do not name it.",
    "thread_ts": "The parent's `ts` on a page of replies, an empty string on a page of history.",
    "oldest": "The window's beginning as it was asked for, a `ts`.",
    "latest": "The window's end as it was asked for, a `ts`.",
    "cursor": "The cursor that this page was asked with, an empty string on the first page.",
    "next_cursor": "The cursor of the next page, an empty string at the end.",
    "has_more": "Whether another page follows. A page that does not say proves nothing.",
    "snapshot": "This page is the complete list.",
    "is_limited": "Slack's own: the plan hides older messages.",
    "ok": "Slack's own. `false` is taken and noted as a gap.",
    "error": "Slack's own word beside `ok: false`.",
}
_FLAGS: Final = frozenset({"has_more", "snapshot", "is_limited", "ok"})
_SUMMARY: Final[dict[Kind, str]] = {
    "channels": "All channels that the user can read",
    "users": "All users of the team",
    "messages": "One page of messages",
}
_EXAMPLES: Final[dict[Kind, Json]] = {
    "messages": {
        "connection": "rob@example.com/end10843",
        "run_id": "run-1",
        "attempt": 1,
        "channel": "C0123456789",
        "thread_ts": "",
        "oldest": "1700000000.000001",
        "latest": "1700086400.000000",
        "cursor": "",
        "next_cursor": "",
        "has_more": False,
        "messages": [{"type": "message", "user": "U0123456789", "text": "Hello", "ts": "1700000042.000100"}],
    },
    "channels": {
        "connection": "rob@example.com/end10843",
        "run_id": "execution-1",
        "cursor": "",
        "next_cursor": "",
        "channels": [{"id": "C0123456789", "name": "general", "is_private": False}],
    },
    "users": {
        "connection": "rob@example.com/end10843",
        "run_id": "execution-1",
        "cursor": "",
        "next_cursor": "",
        "members": [{"id": "U0123456789", "name": "rob", "deleted": False}],
    },
}
_AS_IT_CAME: Final[Json] = {"ok": True, "response_metadata": {"next_cursor": ""}}


def add_webhooks(schema: Json) -> Json:
    """An OpenAPI document with the webhooks' paths, answers and security schemes in it; `schema` itself is changed."""
    components = schema.setdefault("components", {})
    components.setdefault("securitySchemes", {}).update(_SCHEMES)
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    schema.setdefault("paths", {}).update(webhook_paths())
    return schema


def webhook_paths() -> Json:
    """The three path items. They refer to `#/components/schemas/Problem` and to the two security schemes."""
    return {path: {"post": _operation(kind)} for kind, path in PATHS.items()}


def _operation(kind: Kind) -> Json:
    return {
        "tags": ["webhooks"],
        "operationId": f"webhook_{kind}",
        "summary": _SUMMARY[kind],
        "description": (
            "Fields come in the body, or in the query beside Slack's response as it came. "
            "Unknown fields are ignored. 202 means kept: the receipt tells what became of it."
        ),
        "security": [{RUN_TOKEN: []}] if kind == "messages" else [{SHARED_SECRET: []}],
        "parameters": [_parameter(name) for name in READERS[kind]],
        "requestBody": {"required": True, "content": {"application/json": _content(kind)}},
        "responses": {"202": _accepted()} | {str(status): _refused(status) for status in _ANSWERS},
    }


def _parameter(name: str) -> Json:
    return {"name": name, "in": "query", "required": False, "description": _MEANING[name], "schema": _type(name)}


def _content(kind: Kind) -> Json:
    records = {LISTS[kind]: {"type": "array", "items": {"type": "object"}, "description": "As Slack sent them."}}
    fields = {name: _type(name) | {"description": _MEANING[name]} for name in READERS[kind]}
    in_query = {name: value for name, value in _EXAMPLES[kind].items() if name != LISTS[kind]}
    response = _AS_IT_CAME | {LISTS[kind]: _EXAMPLES[kind][LISTS[kind]]}
    return {
        "schema": {"type": "object", "properties": fields | records},
        "examples": {
            "page": {"summary": "An object of the workflow's own", "value": _EXAMPLES[kind]},
            "response": {
                "summary": "Slack's response as it came; in the query: " + ", ".join(in_query),
                "value": response | ({"has_more": False} if kind == "messages" else {}),
            },
        },
        "x-required-in-body-or-query": [*REQUIRED[kind]],
    }


def _type(name: str) -> Json:
    return {"type": "boolean" if name in _FLAGS else "integer" if name == "attempt" else "string"}


def _accepted() -> Json:
    schema = {"type": "object", "required": ["receipt"], "properties": {"receipt": {"type": "string"}}}
    content = {"schema": schema, "example": {"receipt": "05" + "a1b2c3d4" * 4}}
    return {"description": "Kept.", "content": {"application/json": content}}


def _refused(status: int) -> Json:
    answer: Json = {
        "description": _ANSWERS[status],
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return answer

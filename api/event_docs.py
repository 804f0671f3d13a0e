"""Outgoing events in OpenAPI: its section `webhooks`, one entry a type. Pure."""

from typing import Any, Final

from pipeline.events import EVENTS, Event, timestamp

Json = dict[str, Any]
TAG: Final = "events"

_HEADERS: Final = {
    "webhook-id": ("The event's id, the same in every try: take what you have had already as done.", "0a" + "5e" * 16),
    "webhook-timestamp": ("When this try was sent, in Unix seconds; signed.", "1764000000"),
    "webhook-signature": ("`v1,<base64>`, with a space between two while the secret changes.", "v1,K5oZfzN95Z9UVu1E…"),
}
_ANSWERS: Final[Json] = {
    "2XX": {"description": "Taken. Anything else is tried again: ten times, over three days."},
    "410": {"description": "Send nothing any more, until an operator says otherwise."},
}


def add_events(description: Json) -> Json:
    """The description with what Sluice itself sends, to SLUICE_EVENTS_URL."""
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    schemas.update({_name(kind): _envelope(kind) for kind in EVENTS.values()})
    description["webhooks"] = {name: {"post": _operation(kind)} for name, kind in EVENTS.items()}
    return description


def _operation(kind: type[Event]) -> Json:
    content = {"schema": {"$ref": f"#/components/schemas/{_name(kind)}"}, "example": _example(kind)}
    return {
        "tags": [TAG],
        "description": kind.__doc__,
        "operationId": _name(kind),
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": said, "schema": {"type": "string"}}
            | {"example": example}
            for name, (said, example) in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": _ANSWERS,
    }


def _name(kind: type[Event]) -> str:
    return f"Event{kind.__name__}"


def _envelope(kind: type[Event]) -> Json:
    return {
        "type": "object",
        "description": kind.__doc__,
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": kind.type},
            "timestamp": {"type": "string", "format": "date-time", "description": "`data.at` in words."},
            "data": kind.model_json_schema(mode="serialization"),
        },
    }


def _example(kind: type[Event]) -> Json:
    """Made of the fields' own examples."""
    data = {name: _value(field) for name, field in kind.model_json_schema()["properties"].items()}
    return {"type": kind.type, "timestamp": timestamp(data["at"]), "data": data}


def _value(field: Json) -> Any:
    if "examples" in field:
        return field["examples"][0]
    return [_value(field["items"])] if field.get("type") == "array" else field["enum"][0]

"""What the core routes answer of events: ids, types and counts."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

EventId = Annotated[str, Field(description="The `webhook-id`, the same in every try.", examples=["0a" + "5e" * 16])]
Age = Annotated[float | None, Field(description="Of the oldest that waits, in seconds; null: none waits.")]


class EventShown(BaseModel):
    """An event that waits, or that could not be told."""

    id: EventId
    type: Annotated[str, Field(examples=["connection.credential.invalid"])]
    connection: Annotated[str | None, Field(description="Null for a `ping`.", examples=["rob@example.com/end10843"])]
    org: Annotated[str | None, Field(examples=["end10843"])]
    at: Annotated[int, Field(description="When it happened, in microseconds.", examples=[1764000000000000])]
    tries: int
    reason: Annotated[
        str, Field(description="Why the last try failed, one word; empty: none did.", examples=["status_503"])
    ]
    since: Annotated[int, Field(description="Since when it waits, or is dead, in microseconds.")]


class EndpointShown(BaseModel):
    """How the core service's address takes events."""

    state: Annotated[
        Literal["open", "parked", "disabled", "unset"],
        Field(
            description="`parked`: it failed, and is left alone for a while; `disabled`: it answered 410, and gets "
            "nothing until `POST /v1/events/enable`; `unset`: SLUICE_EVENTS_URL is not set, so none are written."
        ),
    ]
    failures: Annotated[int, Field(description="In a row.")] = 0
    since: Annotated[int | None, Field(description="Since when it fails, in microseconds.")] = None
    until: Annotated[int | None, Field(description="Until when it is left alone, in microseconds.")] = None
    reason: Annotated[str, Field(description="Why, one word.", examples=["unreachable"])] = ""


class EventCounts(BaseModel):
    """How many events wait to be told to the core service, and how many could not be."""

    endpoint: EndpointShown
    waiting: int
    dead: int
    oldest_waiting_age: Age


class EventsShown(EventCounts):
    """The newest first."""

    events: Annotated[list[EventShown], Field(description="What waits.")]
    dead_events: Annotated[list[EventShown], Field(description="What was tried for three days, or refused ten times.")]


class EventQueued(BaseModel):
    """An event that is due now."""

    id: EventId


class EventDropped(BaseModel):
    """An event that is forgotten."""

    id: EventId

"""Events: what Sluice tells the core service by itself, as Standard Webhooks has it (docs/events.md). Pure.

Ids, counts and times, never content and never a name. Each model below is the `data` of one type; `body` puts the
envelope `{"type", "timestamp", "data"}` around it. Times in `data` are integer microseconds, UTC.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.connection import split_connection

MOST_CHANNELS: Final = 500
"""So many channels are named in one event: a payload stays below 20 kB."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ChannelId = Annotated[str, Field(examples=["C0123456789"])]


class Event(BaseModel):
    """Something that happened. `type` is its name on the wire."""

    type: ClassVar[str]
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, json_schema_serialization_defaults_required=True
    )

    at: Annotated[int, Field(description="When it happened, in microseconds, UTC.", examples=[1764000000000000])]


class ConnectionEvent(Event):
    """Something that happened to a connection. `org` is filled in from it, and has to be its own where it is given."""

    connection: Annotated[str, Field(description="`<user>/<org>`.", examples=["rob@example.com/end10843"])]
    org: Annotated[str, Field(description="Its organisation.", examples=["end10843"])] = ""
    team: Annotated[str | None, Field(description="Its Slack team; null: not known yet.", examples=["T0534672TWT"])]

    @model_validator(mode="before")
    @classmethod
    def _with_org(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("connection"), str):
            return {"org": split_connection(given["connection"])[1]} | given
        return given

    @model_validator(mode="after")
    def _own_org(self) -> Self:
        if self.org != split_connection(self.connection)[1]:
            raise ValueError("org is another one than the connection's")
        return self


class CredentialInvalid(ConnectionEvent):
    """The user's Slack credential does not hold any more: nothing is pulled until he connects Slack again.

    Of one connection `at` only ever rises over `connection.credential.invalid` and `connection.credential.valid`.
    """

    type: ClassVar[str] = "connection.credential.invalid"

    reason: Annotated[
        Literal["refused", "disconnected", "other_team"],
        Field(
            description="`refused`: by Paragon or by Slack; `disconnected`: the user took Slack out in Paragon; "
            "`other_team`: he connected another Slack team than the connection's."
        ),
    ]


class CredentialValid(ConnectionEvent):
    """The user's Slack credential holds: for the first time, or again. Of one connection `at` only ever rises."""

    type: ClassVar[str] = "connection.credential.valid"


class WindowGivenUp(ConnectionEvent):
    """A requested window, `(oldest, latest]`, stays open after all its attempts. It is asked for once a day from now
    on, and late pages still cover it; somebody should look.
    """

    type: ClassVar[str] = "window.given_up"

    run: Annotated[str, Field(description="`GET …/pulls` shows it.", examples=["0a5e5e5e5e5e5e5e5e5e5e5e5e"])]
    channels: Annotated[list[ChannelId], Field(description="What it was asked for and does not have yet.")]
    oldest: Annotated[int, Field(description="Microseconds; 0: from the channel's beginning.", examples=[0])]
    latest: Annotated[int, Field(description="Microseconds.", examples=[1763999880000000])]
    attempts: Annotated[int, Field(description="So often it was asked.", examples=[10])]


class BackfillDone(ConnectionEvent):
    """A channel was read from its very beginning, or from the moment that it was allowed with (`since`), and delivered:
    for the first time since it was allowed.
    """

    type: ClassVar[str] = "backfill.done"

    channel: ChannelId
    until: Annotated[int, Field(description="Read up to here, in microseconds.", examples=[1763999880000000])]
    run: Annotated[str, Field(description="The run that proved it.", examples=["0a5e5e5e5e5e5e5e5e5e5e5e5e"])]


class RevocationDone(ConnectionEvent):
    """What was revoked is retracted: the fence is in the mesh."""

    type: ClassVar[str] = "revocation.done"

    kind: Annotated[
        Literal["allowlist", "disconnect", "person"],
        Field(description="Channels taken off a list, a connection that ended, a person who was erased."),
    ]
    receipt: Annotated[str, Field(description="What the route answered that revoked it.", examples=["0a" + "5e" * 16])]
    channels: Annotated[
        list[ChannelId],
        Field(description=f"The first {MOST_CHANNELS} of them, by id; empty for a person.", max_length=MOST_CHANNELS),
    ]
    channel_count: Annotated[int, Field(description="So many channels were retracted.", examples=[1])]


class ChannelPaused(ConnectionEvent):
    """Sluice stopped reading a channel by itself, and waits for somebody's word."""

    type: ClassVar[str] = "channel.paused"

    channel: ChannelId
    reason: Annotated[
        Literal["id_changed", "shared_externally"],
        Field(description="Slack gave it another id; another company was let into it."),
    ]
    to: Annotated[str | None, Field(description="Its new id, where it was given one.", examples=["C0987654321"])] = None


class Ping(Event):
    """Nothing happened: an operator tries whether events arrive."""

    type: ClassVar[str] = "ping"


EVENTS: Final[dict[str, type[Event]]] = {
    cls.type: cls
    for cls in (
        CredentialInvalid,
        CredentialValid,
        WindowGivenUp,
        BackfillDone,
        RevocationDone,
        ChannelPaused,
        Ping,
    )
}
"""Type → the model of its `data`."""


def body(event: Event) -> str:
    """The event as it is signed and sent: compact JSON, all ASCII."""
    shown = {"type": event.type, "timestamp": timestamp(event.at), "data": event.model_dump(mode="json")}
    return json.dumps(shown, separators=(",", ":"))


def timestamp(at: int) -> str:
    """Microseconds as ISO 8601, UTC: `2025-11-24T16:00:00.000000Z`."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

"""What the audit route answers."""

from typing import Annotated, Any

from pydantic import BaseModel, Field


class AuditEntryShown(BaseModel):
    """One change: who, what, when. Ids and counts only."""

    event: Annotated[str, Field(examples=["allowlist.changed"])]
    connection: Annotated[
        str,
        Field(
            description="`<user>/<org>`; of a pause, its scope; empty: of all.", examples=["rob@example.com/end10843"]
        ),
    ]
    by: Annotated[
        str, Field(description="The scope of the token, or the part of Sluice that did it.", examples=["org:end10843"])
    ]
    at: Annotated[int, Field(description="Microseconds, UTC.", examples=[1764000000000000])]
    facts: Annotated[
        dict[str, Any],
        Field(description="What belongs to this kind of event. Of `allowlist.changed`: the versions `from` and `to`, "
                          "how many channels were `added` and `removed`, and the first hundred of each.",
              examples=[{"from": 2, "to": 3, "added": 1, "removed": 0, "channels_added": ["C0123456789"],
                         "channels_removed": [], "since": 0}]),
    ]  # fmt: skip


class AuditShown(BaseModel):
    """The newest first."""

    entries: list[AuditEntryShown]
    next: Annotated[
        str | None,
        Field(description="`before` of the next page, also after a short or empty one; null: these were the oldest.",
              examples=["1764000000000-0-3"]),
    ]  # fmt: skip

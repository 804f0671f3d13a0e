"""What the core routes answer of a Paragon user's metadata."""

from typing import Annotated

from pydantic import BaseModel, Field


class DriftShown(BaseModel):
    """Somebody else had changed one of our keys (`userid`, `allowListedChannels`); other keys are nobody's business."""

    at: Annotated[int, Field(description="When it was last seen, in microseconds.", examples=[1764000000000000])]
    keys: Annotated[list[str], Field(examples=[["allowListedChannels"]])]
    added: Annotated[int, Field(description="Channels that were on that list and not on the connection's own.")]
    missing: Annotated[int, Field(description="Channels of the connection's own list that were not on it.")]
    mended: Annotated[bool, Field(description="Whether the metadata has been found, or made, as wanted since.")]


Drift = Annotated[DriftShown | None, Field(description="Null: nobody else was seen to change what we keep there.")]

"""What the core routes answer of channels that are paused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, computed_field

from pipeline.rules.identity import SAYS, PauseReason


class ChannelPauseShown(BaseModel):
    """A channel that is on a list and not read now. It can have several, one a reason."""

    model_config = ConfigDict(from_attributes=True)
    org: Annotated[str, Field(examples=["end10843"])]
    team: Annotated[str, Field(examples=["T0534672TWT"])]
    channel: Annotated[str, Field(examples=["C0123456789"])]
    reason: PauseReason
    at: Annotated[int, Field(description="Since when, in microseconds.", examples=[1764000000000000])]
    new_id: Annotated[str | None, Field(description="Its new id, where Slack gave it one.", examples=["C0987654321"])]
    by: Annotated[str, Field(description="`sluice`, or whose token it was.", examples=["sluice"])]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def says(self) -> str:
        """What it means and what ends it."""
        return SAYS[self.reason]


class ChannelPaused(BaseModel):
    """What holds the channel back now."""

    paused: list[ChannelPauseShown]


class ChannelResumed(BaseModel):
    """What held the channel back until now."""

    ended: list[ChannelPauseShown]


Paused = Annotated[
    list[ChannelPauseShown],
    Field(description="Channels on it, or this channel, that are not read now: why, what to do."),
]

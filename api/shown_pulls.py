"""What the routes of pulls take and answer. Times are integer microseconds, UTC; nothing here holds content."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.shown import ChannelId, Microseconds

Rate = Annotated[
    Literal["standard", "restricted"],
    Field(description="`restricted`: one request a minute with pages of 15, as Slack grants apps outside its "
                      "Marketplace; `standard`: 50 a minute and more."),
]  # fmt: skip


class Again(BaseModel):
    """What is to be read again whole, with every thread. Without a body, what is new is asked for."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[
        AwareDatetime | None,
        Field(description="From when on; null: from the beginning.", examples=["2026-11-01T00:00:00Z"]),
    ] = None
    channels: Annotated[list[ChannelId] | None, Field(description="Null: all that the connection allows.")] = None


class Requested(BaseModel):
    """What a request for a pull led to."""

    runs: Annotated[list[str], Field(description="The new runs.", examples=[["0a5e5e5e5e5e5e5e5e5e5e5e5e"]])]
    again: Annotated[list[ChannelId], Field(description="Channels that will be read again, a slice at a time.")] = []


class RunShown(BaseModel):
    """One requested window, `(oldest, latest]`."""

    id: str
    connection: str
    team: str
    kind: Annotated[
        Literal["live", "back", "reread", "thread"],
        Field(description="What came since, what was before, days read again, a thread read again."),
    ]
    oldest: Microseconds
    latest: Microseconds
    channels: list[ChannelId]
    thread_ts: Annotated[str, Field(description="The only thread that was asked for; empty: history.")]
    replies: bool
    state: Annotated[
        str,
        Field(description="`requested`, `receiving`, `covered`, `blocked`, `given_up`, `halved` (asked for in halves "
                          "instead), `held` (so much is gone that an operator must look), `missed` (it was only to "
                          "look again, and never came whole) or `cancelled`."),
    ]  # fmt: skip
    attempt: int
    epoch: Microseconds | None
    requested_at: Microseconds
    progress_at: Annotated[Microseconds | None, Field(description="When its newest page came.")]
    pages: int
    dead: int
    reason: Annotated[
        str | None,
        Field(description="Why the last trigger failed; of a covered window `limited`: Slack's plan hides messages.",
              examples=["slack_refused"]),
    ]  # fmt: skip


class RunsShown(BaseModel):
    """The newest runs."""

    runs: list[RunShown]


class CoverageShown(BaseModel):
    """How far one channel is covered: `(tail, head]`, without a gap."""

    state: Annotated[
        Literal["never", "backfill", "covered", "behind"],
        Field(description="Never read, being read back to its start, covered, or nothing new for two periods."),
    ]
    head: Annotated[Microseconds | None, Field(description="Covered up to here.")] = None
    tail: Annotated[Microseconds | None, Field(description="From here on.")] = None
    start: Annotated[Microseconds | None, Field(description="Nothing before it is wanted; null: everything is.")] = None
    since: Annotated[Microseconds | None, Field(description="The epoch of its last allow.")] = None
    limited: Annotated[
        Microseconds | None, Field(description="Slack's plan may hide messages up to here; null: it hides none.")
    ] = None
    last: Annotated[str | None, Field(description="The run that covered its newest window.")] = None
    run: Annotated[str | None, Field(description="The open run of what came since.")] = None
    back: Annotated[str | None, Field(description="The open run of what was before.")] = None
    re: Annotated[str | None, Field(description="The open run of days read again.")] = None
    th: Annotated[str | None, Field(description="The open run of a thread read again.")] = None
    again: Annotated[
        Microseconds | None,
        Field(description="What somebody asked to be read again whole is still to be read from here back, or some of "
                          "its threads are; null: nothing is."),
    ] = None  # fmt: skip


class PlanShown(BaseModel):
    """What can be kept of what was asked for, and what is left to do."""

    rate: Rate
    rate_by: Annotated[
        Literal["hand", "pages"], Field(description="Set by hand, or found out from what Slack's pages showed.")
    ]
    period_seconds: Annotated[float, Field(description="Between two pulls, as it will be kept.")]
    shortest_seconds: Annotated[float, Field(description="The shortest period that the rate bears.")]
    wanted_seconds: Annotated[float | None, Field(description="What was asked for; null: the default.")]
    channels: int
    backfill_channels: Annotated[int, Field(description="Channels that are not read back to their start.")]
    backfill_requests: Annotated[int, Field(description="About how many requests that takes.")]
    backfill_eta_seconds: Annotated[float | None, Field(description="About how long; null: nothing is left.")]
    moved_threads: Annotated[int, Field(description="Threads that went on after they were read, to be read again.")]
    unread_days: Annotated[int, Field(description="Days of channels that this night's re-reading has not come to.")]


class ChannelsCovered(BaseModel):
    """Channel → coverage, and what is left to do."""

    channels: dict[str, CoverageShown]
    plan: PlanShown


class Planned(BaseModel):
    """How often is to be pulled, and at which rate."""

    model_config = ConfigDict(extra="forbid")

    period_seconds: Annotated[
        float | None,
        Field(gt=0, le=7 * 86_400, description="Null: the default, `SLUICE_PULL_MINUTES`.", examples=[3600]),
    ] = None
    rate: Annotated[Rate | None, Field(description="Null: found out from what Slack's pages show.")] = None

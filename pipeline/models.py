"""Internal models: what is delivered to the mesh, one session a model (design.md, 5).

Every model has an `id`, a `version` (32 digits, compared bytewise; see `pipeline.rules.versions`) and
`deleted`. `ts` values are Slack's strings, untouched; times inside are integer microseconds, UTC.
"""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

AuthorKind = Literal["user", "bot", "app", "system"]


class Internal(BaseModel):
    """A record as the mesh keeps it. `model` is its name on the wire."""

    model: ClassVar[str]
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str
    version: str
    deleted: bool = False


class User(Internal):
    """A member of the team (`org`) or the person who connected Slack (`connection`)."""

    model: ClassVar[str] = "user"

    kind: Literal["connection", "org"]
    team: str | None = None
    user_id: str | None = None
    name: str | None = None
    real_name: str | None = None
    display_name: str | None = None
    email: str | None = None
    tz: str | None = None
    tz_offset: int | None = None
    is_bot: bool = False
    is_guest: bool = False
    is_deactivated: bool = False


class AllowedSlackChannel(Internal):
    """A channel that the customer's admin has allowed, as Slack describes it."""

    model: ClassVar[str] = "allowed_slack_channel"

    team: str
    channel: str
    name: str | None = None
    is_private: bool = False
    is_im: bool = False
    is_mpim: bool = False
    is_shared: bool = False
    is_ext_shared: bool = False
    is_archived: bool = False
    topic: str = ""
    purpose: str = ""
    members: int | None = None
    created_at: int | None = Field(default=None, description="microseconds, UTC")
    allowed_by: str | None = Field(default=None, description="the connection whose list holds it")
    allowed_at: int | None = Field(default=None, description="microseconds, UTC")
    list_version: str | None = None


class Reaction(BaseModel):
    """One emoji under a message."""

    model_config = ConfigDict(frozen=True)
    name: str
    count: int
    users: list[str] = []


class File(BaseModel):
    """A file's metadata; its bytes are never fetched."""

    model_config = ConfigDict(frozen=True)
    id: str | None
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    filetype: str | None = None
    size: int | None = None
    mode: str | None = None


class Mentions(BaseModel):
    """Who and what a message names, by Slack id; `broadcasts` holds here, channel, everyone."""

    model_config = ConfigDict(frozen=True)
    users: list[str] = []
    channels: list[str] = []
    groups: list[str] = []
    broadcasts: list[str] = []


class Reference(BaseModel):
    """Where another channel's content was: the pointer stays, the content does not."""

    model_config = ConfigDict(frozen=True)
    channel: str
    ts: str | None = None


class Message(Internal):
    """One Slack message, in its newest known state."""

    model: ClassVar[str] = "message"

    team: str
    channel: str
    ts: str
    ts_us: int
    lane: str
    thread_ts: str | None = None
    subtype: str | None = None
    author_id: str | None = None
    author_kind: AuthorKind = "system"
    author_name: str | None = None
    text: str = ""
    source_text: str = ""
    sent_at: str = Field(description="ISO 8601, UTC, microseconds")
    edited_at: str | None = None
    reply_count: int | None = None
    latest_reply: str | None = None
    reactions: list[Reaction] = []
    files: list[File] = []
    mentions: Mentions = Mentions()
    links: list[str] = []
    references: list[Reference] = []
    withheld: int = Field(default=0, description="parts that were left out: another channel's, or the root of a thread")


class Retraction(Internal):
    """A fence: every record of `target` that matches, with an epoch below `below`, is dead, present or to come.

    `match` maps field names (any of team, channel, lane, author_id, user_id) to values, all of which must be equal;
    `after` / `until` bound `ts_us` to (after, until]. One fence a scope: the id is the scope, the highest wins.
    """

    model: ClassVar[str] = "retraction"

    target: str
    match: dict[str, str]
    after: int | None = None
    until: int | None = None
    below: str = Field(description="epoch, 16 digits")
    reason: str


class SyncStatus(Internal):
    """How far a connection's pulls of a channel have come."""

    model: ClassVar[str] = "sync_status"

    team: str
    channel: str
    user: str
    covered: list[tuple[int, int]] = []
    head: int | None = None
    tail: int | None = None
    last_run: str | None = None
    last_error: str | None = None


MODELS: dict[str, type[Internal]] = {
    cls.model: cls for cls in (User, AllowedSlackChannel, Message, Retraction, SyncStatus)
}

"""What Slack sends, as tolerant models: only a missing identity fails (facts.md, 2). Pure.

Every model is *flat*. A field of a wrong type is read as absent; a nested object or list is kept as it came
(`Any`) and read by its own model when the mapping wants it, so that one odd reaction costs that reaction only,
and content that nobody asks for is never walked. Unknown fields are ignored.
"""

from functools import cache
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipeline.errors import Rejected
from pipeline.slack.characters import id_or_none, text_or_none, ts_or_none
from pipeline.slack.reasons import Reason


def _flag(value: Any) -> bool:
    return value is True


def _count(value: Any) -> int | None:
    """A whole number that JSON readers everywhere can hold; `true` is none."""
    return value if type(value) is int and abs(value) <= 2**53 else None


def _seconds(value: Any) -> int | None:
    """Unix seconds; some exports write them as a string."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        value = int(value)
    return value if type(value) is int and 0 <= value < 10**10 else None


Text = Annotated[str | None, BeforeValidator(text_or_none)]
"""A clean string that is not empty, else None."""
Id = Annotated[str | None, BeforeValidator(id_or_none)]
Ts = Annotated[str | None, BeforeValidator(ts_or_none)]
"""Slack's `ts` to the digit, else None."""
Flag = Annotated[bool, BeforeValidator(_flag)]
Count = Annotated[int | None, BeforeValidator(_count)]
Seconds = Annotated[int | None, BeforeValidator(_seconds)]


class Raw(BaseModel):
    """A tolerant, flat model of one JSON object."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    identity: ClassVar[str] = ""
    """The one field that must be there and right, if any."""

    @classmethod
    def read(cls, raw: object) -> Self:
        """Read one decoded JSON value. Raises `Rejected`: not_an_object, no_ts, bad_ts, no_id, bad_id."""
        if not isinstance(raw, dict):
            raise Rejected(Reason.NOT_AN_OBJECT)
        try:
            return cls.model_validate(raw)
        except ValidationError:  # only the identity is required; the error quotes its input, so it ends here
            missing = raw.get(cls.identity) is None
        raise Rejected(Reason(f"{'no' if missing else 'bad'}_{cls.identity}"), location=cls.identity)

    @classmethod
    def read_all(cls, raw: object) -> list[Self]:
        """The objects of a list; anything else, and any other item, is left out."""
        return [cls.read(item) for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []

    @classmethod
    def read_part(cls, raw: object) -> Self:
        """A nested object, or an empty one where there is none."""
        return cls.model_validate(raw) if isinstance(raw, dict) else cls._absent()

    @classmethod
    @cache
    def _absent(cls) -> Self:
        """Frozen, so that one serves all the messages that lack the part."""
        return cls.model_validate({})


class SlackEdited(Raw):
    """`edited`: may be `{}`; its user may be a bot."""

    ts: Ts = None


class SlackBotProfile(Raw):
    """`bot_profile`."""

    name: Text = None
    app_id: Id = None


class SlackProfile(Raw):
    """A user's `profile`, and the `user_profile` of a message from a foreign team."""

    real_name: Text = None
    display_name: Text = None
    email: Text = None
    name: Text = None


class SlackReaction(Raw):
    """One of a message's `reactions`."""

    name: Text = None
    count: Count = None
    users: Any = None


class SlackFile(Raw):
    """A file; a stub may hold no more than `id` and `mode`. Content (`preview`, addresses) is not read."""

    id: Id = None
    name: Text = None
    title: Text = None
    mimetype: Text = None
    filetype: Text = None
    size: Count = None
    mode: Text = None


class SlackAttachment(Raw):
    """An attachment or unfurl of this channel; `foreign.is_foreign` has looked at what it says of others."""

    from_url: Text = None
    title_link: Text = None
    pretext: Text = None
    title: Text = None
    text: Text = None
    fallback: Text = None
    fields: Any = None
    blocks: Any = None


class SlackComment(Raw):
    """The `comment` of a `file_comment`."""

    comment: Text = None
    user: Id = None


class SlackWrapper(Raw):
    """`message_changed` and `message_deleted`: what happened to a message, which is nested inside."""

    ts: Ts = None
    event_ts: Ts = None
    deleted_ts: Ts = None
    message: Any = None
    previous_message: Any = None


class SlackMessage(Raw):
    """A message in one state."""

    identity = "ts"

    ts: Annotated[str, Field(pattern=r"^[0-9]{1,10}(\.[0-9]{0,6})?$", strict=True)]
    subtype: Text = None
    user: Id = None
    bot_id: Id = None
    app_id: Id = None
    username: Text = None
    bot_profile: Any = None
    user_profile: Any = None
    text: Text = None
    thread_ts: Ts = None
    edited: Any = None
    hidden: Flag = False
    reply_count: Count = None
    latest_reply: Ts = None
    reactions: Any = None
    files: Any = None
    file: Any = None
    blocks: Any = None
    attachments: Any = None
    comment: Any = None
    root: Any = None
    topic: Text = None
    purpose: Text = None


class SlackUser(Raw):
    """A member of the team; a deleted one may have neither names nor time zone."""

    identity = "id"

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,64}$", strict=True)]
    name: Text = None
    real_name: Text = None
    profile: Any = None
    tz: Text = None
    tz_offset: Count = None
    deleted: Flag = False
    is_forgotten: Flag = False
    is_bot: Flag = False
    is_workflow_bot: Flag = False
    is_restricted: Flag = False
    is_ultra_restricted: Flag = False
    updated: Any = None


class SlackChannel(Raw):
    """A conversation of any kind. The prefix of an id is no type test: the flags are."""

    identity = "id"

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,64}$", strict=True)]
    name: Text = None
    is_private: Flag = False
    is_group: Flag = False
    is_im: Flag = False
    is_mpim: Flag = False
    is_shared: Flag = False
    is_ext_shared: Flag = False
    is_org_shared: Flag = False
    is_archived: Flag = False
    topic: Any = None
    purpose: Any = None
    members: Any = None
    num_members: Count = None
    created: Seconds = None
    updated: Any = None

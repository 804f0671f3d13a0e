"""Raw Slack objects to internal records (design.md, 5). Pure; raises only `Rejected` with a `Reason`.

    raw ▶ unwrap (changed, deleted) ▶ read (tolerant) ▶ author, lane, version ▶ text, or what stands for it ▶ record

Nothing is guessed: what Slack does not say stays None.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pipeline.errors import Rejected
from pipeline.models import AuthorKind, File, Message, Reaction, Reference
from pipeline.rules.versions import ts_us, version
from pipeline.slack.attachments import attachments_text, sort_out
from pipeline.slack.blocks import blocks_text
from pipeline.slack.census import Census
from pipeline.slack.characters import id_or_none, text_or_none
from pipeline.slack.directory import map_channel, map_user
from pipeline.slack.names import Names, names_wanted
from pipeline.slack.raw import (
    SlackAttachment,
    SlackBotProfile,
    SlackComment,
    SlackEdited,
    SlackFile,
    SlackMessage,
    SlackProfile,
    SlackReaction,
    SlackWrapper,
)
from pipeline.slack.reasons import Reason
from pipeline.slack.text import Found, plain

__all__ = ["Names", "map_channel", "map_message", "map_user", "names_wanted"]

_EVENT = re.compile(
    r"(?:channel|group|conversation|mpim|im|reminder|huddle|sh_room|tabbed_canvas|app_conversation|joiner"
    r"|pinned|unpinned|ekm|bot_(?:add|remove|enable|disable))(?:_|\Z)"
)
"""Subtypes by which Slack tells what happened; everything else, known or not, is somebody's message."""
_SLACKBOT = "USLACKBOT"
_YEAR_1970 = datetime(1970, 1, 1, tzinfo=UTC)


class _Place(NamedTuple):
    """Where and when a message was read: the envelope's team and channel, the run's epoch."""

    team: str
    channel: str
    epoch: int


def map_message(
    raw: object, *, team: str, channel: str, epoch: int, names: Names, census: Census | None = None
) -> Message | None:
    """One message of a page, or None for a notice that carries nothing (the caller counts it).

    `epoch` is in integer microseconds. Raises `Rejected`: not_an_object, no_ts, bad_ts, no_inner,
    nested_wrapper, channel_mismatch.
    """
    place = _Place(team, channel, epoch)
    subtype = raw.get("subtype") if isinstance(raw, dict) else None
    if subtype == "message_deleted":
        return _deletion(SlackWrapper.read(raw), place)
    state = _inner(SlackWrapper.read(raw), channel) if subtype == "message_changed" else raw
    message = SlackMessage.read(state)
    _same_channel(message.channel, channel)
    if message.subtype == "tombstone":
        return _gone(message, place, revision=_edited(message) or ts_us(message.ts))
    if message.hidden or message.subtype == "message_replied":
        return None
    return _living(message, place, names)


def _inner(wrapper: SlackWrapper, channel: str) -> dict[str, Any]:
    """The new state inside a `message_changed`; where it lacks its `ts`, the previous state has the same one."""
    _same_channel(wrapper.channel, channel)
    inner = wrapper.message
    if not isinstance(inner, dict):
        raise Rejected(Reason.NO_INNER)
    if inner.get("subtype") in ("message_changed", "message_deleted"):
        raise Rejected(Reason.NESTED_WRAPPER)
    previous = wrapper.previous_message
    if inner.get("ts") is None and isinstance(previous, dict):
        return {**inner, "ts": previous.get("ts")}
    return inner


def _deletion(wrapper: SlackWrapper, place: _Place) -> Message:
    """`message_deleted`: the wrapper's own `ts` says when, and so which state is the newest."""
    _same_channel(wrapper.channel, place.channel)
    previous = wrapper.previous_message if isinstance(wrapper.previous_message, dict) else {}
    when = wrapper.ts or wrapper.event_ts
    if when is None:
        raise Rejected(Reason.NO_TS, location="ts")
    ts = previous.get("ts") if wrapper.deleted_ts is None else wrapper.deleted_ts
    return _gone(SlackMessage.read({**previous, "ts": ts}), place, revision=ts_us(when))


def _gone(message: SlackMessage, place: _Place, *, revision: int) -> Message:
    us = ts_us(message.ts)
    return Message(
        id=f"{place.team}:{place.channel}:{message.ts}",
        version=version(place.epoch, revision),
        deleted=True,
        team=place.team,
        channel=place.channel,
        ts=message.ts,
        ts_us=us,
        lane=_lane(message),
        thread_ts=message.thread_ts,
        sent_at=_iso(us),
    )


def _living(message: SlackMessage, place: _Place, names: Names) -> Message:
    us, found = ts_us(message.ts), Found()
    attachments, references = sort_out(message.attachments, place.channel)
    text = _text(message, attachments, names, found)
    edited = _edited(message)
    author_id, author_kind, author_name = _author(message, names)
    return Message(
        id=f"{place.team}:{place.channel}:{message.ts}",
        version=version(place.epoch, us if edited is None else edited),
        team=place.team,
        channel=place.channel,
        ts=message.ts,
        ts_us=us,
        lane=_lane(message),
        thread_ts=message.thread_ts,
        subtype=message.subtype,
        author_id=author_id,
        author_kind=author_kind,
        author_name=author_name,
        text=text,
        source_text=message.text or "",
        sent_at=_iso(us),
        edited_at=None if edited is None else _iso(edited),
        reply_count=message.reply_count,
        latest_reply=message.latest_reply,
        reactions=[_reaction(reaction) for reaction in SlackReaction.read_all(message.reactions) if reaction.name],
        files=_files(message, place.channel),
        mentions=found.mentions(),
        links=list(found.links),
        references=[*references, *_root(message, place.channel)],
    )


def _text(message: SlackMessage, attachments: list[SlackAttachment], names: Names, found: Found) -> str:
    """What a person reads: the text; where it is empty, what stands in its place."""
    if message.text and not message.text.isspace():
        return plain(message.text, names, found)
    return (
        blocks_text(message.blocks, names, found)
        or attachments_text(attachments, names, found)
        or plain(SlackComment.read_part(message.comment).comment or "", names, found)
    )


def _author(message: SlackMessage, names: Names) -> tuple[str | None, AuthorKind, str | None]:
    """Id, kind and name. A bot that posts as a user has both ids: the user's is the one that people mention."""
    author = message.user or message.bot_id or SlackComment.read_part(message.comment).user
    profile = SlackBotProfile.read_part(message.bot_profile)
    known = text_or_none(names.users.get(author)) if author else None
    kind = _kind(message, profile, author)
    if kind in ("bot", "app"):
        return author, kind, message.username or profile.name or known
    shown = SlackProfile.read_part(message.user_profile)
    return author, kind, known or shown.display_name or shown.real_name or shown.name or message.username


def _kind(message: SlackMessage, profile: SlackBotProfile, author: str | None) -> AuthorKind:
    """`app` posts through an installed app (it has an app id), `bot` is any other machine, `system` Slack itself."""
    if message.subtype and _EVENT.match(message.subtype):
        return "system"
    if message.bot_id or message.subtype == "bot_message":
        return "app" if message.app_id or profile.app_id else "bot"
    if author == _SLACKBOT:
        return "bot"
    return "user" if author else "system"


def _lane(message: SlackMessage) -> str:
    """A reply belongs to its thread, a broadcast and a parent to the history, however they were read."""
    thread_ts = message.thread_ts
    if thread_ts is None or thread_ts == message.ts or message.subtype == "thread_broadcast":
        return "history"
    return f"thread:{thread_ts}"


def _edited(message: SlackMessage) -> int | None:
    """When it was last edited, in microseconds: the source revision of an edited message."""
    ts = SlackEdited.read_part(message.edited).ts
    return None if ts is None else ts_us(ts)


def _root(message: SlackMessage, channel: str) -> list[Reference]:
    """A broadcast repeats its thread's first message as `root`: a pointer is enough."""
    if not isinstance(message.root, dict):
        return []
    own = id_or_none(message.root.get("channel"))
    return [Reference(channel=own or channel, ts=message.thread_ts)]


def _reaction(reaction: SlackReaction) -> Reaction:
    listed = reaction.users if isinstance(reaction.users, list) else []
    users = [user for user in map(id_or_none, listed) if user]
    count = len(users) if reaction.count is None else reaction.count
    return Reaction(name=reaction.name or "", count=count, users=users)


def _files(message: SlackMessage, channel: str) -> list[File]:
    """`files`, or the old single `file`."""
    files = SlackFile.read_all(message.files) or SlackFile.read_all([message.file])
    return [_file(file, channel) for file in files]


def _file(file: SlackFile, channel: str) -> File:
    """A file that is shared elsewhere only keeps its id and type: its name is another channel's content."""
    places = [place for kind in (file.channels, file.groups, file.ims) if isinstance(kind, list) for place in kind]
    if places and channel not in places:
        return File(id=file.id, mimetype=file.mimetype, filetype=file.filetype, mode=file.mode)
    return File(
        id=file.id,
        name=file.name,
        title=file.title,
        mimetype=file.mimetype,
        filetype=file.filetype,
        size=file.size,
        mode=file.mode,
    )


def _same_channel(own: object, channel: str) -> None:
    """A message that names its channel (by id, or as search does by an object) must name the envelope's."""
    named = own.get("id") if isinstance(own, dict) else own
    if isinstance(named, str) and named and named != channel:
        raise Rejected(Reason.CHANNEL_MISMATCH, location="channel")


def _iso(us: int) -> str:
    return (_YEAR_1970 + timedelta(microseconds=us)).isoformat(timespec="microseconds")

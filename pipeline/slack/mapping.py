"""Raw Slack objects to internal records (design.md, 5). Pure; raises only `Rejected` with a `Reason`.

    raw ▶ unwrap (changed, deleted) ▶ read (tolerant) ▶ author, lane, version ▶ text, or what stands for it ▶ record

Nothing is guessed: what Slack does not say stays None.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pipeline.errors import Rejected
from pipeline.models import Message, Reaction, Reference
from pipeline.rules.versions import ts_us, version
from pipeline.slack.attachments import attachments_text, link_titles, own_attachments
from pipeline.slack.author import author_of
from pipeline.slack.blocks import blocks_text, has_rich_text
from pipeline.slack.census import Census
from pipeline.slack.characters import id_or_none, ts_or_none
from pipeline.slack.directory import map_channel, map_user
from pipeline.slack.files import comment_of, files_of
from pipeline.slack.foreign import without_labels
from pipeline.slack.known import SUBTYPES
from pipeline.slack.names import Names, names_wanted
from pipeline.slack.notices import is_channel_notice
from pipeline.slack.raw import (
    SlackAttachment,
    SlackEdited,
    SlackMessage,
    SlackReaction,
    SlackWrapper,
)
from pipeline.slack.reading import Reading
from pipeline.slack.reasons import Reason
from pipeline.slack.text import plain

__all__ = ["Census", "Names", "map_channel", "map_message", "map_user", "names_wanted"]

_WRAPPERS = ("message_changed", "message_deleted")
_YEAR_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_NO_WORDS = str.maketrans(dict.fromkeys("*_~`>•|"))


class _Place(NamedTuple):
    """Where and when a message was read: the envelope's team and channel, the run's epoch."""

    team: str
    channel: str
    epoch: int


def map_message(
    raw: object, *, team: str, channel: str, epoch: int, names: Names, census: Census | None = None
) -> Message | None:
    """One message of a page, or None for a notice that carries nothing (the caller counts it).

    `epoch` is in integer microseconds; `census` counts what is not known here. Raises `Rejected`: not_an_object,
    no_ts, bad_ts, no_inner, nested_wrapper, channel_mismatch.
    """
    if not isinstance(raw, dict):
        raise Rejected(Reason.NOT_AN_OBJECT)
    if is_channel_notice(raw):  # an event of Slack's, without a `ts`: admit has read it
        return None
    place = _Place(team, channel, epoch)
    if census is not None:
        _take_census(raw, census)
    subtype = raw.get("subtype")
    if subtype in _WRAPPERS:
        _same_channel(raw, channel)
    if subtype == "message_deleted":
        return _deletion(SlackWrapper.read(raw), place)
    if subtype == "message_changed":
        raw = _inner(SlackWrapper.read(raw), channel)
        if census is not None:
            _take_census(raw, census)
    message = SlackMessage.read(raw)
    _same_channel(raw, channel)
    if message.subtype == "tombstone":
        return _gone(message, place, revision=_edited(message) or ts_us(message.ts))
    if message.hidden or message.subtype == "message_replied":
        return None
    return _living(message, place, Reading(names, channel, census))


def _take_census(raw: dict[str, Any], census: Census) -> None:
    census.fields("message", raw)
    subtype = raw.get("subtype")
    if subtype and not (isinstance(subtype, str) and subtype in SUBTYPES):
        census.add("subtype", subtype)


def _inner(wrapper: SlackWrapper, channel: str) -> dict[str, Any]:
    """The new state inside a `message_changed`; where it lacks its `ts`, the previous state has the same one."""
    inner = wrapper.message
    if not isinstance(inner, dict):
        raise Rejected(Reason.NO_INNER)
    if inner.get("subtype") in _WRAPPERS:
        raise Rejected(Reason.NESTED_WRAPPER)
    previous = wrapper.previous_message if isinstance(wrapper.previous_message, dict) else {}
    _same_channel(previous, channel)
    if inner.get("ts") is None:
        return {**inner, "ts": previous.get("ts")}
    return inner


def _deletion(wrapper: SlackWrapper, place: _Place) -> Message:
    """`message_deleted`: the wrapper's own `ts` says when, and so which state is the newest."""
    previous = wrapper.previous_message if isinstance(wrapper.previous_message, dict) else {}
    _same_channel(previous, place.channel)
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


def _living(message: SlackMessage, place: _Place, reading: Reading) -> Message:
    us, edited, author = ts_us(message.ts), _edited(message), author_of(message, reading.names)
    attachments = own_attachments(message.attachments, reading)
    text = _text(message, attachments, reading)
    link_titles(attachments, reading)
    files = files_of(message, reading)
    _withhold_root(message, reading)
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
        author_id=author.id,
        author_kind=author.kind,
        author_name=author.name,
        text=text,
        source_text=without_labels(reading.names.unlabelled(message.text or ""), place.channel),
        sent_at=_iso(us),
        edited_at=None if edited is None else _iso(edited),
        reply_count=message.reply_count,
        latest_reply=message.latest_reply,
        reactions=[_reaction(reaction) for reaction in SlackReaction.read_all(message.reactions) if reaction.name],
        files=files,
        mentions=reading.found.mentions(),
        links=list(reading.found.links),
        references=reading.references,
        withheld=reading.withheld,
    )


def _text(message: SlackMessage, attachments: list[SlackAttachment], reading: Reading) -> str:
    """What a person reads (docs/slack-text.md): blocks where they say it, else the text, else what stands for it."""
    said, shown = message.text if message.text and not message.text.isspace() else "", ""
    if message.blocks:
        reading.learn_labels(said)
        shown = blocks_text(message.blocks, reading)
        shown = "" if shown.isspace() else shown
    if shown and has_rich_text(message.blocks) and said and not reading.unread:
        return shown
    read = plain(said, reading)
    if read:
        return shown if shown and not _words(shown) <= _words(read) else read
    beside = attachments_text([one for one in attachments if not (shown and one.from_url)], reading)
    return "\n".join(filter(None, (shown, beside))) or plain(_instead(message, reading.channel), reading)


def _words(text: str) -> set[str]:
    return set(text.translate(_NO_WORDS).split())


def _instead(message: SlackMessage, channel: str) -> str:
    """Where old kinds of message keep their words: a comment on a file, a topic that was set."""
    return comment_of(message, channel) or message.topic or message.purpose or ""


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


def _withhold_root(message: SlackMessage, reading: Reading) -> None:
    """A broadcast repeats its thread's first message as `root`: a pointer is enough."""
    root = message.root
    if isinstance(root, dict):
        own = next((name for name in map(id_or_none, (root.get("channel_id"), root.get("channel"))) if name), None)
        ts = message.thread_ts or ts_or_none(root.get("ts"))
        reading.withhold("root", [Reference(channel=own or reading.channel, ts=ts)])


def _reaction(reaction: SlackReaction) -> Reaction:
    listed = reaction.users if isinstance(reaction.users, list) else []
    users = [user for user in map(id_or_none, listed) if user]
    count = len(users) if reaction.count is None else reaction.count
    return Reaction(name=reaction.name or "", count=count, users=users)


def _same_channel(raw: dict[str, Any], channel: str) -> None:
    """A message that names its channel (by id, or as search does by an object) must name the envelope's."""
    for own in (raw.get("channel"), raw.get("channel_id")):
        if own not in (None, "", channel) and not (isinstance(own, dict) and own.get("id") == channel):
            raise Rejected(Reason.CHANNEL_MISMATCH, location="channel")


def _iso(us: int) -> str:
    return (_YEAR_1970 + timedelta(microseconds=us)).isoformat(timespec="microseconds")

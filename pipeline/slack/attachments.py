"""Attachments: what is another channel's becomes a reference, the rest is text where there is none. Pure."""

import re
from typing import NamedTuple

from pipeline.models import Reference
from pipeline.slack.blocks import blocks_text
from pipeline.slack.characters import id_or_none, text_or_none, ts_or_none
from pipeline.slack.names import Names
from pipeline.slack.raw import SlackAttachment
from pipeline.slack.text import Found, plain

_PERMALINK = re.compile(r"https://[^/\s]+/archives/([A-Z0-9]{1,64})/p(\d{1,10})(\d{6})\b")


class Sorted(NamedTuple):
    """Attachments of this channel (or of none), and references to what was withheld."""

    own: list[SlackAttachment]
    references: list[Reference]


def sort_out(raw: object, channel: str) -> Sorted:
    """Split a message's `attachments`: the content of other channels goes no further than this function."""
    own, references = [], []
    for attachment in SlackAttachment.read_all(raw):
        if _is_foreign(attachment, channel):
            references.extend(_reference(attachment))
        else:
            own.append(attachment)
    return Sorted(own, references)


def attachments_text(attachments: list[SlackAttachment], names: Names, found: Found) -> str:
    """The attachments as a person reads them: pretext, title, text, fields; else blocks; else the fallback."""
    texts = (_text(attachment, names, found) for attachment in attachments)
    return "\n".join(text for text in texts if text)


def _text(attachment: SlackAttachment, names: Names, found: Found) -> str:
    parts = [attachment.pretext, attachment.title, attachment.text, *_fields(attachment)]
    text = "\n".join(plain(part, names, found) for part in parts if part)
    return text or blocks_text(attachment.blocks, names, found) or plain(attachment.fallback or "", names, found)


def _fields(attachment: SlackAttachment) -> list[str]:
    if not isinstance(attachment.fields, list):
        return []
    pairs = [
        (text_or_none(field.get("title")), text_or_none(field.get("value")))
        for field in attachment.fields
        if isinstance(field, dict)
    ]
    return [": ".join(filter(None, pair)) for pair in pairs]


def _is_foreign(attachment: SlackAttachment, channel: str) -> bool:
    """Fail closed: whatever names another channel is foreign, and a shared message that names none is too."""
    named = [name for name in (attachment.channel_id, attachment.channel) if name is not None]
    linked = _linked(attachment)
    if linked:
        named.append(linked[1])
    if named:
        return any(name != channel for name in named)
    return attachment.is_msg_unfurl or attachment.is_share or attachment.message_blocks is not None


def _reference(attachment: SlackAttachment) -> list[Reference]:
    """Where the withheld content is, as far as the attachment says it by ids."""
    linked = _linked(attachment)
    channel = id_or_none(attachment.channel_id) or id_or_none(attachment.channel) or (linked[1] if linked else None)
    ts = ts_or_none(attachment.ts) or (f"{linked[2]}.{linked[3]}" if linked else None)
    return [Reference(channel=channel, ts=ts)] if channel else []


def _linked(attachment: SlackAttachment) -> re.Match[str] | None:
    """The message that the attachment was unfurled from: channel, seconds, microseconds."""
    return _PERMALINK.match(attachment.from_url or "") or _PERMALINK.match(attachment.original_url or "")

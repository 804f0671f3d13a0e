"""Attachments: what is another channel's becomes a reference, the rest is text where there is no other. Pure."""

from pipeline.slack.blocks import blocks_text
from pipeline.slack.characters import text_or_none
from pipeline.slack.foreign import is_foreign, reference
from pipeline.slack.raw import SlackAttachment
from pipeline.slack.reading import Reading
from pipeline.slack.rich_text import objects
from pipeline.slack.text import plain


def own_attachments(raw: object, reading: Reading) -> list[SlackAttachment]:
    """A message's `attachments` of this channel or of none: others' content goes no further than this function."""
    own = []
    for attachment in objects(raw):
        if reading.census is not None:
            reading.census.fields("attachment", attachment)
        if is_foreign(attachment, reading.channel):
            reading.withhold("attachment", reference(attachment, reading.channel))
        else:
            own.append(SlackAttachment.read(attachment))
    return own


def link_titles(attachments: list[SlackAttachment], reading: Reading) -> None:
    """Titles of attachments that a program wrote are links, whether or not their text is read.

    A preview of an address (`from_url`) adds none: its address stands in the text.
    """
    for attachment in attachments:
        if attachment.title_link and not attachment.from_url:
            reading.link(attachment.title_link)


def attachments_text(attachments: list[SlackAttachment], reading: Reading) -> str:
    """The attachments as a person reads them: pretext, title, text, fields; else blocks; else the fallback."""
    texts = (_text(attachment, reading) for attachment in attachments)
    return "\n".join(text for text in texts if text)


def _text(attachment: SlackAttachment, reading: Reading) -> str:
    parts = [attachment.pretext, attachment.title, attachment.text, *_fields(attachment)]
    text = "\n".join(plain(part, reading) for part in parts if part)
    return text or blocks_text(attachment.blocks, reading) or plain(attachment.fallback or "", reading)


def _fields(attachment: SlackAttachment) -> list[str]:
    pairs = (
        (text_or_none(field.get("title")), text_or_none(field.get("value"))) for field in objects(attachment.fields)
    )
    return [": ".join(filter(None, pair)) for pair in pairs]

"""A message's files: metadata only, and of one that lives elsewhere no more than its id and type. Pure.

Not read: what a file holds (`preview`, `plain_text`, `simplified_html`) and where it can be fetched. A file has its own
permissions in Slack, and a channel's list says nothing about them.
"""

from typing import Any

from pipeline.models import File
from pipeline.slack.foreign import names_other
from pipeline.slack.raw import SlackComment, SlackFile, SlackMessage
from pipeline.slack.reading import Reading
from pipeline.slack.rich_text import objects


def files_of(message: SlackMessage, reading: Reading) -> list[File]:
    """`files`, or the old single `file`."""
    return [_file(raw, reading) for raw in objects(message.files) or objects([message.file])]


def comment_of(message: SlackMessage, channel: str) -> str | None:
    """What was said of a file of this channel, later or when it was uploaded: the words of a message without others."""
    files = [*objects(message.files), *objects([message.file])]
    here = [raw for raw in files if not _elsewhere(raw, channel)]
    comments = objects([message.comment] if here or not files else [])
    comments += objects([raw.get("initial_comment") for raw in here])
    return next((text for one in comments if not names_other(one, channel) and (text := _comment(one))), None)


def _comment(raw: dict[str, Any]) -> str | None:
    return SlackComment.read(raw).comment


def _file(raw: dict[str, Any], reading: Reading) -> File:
    file = SlackFile.read(raw)
    if _elsewhere(raw, reading.channel):
        reading.withhold("file")
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


def _elsewhere(raw: dict[str, Any], channel: str) -> bool:
    """A file says where it is shared, or nothing at all: one that leaves this channel out is another channel's."""
    if names_other(raw, channel):
        return True
    places: list[Any] = []
    for kind in ("channels", "groups", "ims"):
        named = raw.get(kind)
        places += named if isinstance(named, list) else [] if named is None else [named]
    shares = raw.get("shares")
    for kind in shares.values() if isinstance(shares, dict) else [shares] if shares else []:
        places += kind if isinstance(kind, dict) else [kind] if kind else []
    return bool(places) and channel not in places

"""Blocks to plain text, for messages whose `text` is empty. Pure, tolerant of any JSON.

Only what is known to be text of *this* message is read: a block or element of an unknown type adds nothing, and
no nested message is followed.
"""

from collections.abc import Iterator
from typing import Any

from pipeline.slack.characters import clean, id_or_none, text_or_none
from pipeline.slack.names import Names
from pipeline.slack.text import Found, broadcast, link, mention_channel, mention_group, mention_user, plain

_DEEPEST = 12
"""Lists nest as items of rich_text's `indent`, so that real blocks are some five levels deep."""


def blocks_text(blocks: object, names: Names, found: Found) -> str:
    """All blocks' text, a block a paragraph; "" where they hold none."""
    texts = (_block(block, names, found) for block in _objects(blocks))
    return "\n".join(text for text in texts if text)


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def _block(block: dict[str, Any], names: Names, found: Found) -> str:
    kind = block.get("type")
    if kind == "rich_text":
        return "\n".join(_rich(part, names, found) for part in _objects(block.get("elements")))
    if kind in ("section", "header", "markdown"):
        parts = [block.get("text"), *_objects(block.get("fields"))]
        return "\n".join(filter(None, (_composed(part, names, found) for part in parts)))
    if kind == "context":
        return " ".join(filter(None, (_composed(part, names, found) for part in _objects(block.get("elements")))))
    if kind in ("image", "video"):
        return _composed(block.get("title"), names, found) or text_or_none(block.get("alt_text")) or ""
    return ""


def _composed(part: object, names: Names, found: Found) -> str:
    """A text object: `{type: mrkdwn | plain_text, text}`, an image's `alt_text`, or a bare string."""
    if isinstance(part, str):
        return plain(part, names, found)
    if not isinstance(part, dict):
        return ""
    text = text_or_none(part.get("text")) or text_or_none(part.get("alt_text")) or ""
    return plain(text, names, found) if part.get("type") == "mrkdwn" else text


def _rich(part: dict[str, Any], names: Names, found: Found) -> str:
    kind, elements = part.get("type"), part.get("elements")
    if kind == "rich_text_list":
        return _list(part, names, found)
    text = "".join(_element(element, names, found) for element in _objects(elements))
    if kind == "rich_text_quote":
        return "\n".join("> " + line for line in text.split("\n"))
    return text


def _list(part: dict[str, Any], names: Names, found: Found) -> str:
    indent, offset = _whole(part.get("indent")), _whole(part.get("offset"))
    ordered = part.get("style") == "ordered"
    lines = []
    for number, item in enumerate(_objects(part.get("elements")), offset + 1):
        text = "".join(_element(element, names, found) for element in _objects(item.get("elements")))
        lines.append("  " * min(indent, _DEEPEST) + (f"{number}. " if ordered else "• ") + text)
    return "\n".join(lines)


def _whole(value: object) -> int:
    return value if type(value) is int and 0 <= value < 10**6 else 0


def _element(element: dict[str, Any], names: Names, found: Found) -> str:
    """One inline element of rich_text; its strings are plain, never escaped."""
    kind = element.get("type")
    text = text_or_none(element.get("text")) or ""
    if kind == "link":
        address = text_or_none(element.get("url"))
        return link(address, text, found) if address else text
    if kind == "emoji":
        return _emoji(element)
    if kind == "date":
        return text_or_none(element.get("fallback")) or str(_whole(element.get("timestamp")) or "")
    if kind == "color":
        return text_or_none(element.get("value")) or ""
    return _mention(kind, element, names, found) or text


def _mention(kind: object, element: dict[str, Any], names: Names, found: Found) -> str:
    if kind == "user" and (user := id_or_none(element.get("user_id"))):
        return clean(mention_user(user, "", names, found))
    if kind == "channel" and (channel := id_or_none(element.get("channel_id"))):
        return clean(mention_channel(channel, "", names, found))
    if kind == "usergroup" and (group := id_or_none(element.get("usergroup_id"))):
        return mention_group(group, "", found)
    if kind == "broadcast" and (name := id_or_none(element.get("range"))):
        return broadcast(name, found)
    return ""


def _emoji(element: dict[str, Any]) -> str:
    """The character where Slack gives its code points ("1f44d-1f3fd"), else `:name:`."""
    try:
        points = [int(point, 16) for point in str(element.get("unicode") or "").split("-")]
        return clean("".join(map(chr, points)))
    except (ValueError, OverflowError):
        name = text_or_none(element.get("name"))
        return f":{name}:" if name else ""

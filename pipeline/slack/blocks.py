"""Blocks to the text that a person reads. Pure, tolerant of any JSON.

What can be clicked is not what was said: of buttons and menus only the address stays, as a link. Blocks that this
version does not know are read as far as they hold texts where Slack's blocks hold them, and counted.
"""

from typing import Any, Final

from pipeline.slack.characters import text_or_none
from pipeline.slack.commonmark import commonmark
from pipeline.slack.foreign import holds_other, names_other
from pipeline.slack.known import BLOCKS, ELEMENTS
from pipeline.slack.reading import Reading
from pipeline.slack.rich_text import objects, rich_text, withhold
from pipeline.slack.text import literal, plain

_DEEPEST: Final = 12
_EXACT: Final = 2**53
_SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "section": ("text", "fields", "accessory"),
    "header": ("text",),
    "context": ("elements",),
    "input": ("label", "hint"),
    "video": ("title", "description"),
    "actions": ("elements",),
    "context_actions": ("elements",),
    "table": ("rows",),
    "data_table": ("caption", "rows"),
    "plan": ("title", "tasks"),
    "task_card": ("title", "details", "output", "sources"),
    "card": ("title", "subtitle", "body", "actions"),
    "carousel": ("elements",),
    "container": ("rich_text_title", "title", "subtitle", "child_blocks"),
    "data_visualization": ("title",),
    "divider": (),
    "file": (),
}
"""What a person reads of each kind of block, in the order in which it is shown."""
_ANYWHERE: Final = (
    *("rich_text_title", "title", "subtitle", "text", "label", "hint", "description", "body", "caption", "details"),
    *("output", "fields", "elements", "child_blocks", "blocks", "items", "tasks", "rows", "sources", "accessory"),
)
"""Where a block of another kind may hold texts."""


def blocks_text(blocks: object, reading: Reading) -> str:
    """All blocks' text, each on lines of its own; "" where they hold none."""
    return _lines([_block(block, reading) for block in objects(blocks)])


def has_rich_text(blocks: object) -> bool:
    """Whether the message was written in Slack's own editor, or as if: its text is in its blocks."""
    return any(block.get("type") == "rich_text" for block in objects(blocks))


def _block(block: dict[str, Any], reading: Reading) -> str:
    """A rich_text's elements say for themselves whose they are; in any other block, one id speaks for the whole."""
    if block.get("type") == "rich_text":
        return withhold(block, reading) if names_other(block, reading.channel) else rich_text(block, reading)
    return withhold(block, reading) if holds_other(block, reading.channel) else _object(block, reading, _DEEPEST)


def _lines(texts: list[str]) -> str:
    return "\n".join([text for text in texts if text])


def _read(value: object, reading: Reading, depth: int) -> str:
    """The text of any part of a block."""
    if isinstance(value, str):
        return literal(value, reading)
    if depth <= 0:
        reading.unread = True
        return ""
    if isinstance(value, list):
        return _lines([_read(item, reading, depth - 1) for item in value])
    return _object(value, reading, depth) if isinstance(value, dict) else ""


def _object(part: dict[str, Any], reading: Reading, depth: int) -> str:
    kind = part.get("type")
    match kind:
        case "rich_text":
            return rich_text(part, reading)
        case "mrkdwn":
            return plain(text_or_none(part.get("text")) or "", reading)
        case "plain_text":
            return literal(text_or_none(part.get("text")) or "", reading)
        case "raw_text":
            return text_or_none(part.get("text")) or ""
        case "raw_number":
            return text_or_none(part.get("text")) or _number(part.get("value"))
        case "markdown":
            return commonmark(text_or_none(part.get("text")) or "", reading)
        case "image":
            return _read(part.get("title"), reading, depth - 1) or text_or_none(part.get("alt_text")) or ""
        case "call":
            return _call(part, reading)
    return _shown(kind, part, reading, depth)


def _shown(kind: object, part: dict[str, Any], reading: Reading, depth: int) -> str:
    """The texts of a block or element, after its addresses are noted."""
    label = text_or_none(part.get("text")) or ""
    addresses = (text_or_none(part.get(name)) for name in ("url", "title_url"))
    links = [reading.link(address, label) for address in addresses if address]
    if kind == "url":  # a source that an answer was drawn from
        return links[0] if links else label
    if isinstance(kind, str) and kind in ELEMENTS:
        return ""
    known = isinstance(kind, str) and kind in BLOCKS
    names = _SHOWN.get(kind, _ANYWHERE) if isinstance(kind, str) else _ANYWHERE
    text = _joined(names, part, reading, depth)
    if kind is not None and not known:
        reading.count("block" if depth == _DEEPEST else "element", kind)
        reading.unread = reading.unread or not text
    return text


def _joined(names: tuple[str, ...], part: dict[str, Any], reading: Reading, depth: int) -> str:
    if part.get("type") == "context":
        return " ".join(filter(None, (_read(item, reading, depth - 1) for item in objects(part.get("elements")))))
    return _lines([_table(part[name], reading, depth) if name == "rows" else _read(part[name], reading, depth - 1)
                   for name in names if part.get(name)])  # fmt: skip


def _table(rows: object, reading: Reading, depth: int) -> str:
    """A line a row, ` | ` between its cells."""
    if not isinstance(rows, list):
        return ""
    cells = ([_read(cell, reading, depth - 2) for cell in row] for row in rows if isinstance(row, list))
    return _lines([" | ".join(row) if any(row) else "" for row in cells])


def _number(value: object) -> str:
    """A number as JSON writes it; one that no reader could hold is left out."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(value) if -_EXACT <= value <= _EXACT else ""


def _call(part: dict[str, Any], reading: Reading) -> str:
    """A call's name; where to join it is a link."""
    call = part.get("call")
    v1 = call.get("v1") if isinstance(call, dict) else None
    if not isinstance(v1, dict):
        return ""
    address = text_or_none(v1.get("join_url"))
    if address:
        reading.link(address)
    return text_or_none(v1.get("name")) or ""

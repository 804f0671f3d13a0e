"""Slack's rich_text to the text that a person reads: the same words as its mrkdwn gives. Pure, tolerant of any JSON."""

from collections.abc import Callable
from typing import Any, Final

from pipeline.slack.characters import clean, id_or_none, text_or_none
from pipeline.slack.foreign import element_names_other, reference
from pipeline.slack.reading import Reading

_DEEPEST: Final = 12
"""Lists nest as items of rich_text's `indent`, so that real ones are some three levels deep."""
_FAR: Final = 10**12
"""No offset, indent or time is larger."""


def rich_text(block: dict[str, Any], reading: Reading) -> str:
    """The text of one rich_text block: sections, lists, quotes and preformatted text, each on lines of its own."""
    return _parts(block.get("elements"), reading, _DEEPEST).strip("\n")


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; anything else is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _whole(value: object) -> int:
    """A whole number that is not negative and not absurd, else 0."""
    return value if type(value) is int and 0 <= value < _FAR else 0


def withhold(block: dict[str, Any], reading: Reading) -> str:
    """Leave out another channel's content: a reference and a count stay."""
    reading.withhold("block", reference(block, reading.channel))
    return ""


def _quoted(text: str) -> str:
    """Each line behind a `> `."""
    return "\n".join("> " + line for line in text.strip("\n").split("\n"))


def _parts(elements: object, reading: Reading, depth: int) -> str:
    """Sections bring their own line ends or not; what follows begins a line either way."""
    text: list[str] = []
    if depth <= 0:
        reading.unread = True
        return ""
    for element in objects(elements):
        part = _part(element, reading, depth)
        if part and text and not text[-1].endswith("\n"):
            text.append("\n")
        text.append(part)
    return "".join(text)


def _part(part: dict[str, Any], reading: Reading, depth: int) -> str:
    kind = part.get("type")
    if element_names_other(part, reading.channel):
        return withhold(part, reading)
    if kind == "rich_text_list":
        text = _list(part, reading, depth)
    elif kind in _PARTS:
        text = _inline(part, reading, depth)
    else:
        text = _element(part, reading, depth)
    return _quoted(text) if text and (kind == "rich_text_quote" or part.get("border") == 1) else text


def _list(part: dict[str, Any], reading: Reading, depth: int) -> str:
    """Bullets or numbers, two blanks an indent; a list within a list is one indent further."""
    indent, ordered = min(_whole(part.get("indent")), _DEEPEST), part.get("style") == "ordered"
    number, lines = _whole(part.get("offset")), []
    for item in objects(part.get("elements")):
        if item.get("type") == "rich_text_list":
            lines.append(_parts([{**item, "indent": max(indent + 1, _whole(item.get("indent")))}], reading, depth - 1))
            continue
        number += 1
        lines.append("  " * indent + (f"{number}. " if ordered else "• ") + _part(item, reading, depth))
    return "\n".join(lines)


def _inline(part: dict[str, Any], reading: Reading, depth: int) -> str:
    if depth <= 0:
        reading.unread = True
        return ""
    return "".join([_element(item, reading, depth - 1) for item in objects(part.get("elements"))])


def _element(element: dict[str, Any], reading: Reading, depth: int) -> str:
    """One inline element; its strings are plain, never escaped."""
    kind = element.get("type")
    if kind == "channel":
        return _channel(element, reading)
    if element_names_other(element, reading.channel):
        return withhold(element, reading)
    if kind == "text":
        return text_or_none(element.get("text")) or ""
    read = _ELEMENTS.get(kind) if isinstance(kind, str) else None
    if read is not None:
        return read(element, reading) or text_or_none(element.get("text")) or ""
    if kind in _PARTS:
        return _parts([element], reading, depth - 1)
    return _unknown(element, reading, depth)


def _unknown(element: dict[str, Any], reading: Reading, depth: int) -> str:
    """What a new kind of element calls its text, or holds as elements."""
    reading.count("element", element.get("type"))
    text = (
        text_or_none(element.get("text")) or text_or_none(element.get("fallback")) or _inline(element, reading, depth)
    )
    reading.unread = reading.unread or not text
    return text


def _link(element: dict[str, Any], reading: Reading) -> str:
    address = text_or_none(element.get("url"))
    return reading.link(address, text_or_none(element.get("text")) or "") if address else ""


def _user(element: dict[str, Any], reading: Reading) -> str:
    user = id_or_none(element.get("user_id"))
    return clean(reading.user(user)) if user else ""


def _channel(element: dict[str, Any], reading: Reading) -> str:
    channel = id_or_none(element.get("channel_id"))
    return clean(reading.mentioned_channel(channel)) if channel else ""


def _group(element: dict[str, Any], reading: Reading) -> str:
    group = id_or_none(element.get("usergroup_id"))
    return clean(reading.group(group)) if group else ""


def _team(element: dict[str, Any], reading: Reading) -> str:
    team = id_or_none(element.get("team_id"))
    return "@" + team if team else ""


def _broadcast(element: dict[str, Any], reading: Reading) -> str:
    name = id_or_none(element.get("range"))
    return reading.broadcast(name) if name else ""


def _date(element: dict[str, Any], reading: Reading) -> str:
    """What the author's client showed, else the Unix seconds: in whose time zone a reader reads is not known."""
    address = text_or_none(element.get("url"))
    shown = text_or_none(element.get("fallback")) or str(_whole(element.get("timestamp")) or "")
    return reading.link(address, shown) if address else shown


def _color(element: dict[str, Any], reading: Reading) -> str:
    return text_or_none(element.get("value")) or ""


def _emoji(element: dict[str, Any], reading: Reading) -> str:
    """The character where Slack gives its code points ("1f44d-1f3fd"), else `:name:`, with its skin tone."""
    try:
        shown = clean("".join(chr(int(point, 16)) for point in (text_or_none(element.get("unicode")) or "").split("-")))
    except (ValueError, OverflowError):
        shown = ""
    name, tone = text_or_none(element.get("name")), _whole(element.get("skin_tone"))
    return shown or (f":{name}:" + (f":skin-tone-{tone}:" if tone else "") if name else "")


_PARTS: Final = ("rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted")
_ELEMENTS: Final[dict[str, Callable[[dict[str, Any], Reading], str]]] = {
    "link": _link,
    "user": _user,
    "usergroup": _group,
    "team": _team,
    "broadcast": _broadcast,
    "date": _date,
    "color": _color,
    "emoji": _emoji,
}

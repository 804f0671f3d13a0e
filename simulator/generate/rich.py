"""rich_text as Slack's own clients write it, and the `text` that Slack gives beside it."""

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

_MARKS = (("strike", "~"), ("italic", "_"), ("bold", "*"), ("code", "`"))
_BULLETS = ("•", "◦", "▪︎")
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi")
_SECTION = "rich_text_section"


def words(text: str, *styles: str) -> Json:
    """Words in an inline style or two."""
    return {"type": "text", "text": text, **({"style": dict.fromkeys(styles, True)} if styles else {})}


def link(address: str, label: str = "") -> Json:
    """An address, with a label or without."""
    return {"type": "link", "url": address, **({"text": label} if label else {})}


def section(*elements: Json) -> Json:
    """A paragraph."""
    return {"type": _SECTION, "elements": list(elements)}


def quote(*elements: Json) -> Json:
    """A quoted paragraph."""
    return {"type": "rich_text_quote", "elements": list(elements)}


def code(text: str) -> Json:
    """A block of code."""
    return {"type": "rich_text_preformatted", "elements": [words(text)], "border": 0}


def items(lines: Iterable[str], indent: int = 0, style: str = "bullet", **more: Any) -> Json:
    """One level of a list; a nested list is another part with a larger indent."""
    elements = [section(words(line)) for line in lines]
    return {"type": "rich_text_list", "style": style, "indent": indent, "border": 0, "elements": elements, **more}


def block(parts: Iterable[Json], name: str) -> Json:
    """The block that holds the parts; `name` is its id."""
    return {"type": "rich_text", "block_id": name, "elements": list(parts)}


def text_of(parts: Iterable[Json]) -> str:
    """What Slack writes into `text`: mrkdwn, three characters escaped, each part on lines of its own."""
    text = ""
    for part in parts:
        text += ("\n" if text and not text.endswith("\n") else "") + _part(part)
    return text


def _part(part: Json) -> str:
    kind = part["type"]
    if kind == "rich_text_list":
        return _list(part)
    is_code = kind == "rich_text_preformatted"
    text = "".join(_bare(element) if is_code else _styled(element) for element in part["elements"])
    if is_code:
        return f"```{text}```"
    return "\n".join("&gt; " + line for line in text.split("\n")) if kind == "rich_text_quote" else text


def _list(part: Json) -> str:
    lines = []
    for number, item in enumerate(part["elements"], part.get("offset", 0) + 1):
        mark = _number(number, part["indent"]) if part["style"] == "ordered" else _BULLETS[min(part["indent"], 2)]
        lines.append("    " * part["indent"] + f"{mark} {_part(item)}")
    return "\n".join(lines)


def _number(number: int, indent: int) -> str:
    """Slack counts 1, a, i by depth."""
    if indent == 1:
        return f"{chr(ord('a') + (number - 1) % 26)}."
    return f"{_ROMAN[(number - 1) % len(_ROMAN)] if indent == 2 else number}."


def _styled(element: Json) -> str:
    """Marks stand at words, not at the blanks around them."""
    text = _bare(element)
    bare = text.strip()
    for style, mark in _MARKS:
        if bare and element.get("style", {}).get(style):
            text = text.replace(bare, f"{mark}{bare}{mark}", 1)
            bare = f"{mark}{bare}{mark}"
    return text


def _bare(element: Json) -> str:
    match element["type"]:
        case "text":
            return escape(element["text"])
        case "link":
            label = f"|{escape(element['text'])}" if element.get("text") else ""
            return f"<{escape(element['url'])}{label}>"
        case "user":
            return f"<@{element['user_id']}>"
        case "channel":
            return f"<#{element['channel_id']}>"
        case "usergroup":
            return f"<!subteam^{element['usergroup_id']}>"
        case "broadcast":
            return f"<!{element['range']}>"
        case "emoji":
            return f":{element['name']}:"
        case "color":
            return str(element["value"])
        case "date":
            return f"<!date^{element['timestamp']}^{element['format']}|{escape(element['fallback'])}>"
    return ""  # a client shows what it knows; so does Slack's own text


def escape(text: str) -> str:
    """The three characters, the ampersand first."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""rich_text as Slack itself writes it into a message's `text`: the reference that both readings are held against."""

from typing import Any

Json = dict[str, Any]
MARKS = (("strike", "~"), ("italic", "_"), ("bold", "*"), ("code", "`"))
GLYPHS = "•◦▪"
ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")


def mrkdwn(block: Json) -> str:
    """One rich_text block. What follows begins a line of its own."""
    text = ""
    for part in block["elements"]:
        text += ("\n" if text and not text.endswith("\n") else "") + _part(part)
    return text


def _part(part: Json) -> str:
    kind = part["type"]
    if kind == "rich_text_list":
        return _quoted(_list(part), part.get("border") == 1)
    text = "".join(_element(element, code=kind == "rich_text_preformatted") for element in part["elements"])
    if kind == "rich_text_preformatted":
        return f"```{text}```"
    return _quoted(text, kind == "rich_text_quote")


def _quoted(text: str, quoted: bool) -> str:
    return "\n".join("&gt; " + line for line in text.split("\n")) if quoted else text


def _list(part: Json) -> str:
    indent = part.get("indent", 0)
    lines = []
    for number, item in enumerate(part["elements"], part.get("offset", 0) + 1):
        marker = _number(number, indent) + "." if part["style"] == "ordered" else GLYPHS[min(indent, 2)]
        lines.append("    " * indent + f"{marker} " + _part(item))
    return "\n".join(lines)


def _number(number: int, indent: int) -> str:
    """Slack counts 1, a, i by depth."""
    if indent == 1:
        return chr(ord("a") + (number - 1) % 26)
    return ROMAN[(number - 1) % len(ROMAN)] if indent == 2 else str(number)


def _element(element: Json, code: bool = False) -> str:
    text = _bare(element)
    if code:
        return text
    for style, mark in MARKS:
        if element.get("style", {}).get(style) and text.strip():
            bare = text.strip()
            before, _, after = text.partition(bare)
            text = f"{before}{mark}{bare}{mark}{after}"  # marks stand at words, not at blanks
    return text


def _bare(element: Json) -> str:
    match element["type"]:
        case "text":
            return escape(element["text"])
        case "link":
            label = element.get("text")
            return f"<{escape(element['url'])}|{escape(label)}>" if label else f"<{escape(element['url'])}>"
        case "user":
            return f"<@{element['user_id']}>"
        case "channel":
            return f"<#{element['channel_id']}|{element['channel_id'].lower()}-name>"
        case "usergroup":
            return f"<!subteam^{element['usergroup_id']}|@{element['usergroup_id'].lower()}-team>"
        case "broadcast":
            return f"<!{element['range']}>"
        case "emoji":
            return f":{element['name']}:" + (f":skin-tone-{element['skin_tone']}:" if "skin_tone" in element else "")
        case "color":
            return str(element["value"])
        case "date":
            link = f"^{escape(element['url'])}" if "url" in element else ""
            label = f"|{escape(element['fallback'])}" if "fallback" in element else ""
            return f"<!date^{element['timestamp']}^{element['format']}{link}{label}>"
    raise AssertionError(element["type"])


def escape(text: str) -> str:
    """The three characters, the ampersand first."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""HTML that is escaped unless somebody says otherwise: tags are made here, and nowhere by hand."""

from collections.abc import Iterable
from html import escape

_VOID = frozenset({"input", "meta"})


class Html(str):
    """Text that is HTML already. Only `tag`, `page` and constants make it; every other text is escaped."""

    __slots__ = ()


Inside = str | int | None | Iterable["Inside"]


def tag(name: str, /, *inside: Inside, **attributes: str | int | bool | None) -> Html:
    """`<name attribute="…">inside</name>`; a trailing `_` of an attribute is dropped, `True` leaves it bare."""
    said = "".join(_attribute(word, value) for word, value in attributes.items())
    return Html(f"<{name}{said}>" if name in _VOID else f"<{name}{said}>{joined(inside)}</{name}>")


def joined(inside: Inside) -> Html:
    """Several things one after the other; None is nothing."""
    if inside is None:
        return Html("")
    if isinstance(inside, Html):
        return inside
    if isinstance(inside, str | int):
        return Html(escape(str(inside).encode("utf-8", "replace").decode()))  # a lone surrogate has no place in a page
    return Html("".join(joined(one) for one in inside))


def _attribute(word: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = word.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{joined(value)}"'

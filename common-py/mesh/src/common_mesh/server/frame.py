"""What every page shares: head, style, header, and the policy that lets nothing in from elsewhere."""

import base64
import hashlib
from importlib.resources import files

from starlette.responses import HTMLResponse

from common_mesh.server.markup import Html, Inside, tag

_STYLE = Html((files("common_mesh.server") / "page.css").read_text("utf-8"))
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""No script, no picture, no font, no other host: there is none of it in the pages, and none can be put in."""


def page(title: str, *inside: Inside, leave: bool = False, status: int = 200) -> HTMLResponse:
    """A whole page; `leave` offers to forget the token."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · Reference mesh" if title else "Reference mesh"),
        tag("style", _STYLE),
    )
    skip = tag("a", "Skip to the content", href="#content", class_="skip")
    form = tag("form", tag("button", "Sign out", class_="quiet"), method="post", action="/logout") if leave else None
    header = tag("header", tag("a", "Reference mesh", href="/", class_="home"), form)
    body = tag("body", skip, header, tag("main", *inside, id="content"))
    return HTMLResponse("<!doctype html>\n" + tag("html", head, body, lang="en"), status, HEADERS)


def trouble(status: int, title: str, what: str, *, again: str | None = None, leave: bool = False) -> HTMLResponse:
    """A page that says what is wrong, and what to do."""
    link = tag("p", tag("a", "Try again", href=again)) if again else None
    return page(title, tag("h1", title), tag("p", what, role="alert"), link, _home(), leave=leave, status=status)


def _home() -> Html:
    return tag("p", tag("a", "All organisations", href="/"))

"""Who may look at the pages: the token is given once, and a cookie that only this token could have signed stays."""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping

from common_mesh.server.markup import Html, tag

COOKIE = "mesh_look"
SECONDS = 12 * 3600


class Login:
    """Without a token everybody may look. Nothing is kept: a new token ends every cookie by itself."""

    def __init__(self, token: str | None, clock: Callable[[], float] = time.time) -> None:
        self._token = token
        self._clock = clock

    @property
    def wanted(self) -> bool:
        """Whether there is anything to sign in with."""
        return self._token is not None

    def opens(self, given: str) -> bool:
        """Whether this is the token."""
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def cookie(self) -> str:
        """What to keep: until when, and the proof."""
        until = str(int(self._clock()) + SECONDS)
        return f"{until}.{self._proof(until)}"

    def admits(self, cookies: Mapping[str, str]) -> bool:
        """Whether the cookie is one of ours and its time has not passed."""
        if self._token is None:
            return True
        until, _, proof = cookies.get(COOKIE, "").partition(".")
        if not hmac.compare_digest(proof.encode(), self._proof(until).encode()):
            return False
        return self._clock() < int(until)

    def _proof(self, until: str) -> str:
        return hmac.new((self._token or "").encode(), f"{COOKIE} {until}".encode(), hashlib.sha256).hexdigest()


def form(onward: str, *, wrong: bool) -> Html:
    """The form that asks for the token; `onward` is where the visitor was going."""
    said = tag("p", "That is not this mesh's token.", role="alert", id="wrong") if wrong else None
    field = tag(
        "input",
        type="password",
        name="token",
        autocomplete="current-password",
        required=True,
        autofocus=True,
        class_="wide",
        aria_describedby="wrong" if wrong else None,
    )
    return tag(
        "form",
        tag("h1", "Sign in"),
        tag("p", "This mesh shows its records to whoever has its token.", class_="lead"),
        said,
        tag("label", "Token", field),
        tag("input", type="hidden", name="onward", value=onward),
        tag("p", tag("button", "Sign in")),
        method="post",
        action="/login",
        class_="card narrow",
    )


def onward(asked: str) -> str:
    """Where to go after signing in: a page of this server, whatever somebody wrote into a link."""
    inside = asked == "/" or asked.startswith(("/look/", "/?"))
    return asked if inside and asked.isascii() and asked.isprintable() and "\\" not in asked else "/"

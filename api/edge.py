"""What surrounds the routes: the path as it was sent, headers for browsers, a count and a log line without content.

Callbacks go another way: their routes count and answer by themselves, and pay for nothing here.
"""

import logging
import time
from collections import Counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

WEBHOOKS: Final = "/v1/webhooks/"
ORGANISATIONS: Final = "/v1/orgs/"
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
)
_log = logging.getLogger("api.answers")


class RawPaths:
    """Has the organisations' routes match the path as it was sent, still percent-encoded.

    A server decodes it, and then the user `x/allowlist` cannot be told from the allowlist of the user `x`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; where a server gives no raw path, the decoded one has to do."""
        if scope["type"] == "http" and scope["path"].startswith(ORGANISATIONS) and scope.get("raw_path"):
            scope = {**scope, "path": scope["raw_path"].decode("latin-1")}
        await self._app(scope, receive, send)


class Observed:
    """Adds headers that keep a browser from guessing, framing, keeping or telling; counts and logs the answer.

    `answers` counts (method, route, status). A route is its template, so that no id gets into a metric or a log.
    """

    def __init__(self, app: ASGIApp, answers: Counter[tuple[str, str, str]]) -> None:
        self._app, self._answers = app, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is no callback, observed."""
        if scope["type"] != "http" or scope["path"].startswith(WEBHOOKS):
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
                self._note(scope, message["status"], time.perf_counter() - begun)
            await send(message)

        await self._app(scope, receive, observed)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none").replace(":path}", "}")
        method = scope["method"] if scope["method"] in _METHODS else "other"  # a client may invent any number of them
        self._answers[method, route, str(status)] += 1
        if route not in _QUIET:
            facts = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
            _log.info("api.answered", extra=facts)

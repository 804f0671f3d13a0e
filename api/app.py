"""The FastAPI application: three webhook routes that carry the load, and the core service's routes beside them."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from api import allowlist, connections, operations, problems, pulls
from api.pages import docs_page
from api.services import Services
from api.verify import Verifier
from api.webhook_docs import add_webhooks
from api.webhooks import Inbox, webhook_routes

TITLE = "Sluice"
SUMMARY = "Takes customers' Slack data in through Paragon; lets through only what is allowed."
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


def create_app(
    services: Services,
    verifier: Verifier,
    inbox: Inbox,
    *,
    body_limit: int,
    on_close: Callable[[], Any] | None = None,
) -> FastAPI:
    """The application over these services. `on_close` is awaited at shutdown."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if on_close is not None:
            await on_close()

    app = FastAPI(title=TITLE, summary=SUMMARY, version="0.1.0", docs_url=None, redoc_url=None, lifespan=lifespan)
    answers: Counter[tuple[str, str]] = Counter()
    app.state.services, app.state.intake_answers = services, answers
    problems.install(app)
    # The webhooks come first: they are looked up at the front of the list, and pay for nothing else.
    app.router.routes.extend(
        webhook_routes(verifier, inbox, body_limit=body_limit, count=lambda *what: answers.update([what]))
    )
    for module in (allowlist, pulls, connections, operations):
        app.include_router(module.router)
    _describe(app)
    _add_docs(app)
    app.add_middleware(_SafeHeaders)
    return app


def _describe(app: FastAPI) -> None:
    """Put the webhooks, which FastAPI did not make, into its description."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        return add_webhooks(described())

    app.openapi = openapi  # type: ignore[method-assign]


def _add_docs(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """The API as a page: rendered here, loading nothing from anywhere."""
        return HTMLResponse(docs_page(app.openapi()))


class _SafeHeaders:
    """Headers that keep a browser from guessing, framing or telling; on pages only, for callbacks go no such way."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Add them to answers outside the webhooks."""
        if scope["type"] != "http" or scope["path"].startswith("/v1/webhooks/"):
            await self._app(scope, receive, send)
            return

        async def with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        await self._app(scope, receive, with_headers)

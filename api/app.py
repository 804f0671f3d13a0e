"""The FastAPI application: three webhook routes that carry the load, and the core service's routes beside them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from api import allowlist, audit, channels, connections, events, operations, pauses, people, picker, problems, pulls
from api.edge import Observed, RawPaths
from api.event_docs import add_events
from api.metrics import Answers
from api.pages import docs_page
from api.services import Services
from api.verify import Verifier
from api.webhook_docs import add_webhooks
from api.webhooks import Inbox, webhook_routes
from api.workflow_check import workflow_check_router

TITLE = "Sluice"
SUMMARY = "Takes customers' Slack data in through Paragon; lets through only what is allowed."


def create_app(
    services: Services,
    verifier: Verifier,
    inbox: Inbox,
    *,
    body_limit: int,
    on_close: Callable[[], Awaitable[None]] | None = None,
) -> FastAPI:
    """The application over these services. `on_close` is awaited at shutdown."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if on_close is not None:
            await on_close()

    app = FastAPI(
        title=TITLE,
        summary=SUMMARY,
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,  # a redirect would say the path again
    )
    answers = Answers()
    app.state.services, app.state.answers = services, answers
    problems.install(app)
    # The webhooks come first: they are looked up at the front of the list, and pay for nothing else.
    app.router.routes.extend(
        webhook_routes(verifier, inbox, body_limit=body_limit, count=lambda *what: answers.callbacks.update([what]))
    )
    app.include_router(workflow_check_router(verifier, body_limit=body_limit))
    # The connection itself comes last: the user in its path matches whatever follows.
    for part in (pauses, events, operations, audit, allowlist, channels, picker, pulls, people, connections):
        app.include_router(part.router)
    app.include_router(operations.health_router)
    _describe(app)
    _add_docs(app)
    app.add_middleware(Observed, answers=answers.others)
    app.add_middleware(RawPaths)
    return app


def _describe(app: FastAPI) -> None:
    """Put the webhooks, which FastAPI did not make, and what we send ourselves, into its description."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        return add_events(add_webhooks(described()))

    app.openapi = openapi  # type: ignore[method-assign]


def _add_docs(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """The API as a page: rendered here, loading nothing from anywhere."""
        return HTMLResponse(docs_page(app.openapi()))

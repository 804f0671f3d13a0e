"""The pages' routes: sign in, what the mesh holds, a space's records and its effects."""

import json
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from common_mesh.reference.paging import PAGE_SIZE, BadQuery
from common_mesh.reference.store import Busy, Space, Store
from common_mesh.server import login, views
from common_mesh.server.asked import View
from common_mesh.server.frame import page, trouble
from common_mesh.server.markup import Inside
from common_mesh.server.paths import place, raw_path

PAGE = 50
_LONGEST_FORM = 8_192

Handler = Callable[["Looking", Request], Awaitable[Response]]


def _guarded(handler: Handler) -> Handler:
    """Signed in, or sent to sign in; what goes wrong is a page too."""

    @wraps(handler)
    async def guarded(self: "Looking", request: Request) -> Response:
        address = raw_path(request) + (f"?{request.url.query}" if request.url.query else "")
        leave = self.login.wanted
        if not self.login.admits(request.cookies):
            return RedirectResponse(f"/login?onward={quote(address)}", 303)
        try:
            return await handler(self, request)
        except BadQuery as error:
            return trouble(400, "This filter cannot be read", f"{error}.", again=raw_path(request), leave=leave)
        except Busy:
            what = "Its store is locked or its disk is away; what was acknowledged is safe."
            return trouble(503, "The mesh cannot be read now", what, again=address, leave=leave)

    return guarded


class Looking:
    """The pages of one store. Server-rendered: they need no script and load nothing."""

    def __init__(self, store: Store, token: str | None) -> None:
        self.login = login.Login(token)
        self._store = store
        self.routes = [
            Route("/", self._overview),
            Route("/login", self._ask),
            Route("/login", self._sign_in, methods=["POST"]),
            Route("/logout", self._sign_out, methods=["POST"]),
            Route("/look/{rest:path}", self._look),
        ]

    async def _ask(self, request: Request) -> Response:
        if not self.login.wanted:
            return RedirectResponse("/", 303)
        return page("Sign in", login.form(login.onward(request.query_params.get("onward", "/")), wrong=False))

    async def _sign_in(self, request: Request) -> Response:
        fields = parse_qs((await _body(request)).decode("utf-8", "replace"))
        onward = login.onward(fields.get("onward", ["/"])[0])
        if not self.login.opens(fields.get("token", [""])[0]):
            return page("Sign in", login.form(onward, wrong=True), status=401)
        answer = RedirectResponse(onward, 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(
            login.COOKIE, self.login.cookie(), login.SECONDS, httponly=True, samesite="strict", secure=secure
        )
        return answer

    async def _sign_out(self, _: Request) -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(login.COOKIE, httponly=True, samesite="strict")
        return answer

    @_guarded
    async def _overview(self, request: Request) -> Response:
        spaces = await run_in_threadpool(self._store.spaces)
        wanted = request.query_params.get("org", "").strip()
        return page("", views.overview(spaces, wanted), leave=self.login.wanted)

    @_guarded
    async def _look(self, request: Request) -> Response:
        found = place(raw_path(request))
        if found is None:
            return trouble(404, "There is no such page", "The address leads nowhere.", leave=self.login.wanted)
        space, leaf = found
        shown = self._effects if leaf == "effects" else self._records
        title = f"{space.model} · {space.org}"
        return page(title, await run_in_threadpool(shown, space, request), leave=self.login.wanted)

    def _records(self, space: Space, request: Request) -> list[Inside]:
        view = View.of(request.query_params)
        rows = self._store.records(space, view.after, PAGE, view.filters, PAGE_SIZE)
        full = len(rows) == PAGE or sum(len(body) for _, body in rows) >= PAGE_SIZE
        found = views.Page([_record(rid, body) for rid, body in rows], rows[-1][0] if full else None)
        return views.records(space, self._store.states(space), view, found)

    def _effects(self, space: Space, request: Request) -> list[Inside]:
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 19):
            raise BadQuery("The place to go on from is no number")
        rows = self._store.effects(space, int(after), PAGE)
        return views.effects(space, rows, rows[-1].sequence if rows and len(rows) == PAGE else None)


def _record(rid: str, body: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(body)
    except RecursionError:
        return {"id": rid, "version": "0" * 32, "text": "This record is too deep to be shown."}
    return record


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            return b""
    return body

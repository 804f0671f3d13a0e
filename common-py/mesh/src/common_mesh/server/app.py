"""The Starlette application: bodies in within their cap, batches to the one writer, reads to the threads beside it."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from common_mesh.reference.answering import Asked, Caps, Reply, Wire, problem
from common_mesh.reference.store import Busy, Store
from common_mesh.server.looking import Looking
from common_mesh.server.metrics import Metrics
from common_mesh.server.paths import raw_path

MAX_WAITING = 48
"""Batches that may wait for the writer; the next one is told to come back."""

UPKEEP_SECONDS = 1.0


class MeshServer:
    """One store behind HTTP. `asgi` is the application; it closes the store when it stops."""

    def __init__(self, store: Store, *, token: str | None = None, caps: Caps | None = None) -> None:
        self._store = store
        self._wire = Wire(store, token=token, caps=caps)
        self._metrics = Metrics()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="mesh-writer")
        self._waiting = 0
        self.asgi = Starlette(
            routes=[
                *Looking(store, token).routes,
                Route("/healthz", self._health),
                Route("/metrics", self._numbers),
                Route("/v1", self._speak, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
                Route("/v1/{rest:path}", self._speak, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        upkeep = asyncio.create_task(self._keep_up())
        yield
        upkeep.cancel()
        with suppress(asyncio.CancelledError):
            await upkeep
        self._writer.shutdown(cancel_futures=True)
        self._store.close()

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP_SECONDS)
            with suppress(Busy):  # the next round will do
                await asyncio.get_running_loop().run_in_executor(self._writer, self._store.upkeep)

    async def _health(self, _: Request) -> Response:
        try:
            await run_in_threadpool(self._store.check)
        except Busy:
            return PlainTextResponse("the store cannot be read\n", status_code=503)
        return PlainTextResponse("ok\n")

    async def _numbers(self, _: Request) -> Response:
        return PlainTextResponse(self._metrics.text(self._waiting))

    async def _speak(self, request: Request) -> Response:
        asked = _asked(request)
        received = 0
        reply = self._wire.refusal(asked)
        if reply is None:
            try:
                body = await self._body(request)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            received = len(body)
            reply = await self._answer(asked._replace(body=body))
        self._metrics.count(reply, received)
        return Response(reply.body, reply.status, reply.headers)

    async def _answer(self, asked: Asked) -> Reply:
        if len(asked.body) > self._wire.caps.bytes:
            return self._wire.too_large()
        if asked.method != "POST":
            return await run_in_threadpool(self._wire.answer, asked)
        if self._waiting >= MAX_WAITING:
            return problem(503, "too many batches are waiting", headers={"Retry-After": "1"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._writer, self._wire.answer, asked)
        finally:
            self._waiting -= 1

    async def _body(self, request: Request) -> bytes:
        """The body, one byte over the cap at most: counted as it comes, whatever its length was said to be."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._wire.caps.bytes:
                break
        return bytes(body[: self._wire.caps.bytes + 1])


def _asked(request: Request) -> Asked:
    return Asked(request.method, raw_path(request), dict(request.query_params), dict(request.headers))

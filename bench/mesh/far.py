"""`python -m bench.mesh.far --latency 0.05 --port N`: a mesh that counts and drops, so many seconds away."""

import argparse
import asyncio

import uvicorn
from common_mesh.reference.null import NullStore
from common_mesh.server.app import MeshServer
from starlette.types import ASGIApp, Receive, Scope, Send


class Far:
    """Holds each request for `latency` seconds; those of other connections pass meanwhile, as on a long line."""

    def __init__(self, app: ASGIApp, latency: float) -> None:
        self._app = app
        self._latency = latency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then answer."""
        if scope["type"] == "http" and self._latency:
            await asyncio.sleep(self._latency)
        await self._app(scope, receive, send)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    app = Far(MeshServer(NullStore()).asgi, options.latency)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()

"""The core service's routes of a whole application, over a real store and a fake mesh."""

import asyncio
import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
import redis
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr
from sluice import CONNECTION, ORG, SHARDS, TEAM, Sluice, now_us

from api.app import create_app
from api.services import make_services
from api.verify import Verifier
from pipeline.paragon.run_tokens import RunTokens
from pipeline.paragon.token import UserTokens

OPERATOR, OURS, OTHERS = "operator-token", "our-organisation", "another-organisation"
SCOPES = {"operator": OPERATOR, f"org:{ORG}": OURS, "org:elsewhere": OTHERS}
PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
AT = f"/v1/orgs/{ORG}/connections/{quote(CONNECTION.rpartition('/')[0], safe='')}"
RUNS = {"run_id": "r", "cursor": "", "next_cursor": ""}


def path_of(connection: str) -> str:
    user, _, org = connection.rpartition("/")
    return f"/v1/orgs/{quote(org, safe='')}/connections/{quote(user, safe='')}"


class NoInbox:
    async def append(self, **_: Any) -> str:
        raise AssertionError("no callback is expected here")


class Core:
    """Calls routes as somebody with a token; `drains` says whether a ring is followed by a drain at once."""

    def __init__(
        self, sluice: Sluice, *, drains: bool = True, client: redis.Redis | None = None, events_url: str = ""
    ) -> None:
        self.sluice, self.drains = sluice, drains
        self.rings: Counter[str] = Counter(rung=0)
        services = make_services(
            client or sluice.client,
            SHARDS,
            sluice.vault,
            user_tokens=UserTokens(SecretStr(PEM)),
            core_tokens={scope: [hashlib.sha256(token.encode()).hexdigest()] for scope, token in SCOPES.items()},
            overdue_us=60_000_000,
            ring=self.ring,
            rings=self.rings,
            now_us=now_us,
            events_url=events_url,
        )
        verifier = Verifier(RunTokens({"k": SecretStr("k" * 32)}), [SecretStr("s" * 16)])
        self.app = create_app(services, verifier, NoInbox(), body_limit=100_000)

    def ring(self, shard: int) -> None:
        self.rings["rung"] += 1
        if self.drains:
            assert shard == self.sluice.keys.shard
            self.sluice.drain()

    def call(self, method: str, path: str, token: str | None = OPERATOR, **request: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with httpx.AsyncClient(transport=transport, base_url="http://sluice.test") as client:
                return await client.request(method, path, headers=headers | request.pop("headers", {}), **request)

        return asyncio.run(once())

    def connected(self) -> "Core":
        """With a registered connection whose directory is complete: channels C1, C2 and a direct message."""
        assert self.call("PUT", AT, json={"team": TEAM, "name": "rob"}).status_code == 200
        channels = [{"id": "C1", "name": "general"}, {"id": "C2", "name": "plans"}, {"id": "D1", "is_im": True}]
        self.sluice.receive(
            {"kind": "channels", "channels": channels, **RUNS}, {"kind": "users", "members": [{"id": "U1"}], **RUNS}
        )
        self.sluice.drain()
        return self

    def allow(self, *channels: str, token: str = OPERATOR) -> httpx.Response:
        etag = self.call("GET", f"{AT}/allowlist").headers["ETag"]
        wanted = {"channels": list(channels)}
        return self.call("PUT", f"{AT}/allowlist", token, json=wanted, headers={"If-Match": etag})

    @contextmanager
    def served(self) -> Iterator[httpx.Client]:
        """By a real uvicorn, which decodes paths in its own way."""
        config = uvicorn.Config(self.app, host="127.0.0.1", port=0, log_config=None, lifespan="off", http="httptools")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            headers = {"Authorization": f"Bearer {OPERATOR}"}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()

"""What Sluice asks of Paragon, against the real simulator over HTTP, with faults in between."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from core_api import PEM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import SecretStr
from sluice import CONNECTION, Sluice

from pipeline.paragon.client import ParagonClient
from pipeline.paragon.run_tokens import RunTokens
from pipeline.paragon.token import UserTokens
from simulator.app import create_app
from simulator.config import CHANNELS, MESSAGES, USERS, SimulatorConfig
from workers.looking import Directories, Looking
from workers.schedule import Outgoing, Pulls

PROJECT = "project-1"
CALLBACK = "http://sluice.test/v1/webhooks/slack/messages"
RUNS = {"run_id": "r", "cursor": "", "next_cursor": ""}
Fault = Callable[[httpx.Request], httpx.Response]
PUBLIC = (
    load_pem_private_key(PEM.encode(), password=None)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


@contextmanager
def simulator() -> Iterator[str]:
    """A simulator on loopback; callbacks are taken by nobody. Its address."""
    config = SimulatorConfig(PUBLIC, PROJECT, messages=10, channels=2)
    app = create_app(config, httpx.MockTransport(lambda _: httpx.Response(202, json={"receipt": "0" * 34})))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Wire(httpx.BaseTransport):
    """Between us and Paragon: what was asked, and the faults that the next calls of a kind meet."""

    def __init__(self) -> None:
        self._through = httpx.HTTPTransport()
        self.asked: list[tuple[str, str, Any]] = []
        self.faults: dict[str, list[Fault]] = {}

    def fail(self, what: str, *faults: Fault) -> None:
        """`what` is `GET me`, `PATCH me`, or `POST <workflow>`."""
        self.faults[what] = list(faults)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        what = f"{request.method} {request.url.path.rpartition('/')[2]}"
        self.asked.append((what, request.headers["Authorization"], json.loads(request.read() or b"null")))
        if waiting := self.faults.get(what):
            return waiting.pop(0)(request)
        return self._through.handle_request(request)

    def close(self) -> None:
        self._through.close()

    def count(self, what: str) -> int:
        return sum(name == what for name, _, _ in self.asked)

    @property
    def order(self) -> list[str]:
        return [name for name, _, _ in self.asked]

    @property
    def trigger(self) -> Any:
        """The newest trigger's body."""
        return [body for name, _, body in self.asked if name == f"POST {MESSAGES}"][-1]


def answer(status: int, body: Any = None, **headers: str) -> Fault:
    return lambda _: httpx.Response(status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def timed_out(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow", request=request)


class World:
    """A connected organisation with a complete directory, and the calls that it makes."""

    def __init__(self, sluice: Sluice, url: str) -> None:
        self.sluice, self.wire, self.url = sluice, Wire(), url
        self.paragon = ParagonClient(
            PROJECT,
            api_url=url,
            trigger_url=url,
            proxy_url=url,
            tokens=UserTokens(SecretStr(PEM)),
            transport=self.wire,
        )
        self.tokens = RunTokens({"k1": SecretStr("k" * 32)})
        self.outgoing = Outgoing(sluice.stores, self.paragon, self.tokens, Pulls(MESSAGES, CALLBACK))
        directories = Directories({"channels": CHANNELS, "users": USERS}, CALLBACK.rpartition("/")[0])
        self.looking = Looking(sluice.stores, self.paragon, directories)
        self.keys = sluice.keys
        httpx.post(f"{url}/_sim/connect", json={"connection": CONNECTION}).raise_for_status()
        sluice.register()
        sluice.client.zrem(self.keys.due, f"look:{CONNECTION}")  # Looking is another test's matter.
        sluice.receive({"kind": "channels", "channels": [{"id": "C1"}, {"id": "C2"}], **RUNS})
        sluice.receive({"kind": "users", "members": [{"id": "U1"}], **RUNS})
        sluice.drain()

    def close(self) -> None:
        self.paragon.close()

    def item(self, kind: str, name: str = CONNECTION) -> float | None:
        """Seconds until it is due."""
        score: float | None = self.sluice.client.zscore(self.keys.due, f"{kind}:{name}")
        return None if score is None else score / 1e6 - time.time()

    def make_due(self, kind: str, name: str = CONNECTION) -> None:
        """As if its time had come."""
        assert self.sluice.client.zadd(self.keys.due, {f"{kind}:{name}": 1}, xx=True, ch=True)
        if kind == "trigger":
            self.sluice.client.hset(self.keys.run(name), "ask_at", 1)

    def dispatch(self) -> list[tuple[str, str]]:
        """One tick; the tasks that it sends, not run."""
        sent: list[tuple[str, str]] = []
        self.outgoing.dispatch(lambda name, what: sent.append((name, what)))
        return sent

    def allow(self, *channels: str) -> None:
        self.sluice.allow(*channels)
        for kind in ("patch", "plan"):
            self.sluice.client.zadd(self.keys.due, {f"{kind}:{CONNECTION}": 1}, xx=True)

    def planned(self, *channels: str) -> str:
        """The id of the run that allowing these channels leads to; the metadata is in place."""
        self.allow(*channels)
        self.outgoing.patch(CONNECTION)
        self.dispatch()
        [run] = self.sluice.stores.ledger.runs.listing(CONNECTION, 1)
        return run.id

    def state(self, run: str) -> tuple[str, int]:
        found = self.sluice.stores.ledger.get(run)
        assert found is not None
        return found.state, found.attempt

    def meta(self) -> dict[str, Any]:
        """What Paragon has."""
        return dict(self.paragon.me(CONNECTION).meta)

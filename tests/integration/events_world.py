"""A core service that takes events, or does not: what Sluice tells it, held against the library's own verification."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
from pydantic import SecretStr
from sluice import CONNECTION, Sluice, now_us
from standardwebhooks import Webhook

from pipeline.events import CredentialValid, Event
from pipeline.receiver import Receiver
from pipeline.store.client import connect
from pipeline.store.endpoint import Endpoint
from pipeline.store.scripts import Changes
from workers.telling import Telling

URL = "https://core.example.com/events"
NEW, OLD = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2))
Answers = Callable[[httpx.Request], httpx.Response]
HOUR_US = 3600 * 1_000_000


def answered(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> httpx.Response:
    """An answer that is still on the line, as a real one is."""
    named = {name.replace("_", "-"): said for name, said in (headers or {}).items()}
    return httpx.Response(code, headers=named, stream=httpx.ByteStream(body))


class Door(httpx.BaseTransport):
    """The core service: verifies with its own secret, keeps what it took, and answers as it is told."""

    def __init__(self, *, secret: str = NEW) -> None:
        self.verifies = Webhook(secret)
        self.asked: list[httpx.Request] = []
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[Answers] = []
        self.always: Answers | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else self.always
        if answer is not None:
            return answer(request)
        return self.take(request)

    def take(self, request: httpx.Request) -> httpx.Response:
        event = self.verifies.verify(request.content, dict(request.headers))
        self.taken.append((request.headers["webhook-id"], event))
        return answered(204)

    @property
    def ids(self) -> list[str]:
        return [name for name, _ in self.taken]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, event in self.taken]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


def status(code: int, **headers: str) -> Answers:
    return lambda _: answered(code, headers)


def away(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def happened(connection: str = CONNECTION, at: int | None = None) -> Event:
    return CredentialValid(connection=connection, team="T0534672TWT", at=at or now_us())


class Core:
    """Sluice's events, the sender, and the service that is told."""

    def __init__(self, sluice: Sluice, *, secrets: tuple[str, ...] = (NEW,), door: Door | None = None) -> None:
        self.sluice, self.keys, self.stores = sluice, sluice.keys, sluice.stores
        self.door = door or Door(secret=secrets[0])
        self.client = connect(sluice.url)
        self.endpoint = Endpoint(self.client, URL)
        self.receiver = Receiver(URL, [SecretStr(secret) for secret in secrets], transport=self.door)
        self.telling = Telling(self.stores, self.endpoint, self.receiver)

    def close(self) -> None:
        self.receiver.close()
        self.client.close()

    def append(self, event: Event | None = None) -> str:
        """An event by itself, in a change of nothing else."""
        changes = Changes()
        name = self.stores.events.append(changes, self.keys, event or happened())
        assert name is not None
        assert changes.commit(self.client) == 0
        return name

    def tell(self) -> dict[str, int]:
        return dict(self.telling.tell(self.keys.shard))

    def tell_anyway(self) -> dict[str, int]:
        """As if every wait were over."""
        for name in self.client.zrange(self.keys.events_due, 0, -1):
            self.client.zadd(self.keys.events_due, {name: 1})
        self.park_over()
        return self.tell()

    def park_over(self) -> None:
        """As if the address had been left alone for long enough."""
        for name in self.client.zrange(self.keys.due, 0, -1):
            self.client.zadd(self.keys.due, {name: 1})
        for key in self.client.keys("sluice:events:*"):
            if self.client.type(key) == b"hash" and self.client.hexists(key, "until"):
                self.client.hset(key, "until", 1)

    def item(self) -> float | None:
        """Seconds until the shard's events are looked at again."""
        return self._in(self.keys.due, f"events:{self.keys.shard}")

    def due(self, name: str) -> float | None:
        """Seconds until an event may be sent."""
        return self._in(self.keys.events_due, name)

    def _in(self, key: str, member: str) -> float | None:
        score: float | None = self.client.zscore(key, member)
        return None if score is None else (score - now_us()) / 1e6

    def waiting(self) -> list[str]:
        return [name.decode() for name in self.client.zrange(self.keys.events_order, 0, -1)]

    def dead(self) -> list[str]:
        return [name.decode() for name in self.client.zrange(self.keys.events_dead_order, 0, -1)]

    def counters(self) -> dict[str, int]:
        found = {name.decode(): int(number) for name, number in self.client.hgetall(self.keys.counters).items()}
        return {name: number for name, number in found.items() if name.startswith("outgoing.")}

    def stored(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.client.hget(self.keys.events, name))
        return found

"""A workflow's HTTP Request step: post, retry on Paragon's schedule, and write the ledger on 202."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from simulator.answers import dump
from simulator.config import SimulatorConfig
from simulator.faults import Faults
from simulator.ledger import RECORD, Ledger
from simulator.tokens import epoch_of

Json = dict[str, Any]

RETRY_SECONDS = (10, 20, 30, 50, 80)
FIELD = {"messages": "messages", "channels": "channels", "users": "members"}
TIMEOUT = 30.0


@dataclass
class Callback:
    """One page on its way: `kind` is messages, channels or users; `body` is what is posted, half of it where `cut`."""

    kind: str
    url: str
    bearer: SecretStr
    connection: str
    team: str
    body: Json
    in_run: bool = False
    cut: bool = False


class Pace:
    """A delay before each page that can be changed while pages wait in it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._changed = asyncio.Event()

    def set(self, seconds: float) -> None:
        """Change the delay; pages that wait measure themselves against the new one."""
        self.seconds = seconds
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self) -> None:
        """Wait until this page is as old as the delay."""
        clock = asyncio.get_running_loop().time
        born = clock()
        while (left := born + self.seconds - clock()) > 0:
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return


class Courier:
    """Posts callbacks, at most `concurrency` at a time; the rest wait for a slot, as work over the plan's does."""

    def __init__(
        self,
        config: SimulatorConfig,
        ledger: Ledger,
        transport: httpx.AsyncBaseTransport | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.ledger = ledger
        self._faults = faults or Faults()
        self.pace = Pace()
        self.counts: Counter[str] = Counter()
        self.in_flight = 0
        self._config = config
        self._slots = asyncio.Semaphore(config.concurrency)
        self._random = random.Random(config.seed)
        limits = httpx.Limits(max_connections=config.concurrency, max_keepalive_connections=config.concurrency)
        self._http = httpx.AsyncClient(transport=transport, limits=limits, timeout=TIMEOUT, trust_env=False)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def slot(self) -> None:
        """Wait for a free slot; `send` gives it back."""
        await self._slots.acquire()
        self.in_flight += 1

    def copies(self) -> int:
        """How often the next page is sent: twice where the seed says so."""
        return 2 if self._random.random() < self._config.duplicate_rate else 1

    async def send(self, callback: Callback) -> None:
        """Post one callback out of a held slot, until it is accepted, refused or lost."""
        try:
            await asyncio.sleep(self._random.uniform(0, self._config.jitter))
            await self.pace.wait()
            self.counts["posted"] += 1
            self.counts[await self._deliver(callback)] += 1
        finally:
            self.in_flight -= 1
            self._slots.release()

    async def _deliver(self, callback: Callback) -> str:
        content = dump(callback.body)
        if callback.cut:
            content = content[: len(content) // 2]
        for wait in (*RETRY_SECONDS, None):
            response = await self._attempt(callback, content)
            if response is not None and not _is_transient(response.status_code):
                return self._end(callback, response)
            if wait is None:
                break
            self.counts["retried"] += 1
            await asyncio.sleep(wait * self._config.retry_scale)
        return "lost"

    async def _attempt(self, callback: Callback, content: bytes) -> httpx.Response | None:
        bearer = callback.bearer.get_secret_value()
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        self.counts["attempts"] += 1
        try:
            return await self._http.post(callback.url, content=content, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    async def knock(self, url: str, body: Json, bearer: str) -> int:
        """Post what no workflow of ours would; the answer's status, 0 where none came."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
        try:
            return (await self._http.post(url, content=dump(body), headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL):
            return 0

    def _end(self, callback: Callback, response: httpx.Response) -> str:
        self.counts[f"status_{response.status_code}"] += 1
        if callback.cut:
            self._faults.told("truncate", response.status_code)
        if response.status_code == 202:
            self.ledger.append(_line(callback, response))
            return "accepted"
        return "accepted_otherwise" if response.is_success else "refused"


def _is_transient(status: int) -> bool:
    return status == 429 or status >= 500


def _line(callback: Callback, response: httpx.Response) -> Json:
    body, kind = callback.body, callback.kind
    return {
        "kind": kind,
        "connection": callback.connection,
        "team": callback.team,
        "run_id": body.get("run_id"),
        "attempt": body.get("attempt"),
        "epoch": epoch_of(callback.bearer.get_secret_value()) if callback.in_run else None,
        "receipt": _receipt(response),
        "channel": body.get("channel"),
        "records": [RECORD[kind](record) for record in body.get(FIELD[kind]) or []],
    }


def _receipt(response: httpx.Response) -> str | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body.get("receipt") if isinstance(body, dict) else None

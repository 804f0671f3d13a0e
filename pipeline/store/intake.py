"""Appends of the API: grouped, so that callbacks that arrive together share one round trip and one fsync.

Every append that waits when the flusher wakes leaves in one pipeline, one script each. Each waiter gets its own
answer if it is still waiting; a transport error is `Unavailable` for all of them; a cancelled waiter harms nobody.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import redis
import redis.asyncio

from pipeline.connection import split_connection
from pipeline.errors import Unavailable
from pipeline.store.client import INTAKE_TIMEOUT_SECONDS, Reply, unavailable
from pipeline.store.entries import SCHEMA, Header, new_receipt, seal_entry
from pipeline.store.errors import BacklogFull, NotRegistered
from pipeline.store.keys import Keys, Shards, shard_of
from pipeline.store.receipts import KEPT_PER_SHARD
from pipeline.store.scripts import Word, load
from pipeline.store.vault import Vault

RUNG_MS = 3000
_MOST_IN_A_FLUSH = 512
_MOST_REMEMBERED = 100_000
_log = logging.getLogger(__name__)


class _Generation(Exception):
    """The connection has another generation than the one we sealed with."""

    def __init__(self, current: int) -> None:
        super().__init__()
        self.current = current


@dataclass(slots=True)
class _Append:
    keys: list[str]
    args: list[Word]
    shard: int
    done: "asyncio.Future[Reply]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def answer(self, reply: Reply) -> None:
        """Hand the reply over, if anybody is still waiting for it."""
        if self.done.done():
            return
        if isinstance(reply, BaseException):
            self.done.set_exception(unavailable(reply) or reply)
        else:
            self.done.set_result(reply)


class Intake:
    """Seals callbacks and appends them. `ring(shard)` is called when an idle shard got work; it must not block."""

    def __init__(
        self,
        client: redis.asyncio.Redis,
        shards: Shards,
        vault: Vault,
        *,
        backlog_limit: int,
        ring: Callable[[int], None],
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._client, self._shards, self._vault = client, shards, vault
        self._backlog_limit, self._ring, self._now_us = backlog_limit, ring, now_us
        self._generations: dict[str, int] = {}
        self._waiting: list[_Append] = []
        self._wake = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None

    async def append(
        self,
        *,
        kind: str,
        connection: str,
        generation: int | None,
        run: str | None,
        attempt: int | None,
        epoch: int | None,
        payload: bytes,
    ) -> str:
        """Keep one callback; the receipt comes back only after the store has fsynced it.

        Raises `NotRegistered`, `BacklogFull`, or `Unavailable` (also when its fate is unknown: the sender repeats).
        """
        org = split_connection(connection)[1]
        keys = Keys(shard_of(org, self._shards.count))
        receipt = new_receipt(keys.shard)
        # Where we do not know the generation yet, the script tells it: a lookup of its own would cost each callback of
        # a burst a connection, and the client has a hundred.
        known = generation if generation is not None else self._generations.get(connection, 0)
        for _ in range(3):
            header = Header(
                receipt, kind, connection, known, run, attempt, epoch, self._now_us(), SCHEMA, self._vault.key_id
            )
            stored, sealed = seal_entry(self._vault, header, payload)
            try:
                await self._send(keys, header, stored, sealed, from_token=generation is not None)
            except _Generation as other:
                known = self._remember(connection, other.current)
            else:
                return receipt
        raise Unavailable("connection changes generation", retry_after=1.0)

    def _remember(self, connection: str, generation: int) -> int:
        if len(self._generations) > _MOST_REMEMBERED:
            self._generations.clear()
        self._generations[connection] = generation
        return generation

    async def _send(self, keys: Keys, header: Header, stored: bytes, sealed: bytes, *, from_token: bool) -> None:
        member = header.connection
        record = json.dumps({"state": "waiting", "kind": header.kind, "connection": member, "at": header.received_at})
        touched = [keys.stream(member), keys.ready, keys.state, keys.connection(member)]
        touched += [keys.receipts, keys.receipts_order, keys.org(split_connection(member)[1])]
        args: list[Word] = [member, stored, sealed, self._backlog_limit, header.generation, int(from_token)]
        args += [header.receipt, record, KEPT_PER_SHARD, RUNG_MS, int(header.epoch is None)]
        append = _Append(touched, args, keys.shard)
        self._waiting.append(append)
        self._supervise()
        self._wake.set()
        try:
            async with asyncio.timeout(INTAKE_TIMEOUT_SECONDS):
                reply = await append.done
        except TimeoutError as error:
            raise Unavailable("store too slow", retry_after=2.0) from error
        self._judge(reply, keys.shard)

    def _judge(self, reply: Reply, shard: int) -> None:
        match reply[0]:
            case b"ok":
                if reply[1]:
                    self._ring(shard)
            case b"unregistered":
                raise NotRegistered
            case b"full":
                raise BacklogFull(retry_after=30.0)
            case b"generation":
                raise _Generation(int(reply[1]))

    def _supervise(self) -> None:
        """Start the flusher, again if it died: a dead flusher would turn every callback into a time-out."""
        if self._flusher is None or self._flusher.done():
            if self._flusher is not None and not self._flusher.cancelled():
                _log.error("intake.flusher_died", exc_info=self._flusher.exception())
            self._flusher = asyncio.create_task(self._flush_forever(), name="intake-flusher")

    async def _flush_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_IN_A_FLUSH], self._waiting[_MOST_IN_A_FLUSH:]
                batch = [append for append in batch if not append.done.done()]
                if batch:
                    await self._flush(batch)

    async def _flush(self, batch: list[_Append]) -> None:
        try:
            async with asyncio.timeout(INTAKE_TIMEOUT_SECONDS):
                replies = await self._execute(batch)
                unknown = [i for i, reply in enumerate(replies) if isinstance(reply, redis.exceptions.NoScriptError)]
                if unknown:  # Not run at all: loading the script and sending again writes nothing twice.
                    await self._client.script_load(load("append").text)
                    again = await self._execute([batch[i] for i in unknown])
                    for i, reply in zip(unknown, again, strict=True):
                        replies[i] = reply
        except TimeoutError:
            replies = [redis.TimeoutError("flush deadline")] * len(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, each waiter hears of it and decides
            replies = [error] * len(batch)
        for append, reply in zip(batch, replies, strict=True):
            append.answer(reply)

    async def _execute(self, batch: list[_Append]) -> list[Reply]:
        sha = load("append").sha
        async with self._client.pipeline(transaction=False) as pipe:
            for append in batch:
                pipe.evalsha(sha, len(append.keys), *append.keys, *append.args)
            return await pipe.execute(raise_on_error=False)

    async def close(self) -> None:
        """Stop the flusher after what waits has been answered."""
        await asyncio.gather(*(append.done for append in self._waiting), return_exceptions=True)
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)

"""How the core service's address takes events: open, left alone for a while after a failure, or switched off.

One address for all shards, and one sender at a time: a receiver that is away or slow holds back one worker at most,
and is asked once in five minutes, however many events wait. An address that is set anew begins anew.
"""

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import redis

from pipeline.rules.retries import park
from pipeline.store.client import ask, clock
from pipeline.store.keys import EVENTS_SENDER, events_endpoint
from pipeline.store.scripts import Changes

TURN_MS = 20_000
"""How long a sender that died keeps others out: longer than one request may take."""


@dataclass(frozen=True, slots=True)
class State:
    """`failures` in a row, since when, until when nothing is sent (microseconds), why; `disabled` by a 410."""

    failures: int = 0
    since: int = 0
    until: int = 0
    reason: str = ""
    disabled: bool = False

    def word(self, now: int) -> Literal["open", "parked", "disabled"]:
        """As it is at that time (microseconds)."""
        if self.disabled:
            return "disabled"
        return "parked" if self.until > now else "open"


class Turn:
    """The right to send, for a moment; it is renewed before each request."""

    def __init__(self, client: redis.Redis, token: str) -> None:
        self._client, self._token = client, token

    def kept(self) -> bool:
        """Renew it; False where it was lost."""
        changes = Changes().expect(self._token, "GET", EVENTS_SENDER)
        return changes.do("PEXPIRE", EVENTS_SENDER, TURN_MS).commit(self._client) == 0

    def end(self) -> None:
        """Let the next one."""
        Changes().expect(self._token, "GET", EVENTS_SENDER).do("DEL", EVENTS_SENDER).commit(self._client)


class Endpoint:
    """The address's state, kept under a hash of it."""

    def __init__(self, client: redis.Redis, url: str) -> None:
        self._client = client
        self._key = events_endpoint(blake2b(url.encode(), digest_size=8).hexdigest())

    @contextmanager
    def turn(self) -> Iterator[Turn | None]:
        """Be the only sender; None where there is another."""
        token = secrets.token_hex(8)
        if not ask(self._client, "SET", EVENTS_SENDER, token, "NX", "PX", TURN_MS):
            yield None
            return
        turn = Turn(self._client, token)
        try:
            yield turn
        finally:
            turn.end()

    def state(self) -> State:
        """As it is now."""
        fields = ask(self._client, "HGETALL", self._key)
        said = {name.decode(): value.decode() for name, value in fields.items()}
        numbers = {name: int(said.get(name, 0)) for name in ("failures", "since", "until")}
        return State(**numbers, reason=said.get("reason", ""), disabled="disabled" in said)

    def took(self) -> None:
        """It took an event: whatever was before is over."""
        ask(self._client, "DEL", self._key)

    def failed(self, reason: str, retry_after: float | None) -> None:
        """Leave it alone for a while, longer with each failure in a row; `retry_after` (seconds) is kept to."""
        now = clock(self._client)
        failures = int(ask(self._client, "HINCRBY", self._key, "failures", 1))
        until = now + int(park(failures, random.random(), retry_after) * 1e6)
        self._note(now, "until", until, "reason", reason)

    def disable(self, reason: str) -> None:
        """It wants no events: nothing is sent until an operator says otherwise."""
        self._note(clock(self._client), "disabled", 1, "reason", reason)

    def enable(self) -> bool:
        """An operator says: try it now. Whether it was parked or disabled."""
        return bool(ask(self._client, "DEL", self._key))

    def _note(self, now: int, *fields: str | int) -> None:
        changes = Changes().do("HSETNX", self._key, "since", now).do("HSET", self._key, *fields)
        changes.commit(self._client)

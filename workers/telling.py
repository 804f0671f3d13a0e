"""Telling the core service what happened: the events of one shard, in the order in which they are due.

At least once: an event is gone only when its 2xx was written down, and each try has the same `webhook-id`. One sender
at a time, for some seconds: what waits for a slow receiver holds back one worker and nothing else.
"""

import logging
import random
import time
from collections import Counter
from typing import Final

import msgspec

from pipeline.receiver import Answer, Receiver
from pipeline.rules.retries import PATIENCE, wait
from pipeline.stages.stores import Stores
from pipeline.store.client import clock
from pipeline.store.dead_events import DeadEvents
from pipeline.store.endpoint import Endpoint, State, Turn
from pipeline.store.events import KIND, Waiting, item
from pipeline.store.keys import Keys

TELL_SECONDS: Final = 10.0
_BUSY_US: Final = 1_000_000
_HOUR_US: Final = 3600 * 1_000_000
_PATIENCE_US: Final = int(PATIENCE * 1e6)
_BURIED_AT_ONCE: Final = 500
_log = logging.getLogger(__name__)


class Telling:
    """Sends what waits. `receiver` is None where no address is set: what an earlier setting left waits on."""

    def __init__(
        self, stores: Stores, endpoint: Endpoint, receiver: Receiver | None, *, seconds: float = TELL_SECONDS
    ) -> None:
        self._stores, self._endpoint, self._receiver, self._seconds = stores, endpoint, receiver, seconds
        self._dead = DeadEvents(stores.client, stores.shards)

    def tell(self, shard: int) -> Counter[str]:
        """Send what is due in a shard; counts of what came of it, and when it is looked at again is written down."""
        keys = Keys(shard)
        seen = self._stores.schedule.when(keys, KIND, item(keys))
        if seen is None:
            return Counter()
        if self._receiver is None:
            done = Counter(unset=1)
        else:
            with self._endpoint.turn() as turn:
                done = self._send(self._receiver, keys, turn) if turn else Counter(busy=1)
        self._stores.events.rest(keys, seen, self._not_before(done))
        return +done

    def _not_before(self, done: Counter[str]) -> int:
        """When it makes sense to go on: at once, after a moment for others, or when the address may be tried."""
        now, state = clock(self._stores.client), self._endpoint.state()
        if self._receiver is None or state.disabled:
            return now + _HOUR_US
        # Whoever has used its turn up comes behind those that found the sender busy: a flood must not keep it.
        waits = _BUSY_US if done["busy"] else 2 * _BUSY_US if done["more"] else 0
        return max(state.until, now + waits if waits else 0)

    def _send(self, receiver: Receiver, keys: Keys, turn: Turn) -> Counter[str]:
        done, ends = Counter[str](), time.monotonic() + self._seconds
        while turn.kept():
            if time.monotonic() > ends:
                done["more"] += 1
                break
            now, state = clock(self._stores.client), self._endpoint.state()
            if state.word(now) != "open":
                done["dead"] += self._bury_old(keys, state, now)
                done[state.word(now)] += 1
                break
            waiting = self._stores.events.next(keys, now)
            if waiting is None:
                break
            done[self._one(receiver, keys, waiting)] += 1
        return done

    def _one(self, receiver: Receiver, keys: Keys, waiting: Waiting) -> str:
        """One event, one request; what came of it, as a word."""
        answer = receiver.tell(waiting.id, waiting.body)
        if answer.taken:
            self._stores.events.sent(keys, waiting)
            self._endpoint.took()
            return "sent"
        _log.warning("event.failed", extra={"event": waiting.id, "type": waiting.type, "kind": answer.reason})
        if answer.gone:
            _log.error("events.disabled", extra={"kind": answer.reason})
            self._endpoint.disable(answer.reason)
            return "disabled"
        if not answer.of_this_event:
            self._endpoint.failed(answer.reason, answer.retry_after)
        return self._again(keys, waiting, answer)

    def _again(self, keys: Keys, waiting: Waiting, answer: Answer) -> str:
        """Due again after a growing while, or dead after the last try."""
        seconds = wait(waiting.tries + 1, random.random(), answer.retry_after)
        if seconds is None:
            self._bury(keys, waiting, answer.reason, tries=waiting.tries + 1)
            return "dead"
        at = clock(self._stores.client) + int(seconds * 1e6)
        self._stores.events.failed(keys, waiting, answer.reason, at)
        return "failed"

    def _bury_old(self, keys: Keys, state: State, now: int) -> int:
        """What waited for as long as an event is tried at most, at an address that failed all the while, is dead."""
        if state.since > now - _PATIENCE_US:
            return 0
        old = self._stores.events.older(keys, now - _PATIENCE_US, _BURIED_AT_ONCE)
        return sum(self._bury(keys, waiting, state.reason, tries=waiting.tries) for waiting in old)

    def _bury(self, keys: Keys, waiting: Waiting, reason: str, *, tries: int) -> bool:
        _log.error("event.dead", extra={"event": waiting.id, "type": waiting.type, "kind": reason})
        return self._dead.bury(keys, waiting, msgspec.structs.replace(waiting, tries=tries, reason=reason))

"""A circuit breaker: a mesh that is down is asked by one batch now and then, not by all of them all the time.

closed ──failures in a row──▶ open ──pause──▶ one probe ──success──▶ closed
                                ▲                   └─────failure──▶ open, for twice as long
"""

import random
import threading
from collections.abc import Callable

from common_mesh.errors import Unavailable
from common_mesh.policy import Policy


class Breaker:
    """Shared by an engine's sessions; `clock` is monotonic seconds."""

    def __init__(self, policy: Policy, clock: Callable[[], float], draw: random.Random) -> None:
        self._policy = policy
        self._clock = clock
        self._draw = draw
        self._lock = threading.Lock()
        self._failures = 0
        self._opened = 0
        self._until = 0.0
        self._probing_until = 0.0

    def admit(self) -> None:
        """Raises `Unavailable` while the mesh is given a rest; lets one batch through when the pause is over."""
        if not self._opened:
            return
        with self._lock:
            now = self._clock()
            free = max(self._until, self._probing_until)
            if self._opened and now < free:
                raise Unavailable("the mesh has failed repeatedly and is given a rest", retry_after=free - now)
            # A probe that never reports back (its thread died) blocks the next one no longer than its deadline.
            self._probing_until = now + self._policy.deadline

    def succeeded(self) -> None:
        """The mesh answered."""
        if self._failures or self._opened:
            with self._lock:
                self._failures = self._opened = 0
                self._until = self._probing_until = 0.0

    def failed(self, retry_after: float | None) -> None:
        """A batch ended in `Unavailable`."""
        if not self._policy.breaker_failures:
            return
        with self._lock:
            self._failures += 1
            self._probing_until = 0.0
            if self._opened and self._clock() < self._until:
                return  # batches that were on their way when it opened say nothing new
            if self._failures >= self._policy.breaker_failures or self._opened:
                self._open(retry_after or 0.0)

    def _open(self, asked: float) -> None:
        pause = min(self._policy.breaker_limit, self._policy.breaker_seconds * 2.0**self._opened)
        self._opened = min(self._opened + 1, 16)
        self._until = self._clock() + max(asked, pause * self._draw.uniform(0.5, 1.0))

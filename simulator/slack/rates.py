"""Slack's rate limits: so many calls of a method a sliding minute, for each team (the app is one).

https://docs.slack.dev/apis/web-api/rate-limits: Tier 3 is 50 a minute, Tier 2 is 20; an app that is sold outside the
Marketplace reads history and replies once a minute, 15 messages at a time, whatever it asks for.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

Regime = Literal["free", "standard", "restricted"]
REGIMES: Final[tuple[Regime, ...]] = ("free", "standard", "restricted")
READING: Final = ("conversations.history", "conversations.replies")
"""The methods that the restricted regime restricts."""
RESTRICTED_LIMIT: Final = 15
_TIERS: Final = {**dict.fromkeys(READING, 50), "conversations.info": 50,
                 "conversations.list": 20, "users.list": 20}  # fmt: skip


class RateLimits:
    """`scale` is how many seconds a second takes: 0.01 makes the minute 0.6 s long."""

    def __init__(self, scale: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.minute = 60 * scale
        self._clock = clock
        self._calls: dict[tuple[str, str], deque[float]] = {}
        self._closed: dict[tuple[str, str], float] = {}

    def take(self, team: str, method: str, regime: Regime) -> float | None:
        """Count a call; the seconds to wait where it is refused, None where it may go on."""
        now, key = self._clock(), (team, method)
        if (until := self._closed.get(key, 0.0)) > now:
            return until - now
        allowed = self._allowed(method, regime)
        if allowed is None:
            return None
        calls = self._calls.setdefault(key, deque())
        while calls and calls[0] <= now - self.minute:
            calls.popleft()
        if len(calls) >= allowed:
            return calls[-allowed] + self.minute - now
        calls.append(now)
        return None

    def close(self, team: str, method: str, minutes: float) -> None:
        """Refuse every call of a method for so many (scaled) minutes, as after a burst."""
        self._closed[team, method] = self._clock() + minutes * self.minute

    def _allowed(self, method: str, regime: Regime) -> int | None:
        if regime == "free":
            return None
        return 1 if regime == "restricted" and method in READING else _TIERS.get(method)

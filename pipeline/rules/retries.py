"""When an event that was not taken is sent again, and how long an address that fails is left alone. Pure; seconds.

The waits are those that Standard Webhooks gives as its example: ten tries over three days (docs/sources.md).
"""

from typing import Final

WAITS: Final = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Between one try and the next."""
PATIENCE: Final = sum(WAITS)
"""From the first try to the last."""
LONGEST_PARK: Final = 300.0
_JITTER: Final = 0.1


def wait(tries: int, chance: float, retry_after: float | None) -> float | None:
    """Until the next try, after `tries` that failed; None: that was the last. `chance` is in [0, 1).

    What the receiver asked for in `Retry-After` is kept to, and is no reason to come sooner.
    """
    if tries > len(WAITS):
        return None
    return max(WAITS[tries - 1] * (1.0 + _JITTER * chance), retry_after or 0.0)


def park(failures: int, chance: float, retry_after: float | None) -> float:
    """How long nothing is sent to an address after so many failures in a row: then one event tries it."""
    backoff = min(LONGEST_PARK, 2.0 ** min(failures, 12)) * (0.5 + 0.5 * chance)
    return max(backoff, retry_after or 0.0)

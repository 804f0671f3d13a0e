"""When to ask again: Retry-After in both forms, jitter, and the time that is left. Pure."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from common_mesh.policy import Policy

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses that say "not now"."""

_LONGEST = 3600.0


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a `Retry-After` asks for, at most an hour; None where there is none that can be read.

    A date is taken relative to the answer's own `Date`: the peer's clock may not be ours.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _LONGEST)
    moment = _date(value)
    if moment is None:
        return None
    wait = (moment - (_date(headers.get("date", "")) or now)).total_seconds()
    return min(max(wait, 0.0), _LONGEST)


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def wait(policy: Policy, attempt: int, asked: float | None, draw: random.Random) -> float:
    """Seconds before the next attempt (`attempt` counts from 0): what the mesh asked, plus a jittered backoff."""
    backoff = draw.uniform(0, min(policy.backoff_limit, policy.backoff * 2.0**attempt))
    return backoff + (asked or 0.0)

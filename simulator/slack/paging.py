"""Slack's time stamps, bounds, limits and cursors. Pure.

Time is integer microseconds: a `ts` does not survive a float.
"""

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

FOREVER = 9_999_999_999_999_999


class SlackError(Exception):
    """What Slack says as `{"ok": false, "error": code}` with HTTP 200."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Slice:
    """One page: positions in a sorted list, in the order to show them, and where the next page starts."""

    keys: list[int]
    next_key: int | None


def micros(ts: str, error: str = "invalid_ts") -> int:
    """Slack's `ts`, with up to six decimals or none, as microseconds. Raises `SlackError(error)`."""
    whole, _, fraction = ts.partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit() and whole and len(whole) <= 10 and len(fraction) <= 6):
        raise SlackError(error)
    return int(whole) * 1_000_000 + int(fraction.ljust(6, "0"))


def stamp(us: int) -> str:
    """Microseconds as Slack writes them."""
    return f"{us // 1_000_000}.{us % 1_000_000:06d}"


def bounds(oldest: str, latest: str, *, inclusive: bool) -> tuple[int, int]:
    """The closed interval [low, high] in microseconds that `oldest` and `latest` mean; "" is no bound.

    Both are exclusive unless `inclusive`, which says nothing about a bound that was not sent.
    """
    low, high = 0, FOREVER
    if oldest:
        low = micros(oldest, "invalid_ts_oldest") + (0 if inclusive else 1)
    if latest:
        high = micros(latest, "invalid_ts_latest") - (0 if inclusive else 1)
    return low, high


def limit_of(value: str, default: int, cap: int) -> int:
    """The page size asked for, at most `cap`. Raises `SlackError("invalid_limit")`."""
    if not value:
        return min(default, cap)
    if not (value.isascii() and value.isdigit() and len(value) <= 6 and int(value) >= 1):
        raise SlackError("invalid_limit")
    return min(int(value), cap)


def encode_cursor(kind: str, value: str) -> str:
    """Slack's cursors are base64 of "kind:value"."""
    return base64.b64encode(f"{kind}:{value}".encode()).decode()


def decode_cursor(kind: str, cursor: str) -> str:
    """What a cursor of this kind points at. Raises `SlackError("invalid_cursor")`."""
    try:
        name, _, value = base64.b64decode(cursor, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise SlackError("invalid_cursor") from None
    if name != kind or not value:
        raise SlackError("invalid_cursor")
    return value


def newest_first(keys: Sequence[int], low: int, high: int, limit: int) -> Slice:
    """At most `limit` of the sorted keys in [low, high], from the top."""
    start, stop = bisect_left(keys, low), bisect_right(keys, high)
    cut = max(start, stop - limit)
    page = list(reversed(keys[cut:stop]))
    return Slice(page, keys[cut - 1] if cut > start else None)


def oldest_first(keys: Sequence[int], low: int, high: int, limit: int) -> Slice:
    """At most `limit` of the sorted keys in [low, high], from the bottom."""
    start, stop = bisect_left(keys, low), bisect_right(keys, high)
    cut = min(stop, start + limit)
    return Slice(list(keys[start:cut]), keys[cut] if cut < stop else None)

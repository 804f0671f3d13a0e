"""What a page of messages shows, in numbers: messages a day, and threads. Pure.

A tally is a number and a mark, the sum of a hash of each `ts`: two readings of a day that show the same messages have
the same tally, and windows that share no message add up, without one id being kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from pipeline.errors import Rejected
from pipeline.rules.versions import ts_us
from pipeline.rules.windows import DAY_US

MARK_BYTES: Final = 6
"""Two readings of a day that show as many other messages have the same mark once in 10^14 times."""
_WRAP: Final = 2 ** (8 * MARK_BYTES)


class Tally(NamedTuple):
    """How many messages, and the sum of a hash of their `ts`."""

    messages: int = 0
    mark: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """Of both, where no message is in both."""
        return Tally(self.messages + other.messages, (self.mark + other.mark) % _WRAP)


class Thread(NamedTuple):
    """How far a thread has come: Slack's `reply_count` and `latest_reply`."""

    replies: int
    latest: str


@dataclass(frozen=True, slots=True)
class Showing:
    """What one page showed: messages a day (days since 1970, UTC; a thread's replies all under 0), and parents with
    replies by their `ts`.
    """

    days: dict[int, Tally] = field(default_factory=dict)
    threads: dict[str, Thread] = field(default_factory=dict)


def showing(raw: Iterable[object], *, thread: str, since: int) -> Showing:
    """What a page's raw messages show: of history, or of the lane `thread`. In history, what is older than `since` (µs)
    is not counted.

    A reply that was broadcast belongs to history, as its record does; in its thread it is not counted again.
    """
    found = Showing()
    for one in raw:
        if not isinstance(one, dict) or (us := _us(one.get("ts"))) is None:
            continue
        parent = _parent(one)
        if parent is None and (seen := _thread(one)) is not None:
            found.threads[one["ts"]] = seen
        broadcast = one.get("subtype") == "thread_broadcast"
        belongs = (parent == thread and not broadcast) if thread else (parent is None or broadcast)
        if belongs and (thread or us >= since):
            day = 0 if thread else us // DAY_US
            found.days[day] = found.days.get(day, Tally()).plus(Tally(1, _mark(one["ts"])))
    return found


def _parent(one: dict[str, Any]) -> str | None:
    """The `ts` of the thread that a reply is in; None for a message of its own."""
    thread = one.get("thread_ts")
    return thread if isinstance(thread, str) and thread not in ("", one.get("ts")) else None


def _thread(one: dict[str, Any]) -> Thread | None:
    count, latest = one.get("reply_count"), one.get("latest_reply")
    if not isinstance(count, int) or count <= 0:
        return None
    return Thread(count, latest if isinstance(latest, str) and _us(latest) is not None else "")


def _us(ts: object) -> int | None:
    try:
        return ts_us(ts) if isinstance(ts, str) else None
    except Rejected:
        return None


def _mark(ts: str) -> int:
    return int.from_bytes(blake2b(ts.encode(), digest_size=8).digest())

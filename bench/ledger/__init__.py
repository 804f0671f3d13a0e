"""The subject `ledger`: what a connection with a thousand channels keeps in the store after a year of pulls."""

from bench.ledger import year
from bench.result import Claim, Found, Series

MEGABYTE = 1_000_000
CHANNELS = 1000


def measure(*, quick: bool) -> Found:
    """The bytes of the ledger of one connection, by what they are for, after each of the last nights."""
    found = year.pulled(channels=100, nights=2) if quick else year.pulled(channels=CHANNELS, nights=5)
    each = CHANNELS / found.channels
    kinds = sorted({kind for night in found.sizes for kind in night})
    nights = [{kind: _whole(kind, night.get(kind, 0), each) for kind in kinds} for night in found.sizes]
    totals = [sum(night.values()) for night in nights]
    room = Series("a megabyte over all of it", "ratio", [MEGABYTE / total for total in totals])
    return Found(
        [
            *(Series(kind, "bytes", [night[kind] for night in nights]) for kind in kinds),
            Series("all of it", "bytes", totals),
        ],
        [Claim(f"a year of pulls of {CHANNELS:,} channels stays under 1 MB a connection", room, 1.0)],
        [
            f"{found.channels:,} channels, what there is for each times {each:.0f}; a value a night: it must not grow",
            f"{found.runs:,} runs, {found.readings:,} of them readings of days, were planned, asked and proved by the "
            "ledger itself: the year in twelve steps, its last nights one by one",
            f"a channel shows {year.MESSAGES} messages and {year.THREADS} new thread a day; MEMORY USAGE of each key",
        ],
    )


def _whole(kind: str, size: int, each: float) -> float:
    """Of as many channels as are claimed; so many of the newest runs are kept, whatever the channels."""
    return size if kind == year.RUNS else size * each

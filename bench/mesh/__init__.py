"""The subject `mesh`: what latency costs the client, and what the reference mesh takes on one core."""

from bench.mesh import latency, sqlite
from bench.result import Found


def measure(*, quick: bool) -> Found:
    """Both comparisons, one after the other."""
    far = latency.compare(records=100_000, rounds=6) if quick else latency.compare(records=200_000, rounds=16)
    kept = sqlite.compare(batches=10, rounds=3) if quick else sqlite.compare(batches=25, rounds=6)
    return Found([*far.series, *kept.series], [*far.claims, *kept.claims], [*far.notes, *kept.notes])

"""The subject `dispatch`: what it costs to find what is due and share it out, beside the plainest question for it."""

from statistics import median

from bench.dispatch import town
from bench.result import Claim, Found, Series, ratio
from bench.rounds import side_by_side

TIMES = 50
PLAIN = "one ZRANGEBYSCORE of the same size"
SHARED = "dispatch"
SENT = "dispatch, Celery sending"
PLANNED = "dispatch of plans, planning"


def measure(*, quick: bool) -> Found:
    """Processor seconds of this process and of the servers, round by round."""
    connections, rounds = (10_000, 3) if quick else (100_000, 12)
    with town.built(connections) as place:
        found = side_by_side(
            {PLAIN: place.plain, SHARED: place.shared, SENT: place.sent, PLANNED: place.planned}, rounds
        )
        due = place.due
    price = ratio(f"{PLAIN} / {SHARED}", found, PLAIN, SHARED)
    within = Series(f"{TIMES} of it / {SHARED}", "ratio", [TIMES * value for value in price.values])
    sentence = f"finding and sharing out 1 % of {connections:,} connections costs less than {TIMES} plain questions"
    return Found(
        [
            *(Series(name, "ms", [1000 * value for value in values]) for name, values in found.items()),
            *(ratio(f"{name} / the plain one", found, name, PLAIN) for name in (SHARED, SENT, PLANNED)),
        ],
        [Claim(sentence, within, 1.0)],
        [
            f"{due:,} items due of {connections:,}, in 16 shards and in one plain set; {rounds} rounds in turn; "
            "processor time of this process, of the store and of the broker",
            "dispatch: leased, whose each one is, whose turn, the others put back; sending is Celery's own price, "
            f"{_each(found[SENT], found[SHARED], due):.0f} µs a task: 200 go at a time by default, here all",
            "a plan reads how far its connection's channels are covered and asks for what is missing: it is work",
        ],
    )


def _each(dear: list[float], cheap: list[float], count: int) -> float:
    return 1e6 * (median(dear) - median(cheap)) / count

"""Numbers for Prometheus, read when somebody asks: names, reasons and models only, no organisation and no content."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from api.services import Services
from pipeline.errors import Unavailable
from pipeline.rules.identity import REASONS
from pipeline.store import backlog, census, channel_pauses, counters, dead_letters, events_shown, hold

# What a counter of the store is called here: `delivered.message` → sluice_records_delivered_total{model="message"}.
_FAMILIES: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "callbacks": ("sluice_entries_settled", "Entries worked through", ("kind",)),
    "settled": ("sluice_entries_ended", "How entries ended", ("state",)),
    "shadow": ("sluice_records_shadow", "Records that shadow delivery held back", ("model",)),
    "delivered": ("sluice_records_delivered", "Records in the mesh", ("model",)),
    "dropped": ("sluice_records_dropped", "Records not forwarded", ("reason", "model")),
    "dead": ("sluice_records_dead", "Records, or whole entries, that can never work", ("reason",)),
    "gaps": ("sluice_gaps", "Pages on which Slack itself refused", ()),
    "paused": ("sluice_channel_pauses", "Channels that were paused, each time one was", ("reason",)),
    "outgoing": ("sluice_outgoing_events", "What became of events to the core service", ("outcome", "type")),
    "drift": ("sluice_metadata_drift", "Our keys of a user's metadata that somebody else had changed", ("key",)),
    "pulls": ("sluice_pulls", "Requested windows that ended without proof", ("outcome",)),
}
_OTHER: Final = ("sluice_events", "Whatever else is counted", ("name",))


@dataclass(frozen=True, slots=True)
class Answers:
    """What this process has answered: callbacks by (outcome, kind), the rest by (method, route, status)."""

    callbacks: Counter[tuple[str, str]] = field(default_factory=Counter)
    others: Counter[tuple[str, str, str]] = field(default_factory=Counter)


def exposition(known: Services, answers: Answers) -> bytes:
    """The metrics as text. With the store away, those of this process, and `sluice_store_up 0`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(known, answers))
    return generate_latest(registry)


class _Collector:
    def __init__(self, known: Services, answers: Answers) -> None:
        self._known, self._answers = known, answers

    def collect(self) -> Iterator[Metric]:
        """Of this process first, then of the store: all of it or none, so that no sum is short of a shard."""
        yield from _of_process(self._answers, self._known.rings)
        try:
            stored = list(_of_store(self._known))
        except Unavailable:
            stored = []
        yield GaugeMetricFamily("sluice_store_up", "Whether the store answers", int(bool(stored)))
        yield from stored


def _of_process(answers: Answers, rings: Mapping[str, int]) -> Iterator[Metric]:
    callbacks = [((kind, outcome), number) for (outcome, kind), number in answers.callbacks.copy().items()]
    yield _family("sluice_webhook_answers", "Answers to callbacks", ("kind", "outcome"), callbacks)
    others = answers.others.copy().items()
    yield _family("sluice_api_answers", "Answers of all other routes", ("method", "route", "status"), others)
    rung = [((outcome,), number) for outcome, number in dict(rings).items()]
    yield _family("sluice_rings", "Rings of the workers' bell; what fails, the sweep makes good", ("outcome",), rung)


def _of_store(known: Services) -> Iterator[Metric]:
    waiting = backlog.measure(known.client, known.shards, known.now_us())
    yield GaugeMetricFamily("sluice_backlog_entries", "Entries waiting", waiting.entries)
    yield GaugeMetricFamily("sluice_oldest_waiting_seconds", "Age of the oldest entry", waiting.oldest_age or 0.0)
    yield GaugeMetricFamily("sluice_parked_connections", "Connections waiting for an outage to end", waiting.parked)
    held = int(hold.found(known.client) is not None)
    yield GaugeMetricFamily("sluice_store_held", "1: out of a backup, waits for ./sluice restore --confirm", held)
    yield _paused_channels(known)
    yield from _of_events(known)
    letters = dead_letters.count(known.client, known.shards)
    yield GaugeMetricFamily("sluice_dead_letters", "Dead letters kept", letters)
    by_family: dict[tuple[str, str, tuple[str, ...]], dict[tuple[str, ...], int]] = {}
    for name, number in counters.totals(known.client, known.shards).items():
        what, _, of = name.partition(".")
        family = _FAMILIES.get(what, _OTHER)
        by_family.setdefault(family, {})[_values(name if family is _OTHER else of, len(family[2]))] = number
    names = census.totals(known.client, known.shards).items()
    text = "What Slack sent that this version does not know, or withholds by rule, by its name"
    yield _family("sluice_census", text, ("kind", "name"), names)
    for (name, text, labels), rows in sorted(by_family.items()):
        yield _family(name, text, labels, rows.items())


def _of_events(known: Services) -> Iterator[Metric]:
    found, state = events_shown.counts(known.client, known.shards, known.now_us()), known.outbox.state()
    yield GaugeMetricFamily("sluice_outgoing_waiting", "Events that wait to be told", found.waiting)
    yield GaugeMetricFamily("sluice_outgoing_dead", "Events that could not be told", found.dead)
    yield GaugeMetricFamily(
        "sluice_outgoing_oldest_seconds", "Age of the oldest waiting event", found.oldest_age or 0.0
    )
    shut = int(state is not None and state.word(known.now_us()) != "open")
    yield GaugeMetricFamily("sluice_outgoing_shut", "1: the core service's address fails, or said 410", shut)


def _paused_channels(known: Services) -> GaugeMetricFamily:
    family = GaugeMetricFamily("sluice_paused_channels", "Channels that wait for somebody's word", labels=("reason",))
    pauses = Counter(pause.reason for pause in channel_pauses.listing(known.client, known.shards))
    for reason in REASONS:
        family.add_metric((reason,), pauses[reason])
    return family


def _values(of: str, count: int) -> tuple[str, ...]:
    """The label values in a counter's name: `not_allowed.message` → ("not_allowed", "message")."""
    parts = of.split(".", count - 1) if count else []
    return (*parts, *[""] * (count - len(parts)))


def _family(
    name: str, text: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], int]]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, number in sorted(rows):
        family.add_metric(values, number)
    return family

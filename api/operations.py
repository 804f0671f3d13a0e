"""Routes for the operator: receipts, dead letters, status, health, readiness, metrics."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from api.access import Known, Operator, Scope, may_see, services
from api.problems import Problem
from api.services import Services
from pipeline.connection import split_connection
from pipeline.errors import SluiceError
from pipeline.store import backlog, counters, dead_letters, receipts
from pipeline.store.client import ask
from pipeline.store.keys import Keys, shard_of_id

router = APIRouter()


@router.get("/v1/receipts/{receipt}", tags=["operations"])
def show_receipt(receipt: str, known: Known, held: Scope) -> dict[str, Any]:
    """What became of a callback or an effect: waiting, delivered, nothing_allowed, dead or purged."""
    found = None
    if len(receipt) == 34 and receipt.isascii() and receipt.isalnum():
        found = receipts.find(known.client, Keys(_shard(receipt)), receipt)
    if found is None or not may_see(held, split_connection(found["connection"])[1]):
        raise Problem(404, "not-found", "Not found", "No such receipt, or one older than those kept.")
    return {"receipt": receipt, **found}


def _shard(receipt: str) -> int:
    try:
        return shard_of_id(receipt)
    except ValueError:
        return 0


@router.get("/v1/dead-letters", tags=["operations"])
def list_dead_letters(known: Known, held: Scope, limit: Annotated[int, Query(ge=1, le=10_000)] = 100) -> dict[str, Any]:
    """Receipt, model, id, version and reason of what can never work. One without id stands for its whole callback."""
    org = None if held == "operator" else held.removeprefix("org:")
    letters = sorted(dead_letters.listing(known.client, known.shards, org, limit), key=lambda letter: -letter["at"])
    return {"dead_letters": letters[:limit]}


@router.get("/v1/status", tags=["operations"])
def show_status(known: Known, held: Operator) -> dict[str, Any]:
    """Backlog, the age of the oldest waiting entry in seconds, counters, dead letters."""
    waiting = backlog.measure(known.client, known.shards, known.now_us())
    return {
        "backlog": waiting.entries,
        "oldest_waiting_age": waiting.oldest_age,
        "parked": waiting.parked,
        "dead_letters": dead_letters.count(known.client, known.shards),
        "connections": len(known.connections.names()),
        "counters": counters.totals(known.client, known.shards),
    }


@router.get("/healthz", tags=["health"])
def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", tags=["health"])
def ready(known: Known, response: Response) -> dict[str, Any]:
    """Whether a callback would be kept now; which part says no."""
    parts = {"store": _store(known)}
    if any(state != "ok" for state in parts.values()):
        response.status_code = 503
    return {"ready": response.status_code != 503, "parts": parts}


def _store(known: Services) -> str:
    try:
        memory = ask(known.client, "INFO", "memory")
    except SluiceError:
        return "away"
    full = memory["maxmemory"] and memory["used_memory"] >= memory["maxmemory"]
    return "full" if full else "ok"


class _Collector:
    """Numbers of the store, read when somebody asks. Names and reasons only; no organisation, no content."""

    def __init__(self, known: Services, intake: dict[tuple[str, str], int]) -> None:
        self._known, self._intake = known, intake

    def collect(self) -> Iterator[Metric]:
        """Backlog, ages, counters."""
        waiting = backlog.measure(self._known.client, self._known.shards, self._known.now_us())
        yield GaugeMetricFamily("sluice_backlog_entries", "Entries waiting", waiting.entries)
        yield GaugeMetricFamily("sluice_oldest_waiting_seconds", "Age of the oldest entry", waiting.oldest_age or 0.0)
        yield GaugeMetricFamily("sluice_parked_connections", "Connections waiting for an outage to end", waiting.parked)
        letters = dead_letters.count(self._known.client, self._known.shards)
        yield GaugeMetricFamily("sluice_dead_letters", "Dead letters kept", letters)
        answers = CounterMetricFamily(
            "sluice_webhook_answers", "Answers to callbacks of this process", labels=["kind", "outcome"]
        )
        for (outcome, kind), number in sorted(self._intake.items()):
            answers.add_metric([kind, outcome], number)
        yield answers
        yield from _families(counters.totals(self._known.client, self._known.shards))


def _families(totals: dict[str, int]) -> Iterator[Metric]:
    families: dict[str, CounterMetricFamily] = {}
    for name, number in sorted(totals.items()):
        what, _, of = name.partition(".")
        if what not in families:
            families[what] = CounterMetricFamily(f"sluice_{what}", f"{what}, since the store began", labels=["of"])
        families[what].add_metric([of], number)
    yield from families.values()


@router.get("/metrics", tags=["health"], include_in_schema=False)
def metrics(request: Request) -> Response:
    """Prometheus text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(services(request), request.app.state.intake_answers))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

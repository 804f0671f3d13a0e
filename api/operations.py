"""Routes for the operator: receipts, dead letters, status, health, readiness, metrics."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.access import OPERATOR, Known, Operator, Scope, core_router, may_see
from api.answers import Described, problems
from api.events import counts as event_counts
from api.metrics import exposition
from api.problems import Problem
from api.services import Services
from api.shown import DeadLettersShown, Healthy, HoldShown, Ready, ReceiptShown, StatusShown
from api.shown_census import CensusShown
from api.shown_pauses import ChannelPauseShown
from api.shown_removals import RemovalShown
from pipeline.connection import split_connection
from pipeline.errors import Unavailable
from pipeline.store import backlog, census, channel_pauses, counters, dead_letters, hold, receipts, removals
from pipeline.store.client import ask
from pipeline.store.keys import Keys, shard_of_id

router = core_router("operations")
health_router = APIRouter(tags=["health"])
_RECEIPT: Final = re.compile(r"[0-9a-f]{34}")
_PROBE: Final = "sluice:probe"
_PROBE_SECONDS: Final = 60
_MOST_PAUSED_SHOWN: Final = 100
_MOST_NAMES_SHOWN: Final = 50
_NUMBERS: Final[Described] = {200: {"content": {"text/plain": {"example": "sluice_backlog_entries 0.0\n"}}}}
_NOT_READY: Final[Described] = {503: {"model": Ready, "description": "A callback would get 503 now; `parts` says why."}}


@router.get("/v1/receipts/{receipt}", responses=problems(404, 422))
def show_receipt(
    receipt: Annotated[str, Path(description="34 hex digits.", examples=["0a" + "5e" * 16])], known: Known, held: Scope
) -> ReceiptShown:
    """What became of a callback or an effect: waiting, delivered, nothing_allowed, dead or purged. Kept for 30 days.

    The receipt of a revocation, a disconnect or an erasure also says (`removal`) what of it has gone from the store,
    and when. How many records a fence ended in the mesh it cannot say: a mesh answers by fence.
    """
    found = removal = None
    if _RECEIPT.fullmatch(receipt):
        keys = Keys(shard_of_id(receipt))
        found = receipts.find(known.client, keys, receipt)
        removal = removals.find(known.client, keys, receipt)
    if found is None or not may_see(held, split_connection(found["connection"])[1]):
        raise Problem(404, "not-found", "Not found", "No such receipt, or one older than those kept.")
    return ReceiptShown(receipt=receipt, removal=None if removal is None else RemovalShown(**removal), **found)


@router.get("/v1/dead-letters", responses=problems(422))
def list_dead_letters(
    known: Known, held: Scope, limit: Annotated[int, Query(ge=1, le=10_000, description="At most so many.")] = 100
) -> DeadLettersShown:
    """Receipt, model, id, version and reason of what can never work. One without id stands for its whole callback."""
    org = None if held == OPERATOR else held.removeprefix("org:")
    letters = sorted(dead_letters.listing(known.client, known.shards, org, limit), key=lambda letter: -letter["at"])
    return DeadLettersShown.model_validate({"dead_letters": letters[:limit]})


@router.get("/v1/status", responses=problems(403))
def show_status(known: Known, _: Operator) -> StatusShown:
    """Backlog, the age of the oldest waiting entry in seconds, counters, dead letters."""
    waiting = backlog.measure(known.client, known.shards, known.now_us())
    return StatusShown(
        backlog=waiting.entries,
        oldest_waiting_age=waiting.oldest_age,
        parked=waiting.parked,
        paused=sorted(known.pauses.listing()),
        paused_channels=_paused_channels(known),
        held=_held(known),
        events=event_counts(known),
        delivery=known.delivery,
        dead_letters=dead_letters.count(known.client, known.shards),
        connections=len(known.connections.names()),
        counters=counters.totals(known.client, known.shards),
        census=_census(known),
    )


def _census(known: Services) -> list[CensusShown]:
    most = census.totals(known.client, known.shards).most_common(_MOST_NAMES_SHOWN)
    return [CensusShown(kind=kind, name=name, count=count) for (kind, name), count in most]


def _paused_channels(known: Services) -> list[ChannelPauseShown]:
    newest = sorted(channel_pauses.listing(known.client, known.shards), key=lambda pause: -pause.at)
    return [ChannelPauseShown.model_validate(pause) for pause in newest[:_MOST_PAUSED_SHOWN]]


@health_router.get("/healthz")
async def health() -> Healthy:
    """The process answers; not from the threads in which other routes may be waiting."""
    return Healthy()


@health_router.get("/readyz", responses=_NOT_READY)
def ready(known: Known, response: Response) -> Ready:
    """Whether a callback would be kept now, and which part says no.

    What waits is told, and so is a store that is held. Neither is a reason for a no: an API that were taken out for it
    would lose callbacks, and nobody could put the lists that end the hold.
    """
    shown = Ready(ready=False, parts={"store": _store(known)})
    if shown.parts["store"] == "ok":
        try:
            waiting = backlog.measure(known.client, known.shards, known.now_us())
            shown.held = _held(known)
        except Unavailable:
            shown.parts["store"] = "away"
        else:
            shown.backlog, shown.oldest_waiting_age, shown.ready = waiting.entries, waiting.oldest_age, True
    response.status_code = 200 if shown.ready else 503
    return shown


def _held(known: Services) -> HoldShown | None:
    found = hold.found(known.client)
    return None if found is None else HoldShown.model_validate(found)


def _store(known: Services) -> str:
    """`ok`, `away`, `full`, or `refuses writes`, found out by a write: nothing else tells the truth."""
    try:
        ask(known.client, "SET", _PROBE, "1", "EX", _PROBE_SECONDS)
    except Unavailable as outage:
        return "away" if outage.what == "store away" else _refusal(known)
    return "ok"


def _refusal(known: Services) -> str:
    try:
        memory = ask(known.client, "INFO", "memory")
    except Unavailable:
        return "away"
    full = memory["maxmemory"] and memory["used_memory"] >= memory["maxmemory"]
    return "full" if full else "refuses writes"


@health_router.get("/metrics", response_class=Response, responses=_NUMBERS)
def metrics(request: Request, known: Known) -> Response:
    """Prometheus text. With the store away it shows what this process knows, and `sluice_store_up 0`."""
    return Response(exposition(known, request.app.state.answers), media_type=CONTENT_TYPE_LATEST)

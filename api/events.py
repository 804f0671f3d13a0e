"""Routes for outgoing events: what waits and what is dead, one sent again or dropped, a trial, an address reopened."""

from typing import Annotated

from fastapi import Path, Query

from api.access import OPERATOR, Known, Operator, Scope, core_router, not_found
from api.answers import problems
from api.problems import Problem
from api.services import Services
from api.shown_events import EndpointShown, EventCounts, EventDropped, EventQueued, EventsShown
from pipeline.store import events_shown

router = core_router("operations", "/v1/events")
EventName = Annotated[str, Path(description="The event's id: 34 hex digits.", examples=["0a" + "5e" * 16])]


@router.get("", responses=problems(422))
def list_events(
    known: Known,
    held: Scope,
    limit: Annotated[int, Query(ge=1, le=10_000, description="At most so many of each.")] = 100,
) -> EventsShown:
    """Events that wait to be told to the core service, and those that could not be: ids, types, what the last try met.

    With a token of an organisation, its own.
    """
    org, place = None if held == OPERATOR else held.removeprefix("org:"), (known.client, known.shards)
    now = known.now_us()
    found = events_shown.counts(*place, now) if org is None else events_shown.counts_of(*place, org, now)
    return EventsShown.model_validate(
        {
            "endpoint": endpoint(known),
            "waiting": found.waiting,
            "dead": found.dead,
            "oldest_waiting_age": found.oldest_age,
            "events": events_shown.listing(*place, org, limit, dead=False),
            "dead_events": events_shown.listing(*place, org, limit, dead=True),
        }
    )


@router.post("/test", status_code=202, responses=problems(403, 409))
def try_events(known: Known, _: Operator) -> EventQueued:
    """Send a `ping` that means nothing; `GET /v1/events` shows it until it was taken. 409 where no address is set."""
    name = known.outbox.ping()
    if name is None:
        raise Problem(409, "no-events", "Events are not set up", "Set SLUICE_EVENTS_URL and SLUICE_EVENTS_SECRETS.")
    return EventQueued(id=name)


@router.post("/enable", responses=problems(403))
def enable_events(known: Known, held: Operator) -> EndpointShown:
    """Try the address again now, with all that waits, whatever it failed with: also after a 410."""
    known.outbox.enable(by=held)
    return endpoint(known)


@router.post("/dead/{event}/resend", status_code=202, responses=problems(403, 404, 422))
def resend_event(event: EventName, known: Known, held: Operator) -> EventQueued:
    """Send a dead event again, under the same id."""
    if not known.dead_events.resend(event, by=held):
        raise not_found()
    return EventQueued(id=event)


@router.delete("/dead/{event}", responses=problems(403, 404, 422))
def drop_event(event: EventName, known: Known, held: Operator) -> EventDropped:
    """Forget a dead event."""
    if not known.dead_events.drop(event, by=held):
        raise not_found()
    return EventDropped(id=event)


def endpoint(known: Services) -> EndpointShown:
    """How the address takes events now."""
    state = known.outbox.state()
    if state is None:
        return EndpointShown(state="unset")
    word = state.word(known.now_us())
    return EndpointShown(
        state=word,
        failures=state.failures,
        since=state.since or None,
        until=state.until if word == "parked" else None,
        reason=state.reason,
    )


def counts(known: Services) -> EventCounts:
    """In numbers, for the status."""
    found = events_shown.counts(known.client, known.shards, known.now_us())
    return EventCounts(
        endpoint=endpoint(known), waiting=found.waiting, dead=found.dead, oldest_waiting_age=found.oldest_age
    )

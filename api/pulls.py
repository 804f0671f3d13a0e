"""Core routes of pulls: ask now, see what was asked and what is covered, say how often."""

from typing import Annotated, Any

from fastapi import Body, Path

from api.access import Known, Scope, core_router, not_found
from api.answers import problems
from api.connections import PREFIX, Connection, live
from api.problems import Problem
from api.services import Services
from api.shown_pulls import Again, ChannelsCovered, Planned, PlanShown, Requested, RunShown, RunsShown
from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.rules.outlook import Outlook, state_of
from pipeline.store.client import clock
from pipeline.store.connections import Registration
from pipeline.store.pull_plans import TooOftenError

router = core_router("pulls", PREFIX)
RunId = Annotated[str, Path(description="A run's id.", examples=["0a5e5e5e5e5e5e5e5e5e5e5e5e"])]
_SECOND_US = 1_000_000


@router.post("/{user:path}/pulls", status_code=202, responses=problems(404, 409, 422))
def ask(connection: Connection, known: Known, held: Scope, body: Annotated[Again | None, Body()] = None) -> Requested:
    """Request what the allowed channels lack; what is asked for already is not asked twice, what is paused waits.

    With a body, what is covered from `since` on is read again whole: whatever is not there any more goes.
    """
    found = live(known, connection)
    if found.team is None or not found.directory_complete:
        detail = "Channels and users of the team have not been read to their end yet."
        raise Problem(409, "no-directory", "The directory is not complete", detail)
    channels = known.allowlists.pullable(connection, found.team)
    if body is not None:
        wanted = sorted(set(channels).intersection(body.channels if body.channels is not None else channels))
        since = int(body.since.timestamp()) * _SECOND_US if body.since else 0
        return Requested(runs=[], again=known.ledger.rereads.again(connection, wanted, since, by=held))
    regime = known.pull_plans.rates.regime(split_connection(connection)[1], found.team)
    return Requested(runs=known.ledger.plan(connection, found.team, channels, clock(known.client), regime))


@router.get("/{user:path}/pulls", responses=problems(404, 422))
def show(connection: Connection, known: Known) -> RunsShown:
    """The newest runs: window, state, attempts, pages."""
    live(known, connection)
    return RunsShown(runs=[RunShown.model_validate(run.public()) for run in known.ledger.runs.listing(connection)])


@router.post("/{user:path}/pulls/{run}/release", responses=problems(404, 422))
def release(connection: Connection, known: Known, held: Scope, run: RunId) -> RunShown:
    """Retract after all what a reading did not show, where that was so much that it waits for somebody's word."""
    live(known, connection)
    found = known.ledger.get(run)
    if found is None or found.connection != connection or not known.ledger.rereads.release(run, by=held):
        raise not_found()
    known.ring_for(connection)
    after = known.ledger.get(run)
    return RunShown.model_validate((after or found).public())


@router.get("/{user:path}/coverage", responses=problems(404, 422))
def coverage(connection: Connection, known: Known) -> ChannelsCovered:
    """Channel → covered from `tail` to `head` (microseconds) and its open runs; what is left to do, and how long."""
    found = live(known, connection)
    plan, now = _outlook(known, found), known.now_us()
    shown = known.ledger.coverage(connection)
    standing = known.ledger.channels.read(connection, sorted(shown))
    channels: dict[str, Any] = {
        one.name: {**shown[one.name], "state": state_of(one.progress, now, plan.period)} for one in standing
    }
    return ChannelsCovered.model_validate({"channels": channels, "plan": _plan(known, found, plan)})


@router.put("/{user:path}/pulls/plan", responses=problems(404, 409, 422))
def plan(connection: Connection, known: Known, held: Scope, body: Planned) -> PlanShown:
    """Set how often is pulled, and the rate. A period that the rate cannot keep is refused, and the answer names the
    shortest.
    """
    found = live(known, connection)
    if found.team is None:
        detail = "Connect Slack first, or name the team when registering."
        raise Problem(409, "no-team", "The Slack team is not known yet", detail)
    allowed = known.allowlists.own(connection, found.team)
    period = None if body.period_seconds is None else int(body.period_seconds * _SECOND_US)
    try:
        known.pull_plans.ask_for(found, len(allowed), period=period, rate=body.rate, by=held)
    except TooOftenError as error:
        seconds = error.shortest / _SECOND_US
        detail = f"{len(allowed)} channels take {seconds:.0f} s at this rate: ask for that period or a longer one."
        raise Problem(422, "too-often", "The period is too short", detail, shortest_seconds=seconds) from None
    except Rejected:
        raise not_found() from None
    return _plan(known, found, _outlook(known, found))


def _outlook(known: Services, found: Registration) -> Outlook:
    return known.pull_plans.outlook(found, known.allowlists.own(found.connection, found.team))


def _plan(known: Services, found: Registration, plan: Outlook) -> PlanShown:
    return PlanShown.model_validate(known.pull_plans.shown(found, plan))

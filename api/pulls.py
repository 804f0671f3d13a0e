"""Core routes of pulls: ask now, see what was asked and what is covered."""

from api.access import Known, core_router
from api.answers import problems
from api.connections import PREFIX, Connection, live
from api.problems import Problem
from api.shown import ChannelsCovered, Requested, RunsShown

router = core_router("pulls", PREFIX)


@router.post("/{user:path}/pulls", status_code=202, responses=problems(404, 409, 422))
def ask(connection: Connection, known: Known) -> Requested:
    """Request what the allowed channels lack; what is asked for already is not asked twice, what is paused waits."""
    found = live(known, connection)
    if found.team is None or not found.directory_complete:
        detail = "Channels and users of the team have not been read to their end yet."
        raise Problem(409, "no-directory", "The directory is not complete", detail)
    channels = known.allowlists.pullable(connection, found.team)
    return Requested(runs=known.ledger.plan(connection, found.team, channels, known.now_us()))


@router.get("/{user:path}/pulls", responses=problems(404, 422))
def show(connection: Connection, known: Known) -> RunsShown:
    """The newest runs: window, state, attempts, pages."""
    live(known, connection)
    return RunsShown.model_validate({"runs": [run.public() for run in known.ledger.listing(connection)]})


@router.get("/{user:path}/coverage", responses=problems(404, 422))
def coverage(connection: Connection, known: Known) -> ChannelsCovered:
    """Channel → covered up to (`head`, microseconds), the open run, allowed since."""
    live(known, connection)
    return ChannelsCovered.model_validate({"channels": known.ledger.coverage(connection)})

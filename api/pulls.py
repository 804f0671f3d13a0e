"""Core routes of pulls: ask now, see what was asked and what is covered."""

from typing import Any

from fastapi import APIRouter

from api.access import Known
from api.connections import Connection, live
from api.problems import Problem

router = APIRouter(prefix="/v1/orgs/{org}/connections", tags=["pulls"])


@router.post("/{user:path}/pulls", status_code=202)
def ask(connection: Connection, known: Known) -> dict[str, Any]:
    """Request what the allowed channels lack; what is already asked for is not asked twice."""
    found = live(known, connection)
    if found.team is None or not found.directory_complete:
        detail = "Channels and users of the team have not been read to their end yet."
        raise Problem(409, "no-directory", "The directory is not complete", detail)
    channels = known.allowlists.own(connection, found.team)
    return {"runs": known.ledger.plan(connection, found.team, channels, known.now_us())}


@router.get("/{user:path}/pulls")
def show(connection: Connection, known: Known) -> dict[str, Any]:
    """The newest runs: window, state, attempts, pages."""
    live(known, connection)
    return {"runs": [run.public() for run in known.ledger.listing(connection)]}


@router.get("/{user:path}/coverage")
def coverage(connection: Connection, known: Known) -> dict[str, Any]:
    """Channel → covered up to (`head`, microseconds), the open run, allowed since."""
    live(known, connection)
    return {"channels": known.ledger.coverage(connection)}

"""Core routes that erase a person: what they wrote and are goes from the mesh, and does not come back."""

import re
from typing import Annotated, Final

from fastapi import Path

from api.access import Known, Scope, core_router, not_found
from api.answers import problems
from api.connections import PREFIX, Connection, live
from api.problems import Problem
from api.services import Services
from api.shown import PeopleShown, Receipt

router = core_router("people", PREFIX)
Person = Annotated[str, Path(description="Slack user id.", examples=["U0123456789"])]
_USER: Final = re.compile(r"[UW][A-Z0-9]{1,20}")


@router.get("/{user:path}/people", responses=problems(404, 409, 422))
def list_erased(connection: Connection, known: Known) -> PeopleShown:
    """Who of the connection's team was erased, and when."""
    _team(known, connection)
    return PeopleShown(erased=known.people.listing(connection))


@router.delete("/{user:path}/people/{person}", status_code=202, responses=problems(404, 409, 422))
def erase(connection: Connection, person: Person, known: Known, held: Scope) -> Receipt:
    """Retract every message and the record of this person, forget the name, purge their dead letters, and let nothing
    of them pass again, whichever connection of the organisation reads it. What others wrote about them stays.
    """
    _checked(known, connection, person)
    receipt = known.people.erase(connection, person, by=held)
    known.ring_for(connection)
    return Receipt(receipt=receipt)


@router.put("/{user:path}/people/{person}", responses=problems(404, 409, 422))
def readmit(connection: Connection, person: Person, known: Known, held: Scope) -> PeopleShown:
    """Undo: let the person pass again from the next reading on. 404 where they were not erased."""
    _checked(known, connection, person)
    if not known.people.readmit(connection, person, by=held):
        raise not_found()
    return PeopleShown(erased=known.people.listing(connection))


def _checked(known: Services, connection: str, person: str) -> None:
    _team(known, connection)
    if not _USER.fullmatch(person):
        raise Problem(422, "bad-person", "Not a Slack user id", "It begins with U or W.")


def _team(known: Services, connection: str) -> None:
    if live(known, connection).team is None:
        detail = "Connect Slack first, or name the team when registering."
        raise Problem(409, "no-team", "The Slack team is not known yet", detail)

"""Routes for the operator: pause everything, an organisation or a connection, and resume it. Intake goes on."""

from typing import Annotated

from fastapi import Depends, Path

from api.access import Known, Operator, core_router, decoded, not_found
from api.answers import problems
from api.problems import Problem
from api.services import Services
from api.shown import PauseShown, PausesShown
from pipeline.errors import Rejected

router = core_router("operations", "/v1/pauses")


def pause_scope(
    scope: Annotated[
        str,
        Path(description="`all`, `org:<id>` or `<user>/<org>`, percent-encoded.", examples=["org:end10843"]),
    ],
    known: Known,
) -> str:
    """The scope in the path. Raises `Problem(422)`."""
    name = decoded(scope)
    try:
        known.pauses.shards_of(name)
    except Rejected:
        raise Problem(422, "bad-scope", "Not a scope", "`all`, `org:<id>` or `<user>/<org>` is wanted.") from None
    return name


PauseScope = Annotated[str, Depends(pause_scope)]


@router.get("", responses=problems(403))
def list_pauses(known: Known, _: Operator) -> PausesShown:
    """What is paused, and since when."""
    return PausesShown(pauses=known.pauses.listing())


@router.put("/{scope:path}", responses=problems(403, 404, 422))
def pause(held: Operator, known: Known, scope: PauseScope) -> PauseShown:
    """Deliver nothing of it and ask Paragon for nothing, until it is resumed; callbacks are kept, and what revokes
    goes on. Pausing twice changes nothing.
    """
    return PauseShown(scope=scope, connections=known.pauses.pause(scope, by=held))


@router.delete("/{scope:path}", responses=problems(403, 404, 422))
def resume(held: Operator, known: Known, scope: PauseScope) -> PauseShown:
    """End this pause: what waited is due at once, unless another pause holds it back. 404 where it is not paused."""
    freed = known.pauses.resume(scope, by=held)
    if freed is None:
        raise not_found()
    _ring(known, scope)
    return PauseShown(scope=scope, connections=freed)


def _ring(known: Services, scope: str) -> None:
    for keys in known.pauses.shards_of(scope):
        known.ring(keys.shard)

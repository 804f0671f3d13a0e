"""Core route of the audit trail: who changed what, when."""

from typing import Annotated, Any

from fastapi import Query

from api.access import OPERATOR, Known, Scope, core_router, may_see
from api.answers import problems
from api.problems import Problem
from api.shown_audit import AuditEntryShown, AuditShown
from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.store import audit

router = core_router("operations")
_EACH = ("event", "connection", "by", "at")


@router.get("/v1/audit", responses=problems(422))
def list_audit(
    known: Known,
    held: Scope,
    connection: Annotated[
        str | None, Query(description="Only what is noted of this one: `<user>/<org>`.", examples=["rob/end10843"])
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
    before: Annotated[
        str | None, Query(pattern="^[0-9]{1,15}-[0-9]{1,15}-[0-9]{1,5}$", description="`next` of the page before.")
    ] = None,
) -> AuditShown:
    """Each change of a list, a connection, a pause, an erasure, with who made it; an organisation's token sees its own.

    One entry for each change of an allowlist. The oldest go: 100,000 are kept of each shard.
    """
    org = None if connection is None else _org(connection)
    if org is not None and not may_see(held, org):
        return AuditShown(entries=[], next=None)
    if held != OPERATOR:
        org = held.removeprefix("org:")
    place = None if before is None else audit.Place.read(before)
    found, last = audit.page(known.client, known.shards, org=org, connection=connection, before=place, limit=limit)
    return AuditShown(entries=[_shown(entry) for entry in found], next=None if last is None else str(last))


def _org(connection: str) -> str:
    try:
        return split_connection(connection)[1]
    except Rejected:
        raise Problem(422, "bad-connection", "Not a connection", "It is `<user>/<org>`.") from None


def _shown(entry: dict[str, Any]) -> AuditEntryShown:
    facts = {name: said for name, said in entry.items() if name not in _EACH}
    return AuditEntryShown(**{name: entry[name] for name in _EACH}, facts=facts)

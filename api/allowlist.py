"""Core routes of a connection's allowlist: which channels the customer's admin lets through."""

import re
import time
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access import Known, Organisation, Scope
from api.connections import Connection, live
from api.problems import Problem
from api.services import Services
from pipeline.errors import Rejected
from pipeline.store import receipts
from pipeline.store.allowlists import Change, StaleListError

router = APIRouter(prefix="/v1/orgs/{org}/connections", tags=["allowlist"])
SETTLE_SECONDS = 2.0
_VERSION = re.compile(r'^(?:W/)?"?(\d{1,15})"?$')


class Wanted(BaseModel):
    """The whole list, as it shall be."""

    model_config = ConfigDict(extra="forbid")
    channels: list[Annotated[str, Field(pattern=r"^[CG][A-Z0-9]{1,20}$")]] = Field(max_length=50_000)


@router.get("/{user:path}/allowlist")
def show(connection: Connection, known: Known, response: Response) -> dict[str, Any]:
    """The connection's own list; the ETag is its version, `"0"` before the first PUT."""
    found = live(known, connection)
    response.headers["ETag"] = f'"{found.list_version}"'
    return {"channels": known.allowlists.own(connection, found.team), "version": found.list_version}


@router.put("/{user:path}/allowlist")
def replace(
    org: Organisation,
    connection: Connection,
    known: Known,
    held: Scope,
    wanted: Wanted,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Replace the list. 428 without If-Match, 412 if it changed meanwhile.

    A list that removes channels answers 200 once their retraction is in the mesh, else 202 `revoking`.
    """
    live(known, connection)
    change = _put(known, connection, wanted, _expected(if_match), held)
    response.headers["ETag"] = f'"{change.version}"'
    state = "done"
    if change.receipt is not None:
        known.ring_for(connection)
        if change.difference.removed and not _settled(known, connection, change.receipt):
            response.status_code, state = 202, "revoking"
    answer = {"version": change.version, "added": change.difference.added, "removed": change.difference.removed}
    return answer | {"state": state, "receipt": change.receipt}


def _expected(if_match: str | None) -> int:
    if if_match is None:
        raise Problem(428, "if-match-wanted", "If-Match wanted", "GET the list and send its ETag as If-Match.")
    found = _VERSION.match(if_match.strip())
    if found is None:
        raise Problem(412, "stale-list", "The list has another version", "GET the list again, then repeat.")
    return int(found[1])


def _put(known: Services, connection: str, wanted: Wanted, expected: int, held: str) -> Change:
    try:
        return known.allowlists.put(connection, wanted.channels, if_match=expected, by=held)
    except StaleListError:
        raise Problem(412, "stale-list", "The list has another version", "GET the list again, then repeat.") from None
    except Rejected as error:
        if error.reason == "no_team":
            detail = "Connect Slack first, or name the team when registering."
            raise Problem(409, "no-team", "The Slack team is not known yet", detail) from None
        raise Problem(404, "not-found", "Not found", "Nothing of that name for this token.") from None


def _settled(known: Services, connection: str, receipt: str) -> bool:
    """Whether the effect reached the mesh within two seconds."""
    keys, until = known.shards.of(connection), time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        found = receipts.find(known.client, keys, receipt)
        if found is not None and found["state"] != "waiting":
            return bool(found["state"] == "delivered")
        time.sleep(0.03)
    return False

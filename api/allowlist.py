"""Core routes of a connection's allowlist: which channels the customer's admin lets through."""

import re
import threading
import time
from typing import Annotated, Final

from fastapi import Header, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access import Known, Scope, core_router, not_found
from api.answers import Described, problems
from api.connections import PREFIX, Connection, live, paused_of
from api.problems import Problem
from api.services import Services
from api.shown import AllowlistChanged, AllowlistShown
from pipeline.errors import Rejected, Unavailable
from pipeline.store import receipts
from pipeline.store.allowlists import Change, DirectMessagesError, StaleListError

router = core_router("allowlist", PREFIX)
_WAITERS: Final = threading.BoundedSemaphore(10)
SETTLE_SECONDS: Final = 2.0
_LOOK_EVERY_SECONDS: Final = 0.03
# Also a weak one: proxies that compress weaken every ETag on their way, and the number is what counts.
_ETAG: Final = re.compile(r'(?:W/)?"?([0-9]{1,15})"?')
_ETAG_SHOWN = {"ETag": {"schema": {"type": "string"}, "description": "The list's version."}}
_OK: Final[Described] = {200: {"headers": _ETAG_SHOWN}}
_REVOKING: Final[Described] = {
    202: {"model": AllowlistChanged, "description": "Kept, but the mesh has not retracted it yet."}
}


class Wanted(BaseModel):
    """The whole list, as it shall be."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"channels": ["C0123456789"]}]})
    channels: list[Annotated[str, Field(pattern=r"^[CDG][A-Z0-9]{1,20}$")]] = Field(max_length=50_000)
    since: int = Field(
        0, ge=0, description="Microseconds: of the channels that this adds, no history up to here is pulled."
    )


@router.get("/{user:path}/allowlist", responses={**_OK, **problems(404, 422)})
def show(connection: Connection, known: Known, response: Response) -> AllowlistShown:
    """The connection's own list; the ETag is its version, `"0"` before the first PUT."""
    found = live(known, connection)
    response.headers["ETag"] = f'"{found.list_version}"'
    own = known.allowlists.own(connection, found.team)
    return AllowlistShown(
        channels=own,
        version=found.list_version,
        paused=paused_of(known, found, own),
        direct_messages=known.allowlists.direct(connection, found.team, own),
    )


@router.put("/{user:path}/allowlist", responses={**_OK, **_REVOKING, **problems(404, 409, 412, 413, 422, 428)})
def replace(
    connection: Connection,
    known: Known,
    held: Scope,
    wanted: Wanted,
    response: Response,
    if_match: Annotated[str | None, Header(description="The list's ETag.", examples=['"3"'])] = None,
) -> AllowlistChanged:
    """Replace the list. 428 without If-Match, 412 if it changed meanwhile.

    A list that removes channels answers 200 once their retraction is in the mesh, else 202 `revoking`. A direct message
    (by the directory's flags) is a 422, unless SLUICE_ALLOW_DIRECT_MESSAGES is true: nobody in it was asked.
    """
    live(known, connection)
    if wanted.since > known.now_us():
        raise Problem(422, "since-in-future", "`since` lies in the future", "Messages would be missed.")
    change = _put(known, connection, wanted, _expected(if_match), held)
    response.headers["ETag"] = f'"{change.version}"'
    settled = True
    if change.receipt is not None:
        known.ring_for(connection)
        settled = not change.difference.removed or _settled(known, connection, change.receipt)
    response.status_code = 200 if settled else 202
    return AllowlistChanged(
        version=change.version,
        added=change.difference.added,
        removed=change.difference.removed,
        state="done" if settled else "revoking",
        receipt=change.receipt,
    )


def _expected(if_match: str | None) -> int:
    if if_match is None:
        raise Problem(428, "if-match-wanted", "If-Match wanted", "GET the list and send its ETag as If-Match.")
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise _stale()
    return int(found[1])


def _stale() -> Problem:
    return Problem(412, "stale-list", "The list has another version", "GET the list again, then repeat.")


def _put(known: Services, connection: str, wanted: Wanted, expected: int, held: str) -> Change:
    try:
        return known.allowlists.put(connection, wanted.channels, if_match=expected, by=held, since=wanted.since)
    except StaleListError:
        raise _stale() from None
    except DirectMessagesError as error:
        detail = "Leave `channels` out of the list, or set SLUICE_ALLOW_DIRECT_MESSAGES=true."
        raise Problem(
            422, "direct-message", "Direct messages cannot be allowed", detail, channels=error.channels
        ) from None
    except Rejected as error:
        if error.reason == "no_team":
            detail = "Connect Slack first, or name the team when registering."
            raise Problem(409, "no-team", "The Slack team is not known yet", detail) from None
        raise not_found() from None


def _settled(known: Services, connection: str, receipt: str) -> bool:
    """Whether the effect reached the mesh within two seconds. The change itself is kept, whatever is away now.

    Only so many wait at once: each holds one of the threads that all core routes share.
    """
    if not _WAITERS.acquire(blocking=False):
        return False
    try:
        return _wait(known, connection, receipt)
    finally:
        _WAITERS.release()


def _wait(known: Services, connection: str, receipt: str) -> bool:
    keys, until = known.shards.of(connection), time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        try:
            found = receipts.find(known.client, keys, receipt)
        except Unavailable:
            return False
        if found is not None and found["state"] != "waiting":
            return bool(found["state"] == "delivered")
        time.sleep(_LOOK_EVERY_SECONDS)
    return False

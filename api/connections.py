"""Core routes of a connection: register, look, disconnect, Connect token, metadata."""

import contextlib
import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.access import Known, Organisation, Scope, core_router, decoded, not_found
from api.answers import problems
from api.problems import Problem
from api.services import Services
from api.shown import (
    ConnectionShown,
    ConnectToken,
    DirectoryShown,
    Meta,
    Queued,
    Receipt,
    Registered,
    SlackShown,
)
from api.shown_metadata import DriftShown
from api.shown_pauses import ChannelPauseShown
from pipeline.connection import split_connection
from pipeline.errors import Rejected, Unavailable
from pipeline.store import hold
from pipeline.store.client import ask_all
from pipeline.store.connections import Registration
from pipeline.store.drifts import Drifts
from pipeline.store.looks import Look
from pipeline.store.runs import Run

PREFIX = "/v1/orgs/{org}/connections"
OURS = ("userid", "allowListedChannels")
_SLACK_SAYS_NO = "slack_refused"
_FRESH_US = 30 * 1_000_000
router = core_router("connections", PREFIX)


def connection_name(
    org: Organisation,
    user: Annotated[str, Path(description="Paragon user id, percent-encoded.", examples=["rob@example.com"])],
) -> str:
    """`<user>/<org>` of the path."""
    name = f"{decoded(user)}/{org}"
    try:
        split_connection(name)
    except Rejected:
        raise Problem(422, "bad-connection", "Not a connection", "User and organisation must be printable.") from None
    return name


Connection = Annotated[str, Depends(connection_name)]


def live(known: Services, connection: str) -> Registration:
    """The registration, or 404."""
    found = known.connections.get(connection)
    if found is None or not found.live:
        raise not_found()
    return found


class Who(BaseModel):
    """The person who connects Slack, and the Slack team where it is known already."""

    model_config = ConfigDict(extra="forbid")
    team: str | None = Field(None, pattern=r"^[TE][A-Z0-9]{2,20}$", examples=["T0534672TWT"])
    name: str | None = Field(None, max_length=200, examples=["rob"])
    real_name: str | None = Field(None, max_length=200, examples=["Rob Root"])
    email: str | None = Field(None, max_length=320, examples=["rob@example.com"])
    tz: str | None = Field(None, max_length=64, examples=["Europe/Berlin"])


def _whole_numbers(meta: dict[str, Any]) -> dict[str, Any]:
    """Refuse NaN and infinities: Python reads them, JSON has none, and Paragon would refuse them for ever."""
    json.dumps(meta, allow_nan=False)
    return meta


@router.post("/{user:path}/token", responses=problems(404, 422))
def mint_token(connection: Connection, known: Known) -> ConnectToken:
    """A Paragon User Token for the Connect page."""
    live(known, connection)
    return ConnectToken(token=known.user_tokens.token(connection))


@router.patch("/{user:path}/metadata", status_code=202, responses=problems(404, 413, 422))
def enrich_metadata(
    connection: Connection, known: Known, meta: Annotated[Meta, AfterValidator(_whole_numbers)]
) -> Queued:
    """Add to the Paragon user's metadata: kept at once, sent by the workers. Our own two keys are refused."""
    live(known, connection)
    if taken := [key for key in OURS if key in meta]:
        raise Problem(422, "reserved-key", "Reserved metadata key", f"Sluice itself keeps {' and '.join(taken)}.")
    try:
        known.connections.set_metadata(connection, meta)
    except Rejected:
        raise not_found() from None
    known.schedule.sooner(known.shards.of(connection), "patch", connection, known.now_us())
    return Queued()


@router.put("/{user:path}", responses=problems(404, 409, 413, 422))
def register(connection: Connection, known: Known, held: Scope, who: Who | None = None) -> Registered:
    """Register a connection, or update it; before Slack is connected, or its callbacks are refused (403).

    A team, once fixed, stays until the connection is disconnected: another one is a 409.
    """
    said = who.model_dump(exclude_none=True) if who else {}
    team = said.pop("team", None)
    try:
        found, receipt = known.connections.register(connection, team=team, who=said, by=held)
    except Rejected as error:
        raise Problem(409, error.reason.replace("_", "-"), "Another team is fixed", "Disconnect first.") from None
    known.ring_for(connection)
    return Registered(**_shown(known, found), receipt=receipt)


@router.get("/{user:path}", responses=problems(404, 422))
def show(connection: Connection, known: Known) -> ConnectionShown:
    """Status, credential and freshness of a connection."""
    return ConnectionShown(**_shown(known, live(known, connection)))


@router.delete("/{user:path}", status_code=202, responses=problems(404, 422))
def disconnect(connection: Connection, known: Known, held: Scope) -> Receipt:
    """End the connection: its callbacks are refused, what waits and what is dead is purged, what nobody else allows is
    retracted.
    """
    try:
        receipt = known.disconnect(connection, by=held)
    except Rejected:
        raise not_found() from None
    known.ring_for(connection)
    return Receipt(receipt=receipt)


def _shown(known: Services, found: Registration) -> dict[str, Any]:
    """The fields of `ConnectionShown`."""
    keys = known.shards.of(found.connection)
    commands = [("XLEN", keys.stream(found.connection)), ("HEXISTS", keys.parked, found.connection)]
    waiting, parked = ask_all(known.client, commands)
    look = _look(known, found)
    return {
        "connection": found.connection,
        "team": found.team,
        "generation": found.generation,
        "list_version": found.list_version,
        "registered_at": found.registered_at,
        "directory": DirectoryShown(
            channels_complete_at=found.channels_complete_at, users_complete_at=found.users_complete_at
        ),
        "metadata_at": found.metadata_at,
        "metadata_drift": _drift(known, found),
        "credential": _credential(known.ledger.runs.listing(found.connection, 1), look),
        "slack": look and _slack(look, found),
        "covered_until": _covered_until(known, found),
        "waiting": waiting,
        "parked": bool(parked),
        "paused": known.pauses.of(found.connection),
        "paused_channels": paused_of(known, found, known.allowlists.own(found.connection, found.team)),
        "held": hold.found(known.client),
    }


def paused_of(known: Services, found: Registration, own: list[str]) -> list[ChannelPauseShown]:
    """What of a connection's own list is not read now, whoever else allows it."""
    pauses = known.channel_pauses.of(split_connection(found.connection)[1], found.team)
    return [ChannelPauseShown.model_validate(pause) for channel in own for pause in pauses.get(channel, [])]


def _look(known: Services, found: Registration) -> Look | None:
    """What Paragon last said. One that has aged is wanted anew from the workers, unless they wait for Paragon."""
    look, keys = known.looks.get(found.connection), known.shards.of(found.connection)
    if look is None or known.now_us() - look.at > _FRESH_US:
        with contextlib.suppress(Unavailable):  # a store that takes no more can still be read
            if not known.schedule.failing(keys, "look", found.connection):
                known.schedule.sooner(keys, "look", found.connection, known.now_us())
    return look


def _drift(known: Services, found: Registration) -> DriftShown | None:
    drifted = Drifts(known.client, known.shards).get(found.connection)
    mended = drifted is not None and (found.metadata_at or 0) > drifted.at
    return None if drifted is None else DriftShown(**asdict(drifted), mended=mended)


def _slack(look: Look, found: Registration) -> SlackShown:
    return SlackShown(
        enabled=look.enabled,
        credential_status=look.status,
        team=look.team,
        team_differs=look.other_than(found.team),
        looked_at=look.at,
    )


def _credential(newest: list[Run], look: Look | None) -> str:
    """Any no is a no; a yes of Paragon's is one until Slack refuses a pull."""
    run = next((run for run in newest if run.attempt), None)
    gone = look is not None and (look.status == "INVALID" or (run is not None and not look.enabled))
    if gone or (run is not None and run.state == "blocked" and run.reason == _SLACK_SAYS_NO):
        return "refused"
    if look is not None and look.enabled and look.status == "VALID":
        return "accepted"
    works = run is not None and run.state != "blocked" and (run.pages or run.state == "covered")
    return "accepted" if works else "unknown"


def _covered_until(known: Services, found: Registration) -> int | None:
    coverage = known.ledger.coverage(found.connection)
    heads = [coverage.get(channel, {}).get("head") for channel in known.allowlists.own(found.connection, found.team)]
    covered = [head for head in heads if head is not None]
    return min(covered) if covered and len(covered) == len(heads) else None

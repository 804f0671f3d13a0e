"""Core routes of a connection: register, look, disconnect, Connect token, metadata."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from api.access import Known, Organisation, Scope
from api.problems import Problem
from api.services import Services
from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.store.connections import Registration

router = APIRouter(prefix="/v1/orgs/{org}/connections", tags=["connections"])
OURS = ("userid", "allowListedChannels")


def connection_name(
    org: Organisation, user: Annotated[str, Path(description="Paragon user id; percent-encoded")]
) -> str:
    """`<user>/<org>` of the path."""
    try:
        split_connection(f"{user}/{org}")
    except Rejected:
        raise Problem(422, "bad-connection", "Not a connection", "User and organisation must be printable.") from None
    return f"{user}/{org}"


Connection = Annotated[str, Depends(connection_name)]


def live(known: Services, connection: str) -> Registration:
    """The registration, or 404."""
    found = known.connections.get(connection)
    if found is None or not found.live:
        raise Problem(404, "not-found", "Not found", "Nothing of that name for this token.")
    return found


class Who(BaseModel):
    """The person who connects Slack, and the Slack team where it is known already."""

    model_config = ConfigDict(extra="forbid")
    team: str | None = Field(None, pattern=r"^[TE][A-Z0-9]{2,20}$", examples=["T0534672TWT"])
    name: str | None = Field(None, max_length=200)
    real_name: str | None = Field(None, max_length=200)
    email: str | None = Field(None, max_length=320)
    tz: str | None = Field(None, max_length=64)


class Shown(BaseModel):
    """A connection as the API shows it; times in microseconds, UTC."""

    connection: str
    team: str | None
    generation: int
    list_version: int
    registered_at: int
    directory: dict[str, int | None]
    metadata_at: int | None
    receipt: str | None = None


def _shown(found: Registration, receipt: str | None = None) -> Shown:
    return Shown(
        connection=found.connection,
        team=found.team,
        generation=found.generation,
        list_version=found.list_version,
        registered_at=found.registered_at,
        directory={"channels_complete_at": found.channels_complete_at, "users_complete_at": found.users_complete_at},
        metadata_at=found.metadata_at,
        receipt=receipt,
    )


@router.post("/{user:path}/token")
def mint_token(connection: Connection, known: Known) -> dict[str, str]:
    """A Paragon User Token for the Connect page; valid for an hour."""
    live(known, connection)
    return {"token": known.user_tokens.token(connection)}


@router.patch("/{user:path}/metadata", status_code=202)
def enrich_metadata(connection: Connection, known: Known, meta: Annotated[dict[str, Any], Body()]) -> dict[str, str]:
    """Add to the Paragon user's metadata: kept at once, sent by the workers. Our own two keys are refused."""
    live(known, connection)
    if taken := [key for key in OURS if key in meta]:
        raise Problem(422, "reserved-key", "Reserved metadata key", f"Sluice itself keeps {' and '.join(taken)}.")
    known.connections.set_metadata(connection, meta)
    known.schedule.sooner(known.shards.of(connection), "patch", connection, known.now_us())
    return {"state": "queued"}


@router.get("/{user:path}/channels")
def list_channels(connection: Connection, known: Known) -> dict[str, Any]:
    """Every channel that the connection can read, with what the picker shows of it."""
    found, org = live(known, connection), split_connection(connection)[1]
    allowed = set(known.allowlists.own(connection, found.team))
    shown = (
        "channel",
        "name",
        "is_private",
        "is_shared",
        "is_ext_shared",
        "is_archived",
        "is_im",
        "is_mpim",
        "members",
    )
    rows = [
        {field: getattr(channel, field) for field in shown} | {"allowed": channel.channel in allowed}
        for channel in known.directory.channels(org, found.team or "")
    ]
    rows.sort(key=lambda row: (row["name"] or "", row["channel"]))
    return {"complete": found.channels_complete_at is not None, "channels": rows}


@router.put("/{user:path}")
def register(connection: Connection, known: Known, held: Scope, who: Who | None = None) -> Shown:
    """Register a connection, or update it; before Slack is connected, or its callbacks are refused (403)."""
    said = (who or Who.model_construct()).model_dump(exclude_none=True) if who else {}
    team = said.pop("team", None)
    try:
        found, receipt = known.connections.register(connection, team=team, who=said, by=held)
    except Rejected as error:
        raise Problem(409, error.reason.replace("_", "-"), "Another team is fixed", "Disconnect first.") from None
    known.ring_for(connection)
    return _shown(found, receipt)


@router.get("/{user:path}")
def show(connection: Connection, known: Known) -> Shown:
    """What is known of a connection."""
    return _shown(live(known, connection))


@router.delete("/{user:path}", status_code=202)
def disconnect(connection: Connection, known: Known, held: Scope) -> dict[str, str]:
    """End the connection: its callbacks are refused, what waits is purged, what nobody else allows is retracted."""
    try:
        receipt = known.disconnect(connection, by=held)
    except Rejected:
        raise Problem(404, "not-found", "Not found", "Nothing of that name for this token.") from None
    known.ring_for(connection)
    return {"receipt": receipt}

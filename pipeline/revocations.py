"""Whether an effect that reached the mesh ends a revocation: what the core service is told of it. Pure."""

from collections.abc import Iterable
from typing import Final, Literal

from pipeline.events import MOST_CHANNELS, RevocationDone
from pipeline.models import Internal, Retraction, User
from pipeline.rules.exclusion import ERASED

Kind = Literal["allowlist", "disconnect", "person"]
_KINDS: Final[dict[str, Kind]] = {
    "revoked": "allowlist",
    "disconnected": "disconnect",
    ERASED: "person",
}


def revocation(connection: str, receipt: str, records: Iterable[Internal], at: int) -> RevocationDone | None:
    """The event of an effect's records, None where they revoke nothing that somebody asked to be revoked."""
    kind: Kind | None = None
    team, channels = None, set[str]()
    for record in records:
        if isinstance(record, User) and record.kind == "connection" and record.deleted:
            kind, team = "disconnect", record.team
        if isinstance(record, Retraction) and record.reason in _KINDS:
            kind, team = _KINDS[record.reason], record.match["team"]
            channels |= {record.match["channel"]} if "channel" in record.match else set()
    if kind is None:
        return None
    return RevocationDone(
        at=at,
        connection=connection,
        team=team,
        kind=kind,
        receipt=receipt,
        channels=sorted(channels)[:MOST_CHANNELS],
        channel_count=len(channels),
    )

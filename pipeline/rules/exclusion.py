"""Whose a record is, so that nothing of an erased person passes; and the fences that end what is there. Pure."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipeline.models import Internal, Message, Retraction, User
from pipeline.rules.versions import epoch_digits, version

Person = tuple[str, str]
"""Team and Slack user id."""
ERASED: Final = "erased"
READMITTED: Final = "readmitted"
_OF_A_PERSON: Final = (("message", "author_id"), ("user", "user_id"))


class Told(NamedTuple):
    """What a fence in the mesh tells of a person: since when, and whether it was the end or a new beginning."""

    person: Person
    epoch: int
    erased: bool


def fences(person: Person, epoch: int, reason: str) -> list[Retraction]:
    """The two that end what is there of a person, below `epoch`. After a readmission there is nothing to end: they
    leave word of it in the mesh, for a store that comes out of an older backup.
    """
    team, user = person
    return [
        Retraction(
            id=f"{target}:{team}:{field}:{user}",
            version=version(epoch),
            target=target,
            match={"team": team, field: user},
            below=epoch_digits(epoch),
            reason=reason,
        )
        for target, field in _OF_A_PERSON
    ]


def told(fence: Mapping[str, Any]) -> Told | None:
    """What a retraction says of a person's messages, None where it is about something else."""
    match, below, reason = fence.get("match"), fence.get("below"), fence.get("reason")
    if fence.get("target") != "message" or not isinstance(match, dict) or set(match) != {"team", "author_id"}:
        return None
    if reason not in (ERASED, READMITTED) or not isinstance(below, str) or not below.isdecimal():
        return None
    return Told((match["team"], match["author_id"]), int(below), reason == ERASED)


def person_of(record: Internal) -> Person | None:
    """The author of a message, or whom a user record describes; None where it is of nobody.

    A deleted message holds no content and names no author: it passes.
    """
    if isinstance(record, Message) and record.author_id:
        return record.team, record.author_id
    if isinstance(record, User) and record.team and record.user_id:
        return record.team, record.user_id
    return None


def people_in(raw: object, team: str) -> set[Person]:
    """Whose content a raw object that cannot be mapped may hold: its own user's, or that of a state inside it."""
    if not isinstance(raw, dict):
        return set()
    parts: list[dict[str, Any]] = [raw]
    parts += [raw[name] for name in ("message", "previous_message", "comment") if isinstance(raw.get(name), dict)]
    ids = [part.get("user") for part in parts] + [raw.get("id")]
    return {(team, one) for one in ids if isinstance(one, str)}

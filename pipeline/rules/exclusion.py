"""Who a record is of, so that nothing of a person who was erased passes. Pure."""

from typing import Any

from pipeline.models import Internal, Message, User

Person = tuple[str, str]
"""Team and Slack user id."""


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

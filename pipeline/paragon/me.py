"""What `sdk/me` says of a connection. Tolerant: a field of another type than expected was not said. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.errors import Unavailable

_TEAM: Final = re.compile(r"[TE][A-Z0-9]{1,31}")
_CHANNEL: Final = re.compile(r"[CDG][A-Z0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class SlackIntegration:
    """The Slack side of a Paragon user. `credential_status` is VALID, INVALID, PENDING or None; `team` a team's id."""

    enabled: bool = False
    credential_id: str | None = None
    credential_status: str | None = None
    provider_id: str | None = None
    team: str | None = None
    team_name: str | None = None
    workflows: frozenset[str] = frozenset()
    """Ids of the workflows that are switched on for this user."""


@dataclass(frozen=True, slots=True)
class Me:
    """A Paragon user as we see him. `meta` is his metadata, whoever wrote it."""

    authenticated: bool
    user_id: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    slack: SlackIntegration = field(default_factory=SlackIntegration)


def read_me(answer: Mapping[str, Any]) -> Me:
    """`Me` out of the answer's JSON. Raises `Unavailable` where `meta` is no object: what is there must not be lost."""
    meta = answer.get("meta")
    if meta is not None and not isinstance(meta, dict):
        raise Unavailable("paragon_answer_meta")
    return Me(
        authenticated=answer.get("authenticated") is True,
        user_id=_text(answer.get("userId")),
        meta=meta or {},
        slack=_slack(_object(_object(answer.get("integrations")).get("slack"))),
    )


def allow_listed(meta: Mapping[str, Any]) -> tuple[list[str], int] | None:
    """The channel ids of the metadata's `allowListedChannels`, sorted, and how many entries are none; None: no list.

    A list of ids is what we write; other writers have put objects with an `id`, or the list as JSON or with commas.
    Whether direct messages (`D…`) may be on a list of ours is the API's to say.
    """
    listed = meta.get("allowListedChannels")
    if isinstance(listed, str):
        listed = _parsed(listed)
    if not isinstance(listed, list):
        return None
    entries = [entry.get("id") if isinstance(entry, dict) else entry for entry in listed]
    channels = {entry for entry in entries if isinstance(entry, str) and _CHANNEL.fullmatch(entry)}
    return sorted(channels), sum(not (isinstance(entry, str) and entry in channels) for entry in entries)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return [part.strip() for part in text.split(",") if part.strip()]


def _slack(raw: Mapping[str, Any]) -> SlackIntegration:
    provider = _object(raw.get("providerData"))
    team = _object(provider.get("team"))
    workflows = _object(raw.get("configuredWorkflows"))
    return SlackIntegration(
        enabled=raw.get("enabled") is True,
        credential_id=_text(raw.get("credentialId")),
        credential_status=_text(raw.get("credentialStatus")),
        provider_id=_text(raw.get("providerId")),
        team=_team(team.get("id"), provider.get("team_id"), provider.get("teamId"), provider.get("team")),
        team_name=_text(team.get("name")),
        workflows=frozenset(name for name, state in workflows.items() if _object(state).get("enabled") is True),
    )


def _team(*candidates: object) -> str | None:
    """The first that looks like a team's id: the shape of `providerData` is not documented, and a name is no id."""
    return next((found for found in candidates if isinstance(found, str) and _TEAM.fullmatch(found)), None)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None

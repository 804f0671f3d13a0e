"""Notices by which Slack tells that a channel is not what it was. Pure.

They are events of Slack's, with the event's name as `type` or, posted among messages, as `subtype`; they have no `ts`.
Sources: docs.slack.dev/reference/events/channel_id_changed and …/channel_shared.
"""

from pipeline.errors import Rejected
from pipeline.rules.identity import Evidence
from pipeline.rules.versions import ts_us
from pipeline.slack.characters import id_or_none, ts_or_none

_NOTICES = ("channel_id_changed", "channel_shared")


def is_channel_notice(raw: object) -> bool:
    """Whether a raw object among messages is such a notice, and no message."""
    return _name(raw) is not None


def channel_notice(raw: object, *, team: str, channel: str) -> Evidence | None:
    """What a notice on the page of `channel` tells, None for anything else. Never raises.

    A workspace of one's own that joins a channel makes it no more external than it was.
    """
    name = _name(raw)
    if name is None or not isinstance(raw, dict):
        return None
    at = _at(raw.get("event_ts")) or _at(raw.get("ts"))
    if name == "channel_id_changed":
        old = id_or_none(raw.get("old_channel_id")) or channel
        return Evidence(old, "id_changed", id_or_none(raw.get("new_channel_id")), at)
    if raw.get("connected_team_id") == team:
        return None
    return Evidence(id_or_none(raw.get("channel")) or channel, "shared_externally", at=at)


def _name(raw: object) -> str | None:
    if not isinstance(raw, dict):
        return None
    return next((raw[key] for key in ("type", "subtype") if raw.get(key) in _NOTICES), None)


def _at(value: object) -> int | None:
    ts = ts_or_none(value)
    try:
        return None if ts is None else ts_us(ts)
    except Rejected:
        return None

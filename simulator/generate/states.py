"""What happened to messages, as histories and exports carry it: edits and deletions in wrappers, notices, stubs."""

from typing import Any

from simulator.generate.cast import Cast
from simulator.generate.words import PLAIN
from simulator.generate.written import said, styled
from simulator.slack.paging import stamp

Json = dict[str, Any]

_BEFORE = 40_000_000  # Microseconds that what a wrapper tells of lies behind it.


def changed(cast: Cast, canary: str, us: int) -> Json:
    """`message_changed`: the message, which shows nowhere else, as it was and as it is."""
    before = {**styled(cast, canary), "ts": _earlier(us)}
    after = {**before, **said(cast, f"{cast.rng.choice(PLAIN)} {canary}"), "blocks": []}
    after["edited"] = {"user": after["user"], "ts": stamp(us)}
    return {"type": "message", "subtype": "message_changed", "hidden": True, "message": after,
            "previous_message": before, "event_ts": stamp(us)}  # fmt: skip


def deleted(cast: Cast, canary: str, us: int) -> Json:
    """`message_deleted`, with what it was."""
    before = {**said(cast, f"{cast.rng.choice(PLAIN)} {canary}"), "ts": _earlier(us)}
    return {"type": "message", "subtype": "message_deleted", "hidden": True, "deleted_ts": before["ts"],
            "previous_message": before, "event_ts": stamp(us)}  # fmt: skip


def replied(cast: Cast, canary: str, us: int) -> Json:
    """`message_replied`: a notice that a thread has grown, which says nothing that the thread does not."""
    root = {**said(cast, f"{cast.rng.choice(PLAIN)} {canary}"), "ts": _earlier(us), "reply_count": 1}
    return {"type": "message", "subtype": "message_replied", "hidden": True, "message": root, "event_ts": stamp(us)}


def tombstone(cast: Cast, canary: str, us: int) -> Json:
    """What stands for a message that an admin took away: nobody's words are left, the canary neither."""
    return {"type": "message", "subtype": "tombstone", "text": "This message was deleted.", "user": "USLACKBOT",
            "hidden": True}  # fmt: skip


def limited(cast: Cast, canary: str, us: int) -> Json:
    """A message that the plan's limit hides."""
    return {"type": "message", "user": cast.user(), "text": "", "is_hidden_by_limit": 1, "team": cast.team}


def _earlier(us: int) -> str:
    """A `ts` of its own: no generated message ends on the same odd microsecond as the wrapper that tells of it."""
    return stamp(us - _BEFORE)

"""The outside ledger: one line for each callback that was answered 202, ids and revisions only, never content."""

import time
from collections.abc import Callable
from typing import Any

from simulator.slack.channel import ts_of
from simulator.slack.paging import SlackError, micros

Json = dict[str, Any]


class Ledger:
    """Append-only, in memory."""

    def __init__(self) -> None:
        self._lines: list[Json] = []

    def __len__(self) -> int:
        return len(self._lines)

    def append(self, line: Json) -> None:
        """Add a line; it gets the next `seq` (from 1) and `at`, unix microseconds."""
        self._lines.append({"seq": len(self._lines) + 1, "at": time.time_ns() // 1000, **line})

    def after(self, seq: int, limit: int) -> Json:
        """`{entries, next, more}`: at most `limit` lines after `seq`; ask again with `after=next` while `more`."""
        lines = self._lines[max(seq, 0) : max(seq, 0) + limit]
        following = lines[-1]["seq"] if lines else seq
        return {"entries": lines, "next": following, "more": following < len(self._lines), "total": len(self)}


def message_record(message: Json) -> list[str]:
    """`[ts, revision]` of a message; wrappers stand for the message they wrap."""
    subtype = message.get("subtype")
    if subtype == "message_deleted":
        return [str(message.get("deleted_ts", "")), _revision(ts_of(message))]
    inner = message.get("message")
    if subtype == "message_changed" and isinstance(inner, dict):
        return message_record(inner)
    edited = message.get("edited")
    edited_ts = edited.get("ts") if isinstance(edited, dict) else None
    return [ts_of(message), _revision(str(edited_ts or ts_of(message)))]


def directory_record(record: Json) -> list[str]:
    """`[id, revision]` of a user or a channel: `updated` as it is, else 0."""
    updated = record.get("updated")
    return [str(record.get("id", "")), str(updated if isinstance(updated, int) else 0)]


RECORD: dict[str, Callable[[Json], list[str]]] = {
    "messages": message_record,
    "channels": directory_record,
    "users": directory_record,
}


def _revision(ts: str) -> str:
    try:
        return str(micros(ts))
    except SlackError:
        return "0"

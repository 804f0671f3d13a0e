"""How far the threads of a channel's last days have come, kept shortly: there is one for each thread of a week.

A field is the thread's `ts` in microseconds, which the store keeps as a number; its value is Slack's count of replies
and, in hexadecimal microseconds, how long after the parent the latest one came. What has a point is a `ts` as it is:
layout 2 kept all of them so.
"""

from collections.abc import Mapping

from pipeline.rules.showing import Thread
from pipeline.rules.versions import ts_us, us_ts


def place(ts: str) -> str:
    """The field of a thread."""
    return str(ts_us(ts)) if us_ts(ts_us(ts)) == ts else ts


def began(field: str) -> str:
    """The `ts` of the thread that a field is of."""
    return field if "." in field else us_ts(int(field))


def value(ts: str, thread: Thread) -> str:
    """How far it has come."""
    latest = thread.latest
    if latest and us_ts(ts_us(latest)) == latest:
        return f"{thread.replies}|{ts_us(latest) - ts_us(ts):x}"
    return f"{thread.replies}|{latest}"


def read(rows: Mapping[bytes, bytes]) -> dict[str, Thread]:
    """The threads of a channel by their `ts`, out of its fields and values."""
    return {(ts := began(field.decode())): _thread(ts, kept.decode()) for field, kept in rows.items()}


def _thread(ts: str, kept: str) -> Thread:
    replies, _, late = kept.partition("|")
    spelled_out = "." in late or not late
    return Thread(int(replies), late if spelled_out else us_ts(ts_us(ts) + int(late, 16)))

"""What the pages of one attempt prove. Pure.

A channel is covered when, within one attempt, an unbroken chain of cursors leads from "" to `has_more: false` for its
history, and for the lane of every parent with replies that the history showed (design.md, 8). Facts are only ever
added, so a page that comes twice, late or out of order changes nothing that was already proved.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

END = "."
_HISTORY = "h"


def page_facts(
    channel: str,
    thread_ts: str,
    *,
    cursor: str | None,
    next_cursor: str | None,
    has_more: bool | None,
    parents: Iterable[str] = (),
) -> dict[str, str]:
    """The facts of one delivered page; none for one that lacks a cursor or does not say whether it is the last.

    `parents` are the `ts` of messages of a history page that have replies.
    """
    if cursor is None or has_more is None or (has_more and not next_cursor):
        return {}
    lane = thread_ts or _HISTORY
    facts = {f"{channel}|{lane}|{_short(cursor)}": _short(next_cursor or "") if has_more else END}
    if lane == _HISTORY:
        facts |= {f"{channel}|p|{ts}": "" for ts in parents}
    return facts


def covered(facts: Mapping[str, str], channel: str) -> bool:
    """Whether the facts of one attempt prove this channel's window."""
    prefix = f"{channel}|p|"
    parents = [name.removeprefix(prefix) for name in facts if name.startswith(prefix)]
    return all(_unbroken(facts, channel, lane) for lane in (_HISTORY, *parents))


def _unbroken(facts: Mapping[str, str], channel: str, lane: str) -> bool:
    at, seen = _short(""), set()
    while at != END:
        following = facts.get(f"{channel}|{lane}|{at}")
        if following is None or following in seen:
            return False
        seen.add(at)
        at = following
    return True


def _short(cursor: str) -> str:
    """Cursors can be long and there are many: 64 bits tell one attempt's pages of a lane apart."""
    return blake2b(cursor.encode(errors="surrogatepass"), digest_size=8).hexdigest()

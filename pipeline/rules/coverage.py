"""What the pages of one attempt prove. Pure.

A channel is covered when, within one attempt, an unbroken chain of cursors leads from "" to `has_more: false` for its
history, and for the lane of every parent with replies that the history showed (design.md, 8). A fact is "this page was
asked with that cursor and named this next one"; facts are only ever added, so a page that comes twice, late, out of
order or from a second execution of the same attempt takes nothing back that was already proved.
"""

from collections.abc import Iterable
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
) -> list[str]:
    """The facts of one delivered page; none for one that lacks a cursor or does not say whether it is the last.

    `parents` are the `ts` of messages of a history page that have replies.
    """
    if cursor is None or has_more is None or (has_more and not next_cursor):
        return []
    lane = thread_ts or _HISTORY
    facts = [f"{channel}|{lane}|{_short(cursor)}|{_short(next_cursor or '') if has_more else END}"]
    if lane == _HISTORY:
        facts += [f"{channel}|p|{ts}" for ts in parents]
    return facts


def covered(facts: Iterable[str], channel: str) -> bool:
    """Whether the facts of one attempt prove this channel's window."""
    steps: dict[tuple[str, str], set[str]] = {}
    lanes = {_HISTORY}
    for fact in facts:
        owner, lane, *rest = fact.split("|")
        if owner != channel:
            continue
        if lane == "p":
            lanes.add(rest[0])
        else:
            steps.setdefault((lane, rest[0]), set()).add(rest[1])
    return all(_unbroken(steps, lane) for lane in lanes)


def _unbroken(steps: dict[tuple[str, str], set[str]], lane: str) -> bool:
    """Whether pages lead from the first cursor of a lane to its end."""
    reached, edge = {_short("")}, [_short("")]
    while edge:
        following = steps.get((lane, edge.pop()), set()) - reached
        if END in following:
            return True
        reached |= following
        edge += following
    return False


def _short(cursor: str) -> str:
    """Cursors can be long and there are many: 64 bits tell one attempt's pages of a lane apart."""
    return blake2b(cursor.encode(errors="surrogatepass"), digest_size=8).hexdigest()

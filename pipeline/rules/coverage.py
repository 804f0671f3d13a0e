"""What the pages of one attempt prove. Pure.

A channel is covered when, within one attempt, an unbroken chain of cursors leads from "" to `has_more: false` for its
history, and for the lane of every parent with replies that the history showed (design.md, 8). A fact is "this page was
asked with that cursor and named this next one"; facts are only ever added, so a page that comes twice, late, out of
order or from a second execution of the same attempt takes nothing back that was already proved.

Beside its step, a page leaves what later readings of the same days are held against: how many messages of which day it
showed, and how far each thread has come. No message's id is kept but a thread's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from pipeline.rules.showing import Showing, Tally, Thread

END = "."
HISTORY = "h"
Flaw = Literal["limited", "dead"]
_NOTHING = Showing()


@dataclass(frozen=True, slots=True)
class Proof:
    """One channel of one attempt, proved.

    `pages` is how many requests it took; `days` what history showed a day; `threads` each parent with replies;
    `replies` what each lane showed; `flaws` what keeps it from proving that a message is gone; `missing` the threads
    that are no more.
    """

    pages: int
    days: Mapping[int, Tally]
    threads: Mapping[str, Thread]
    replies: Mapping[str, Tally]
    flaws: frozenset[str]
    missing: frozenset[str] = frozenset()


def page_facts(
    channel: str,
    thread_ts: str,
    *,
    cursor: str | None,
    next_cursor: str | None,
    has_more: bool | None,
    shows: Showing = _NOTHING,
    flaws: Iterable[Flaw] = (),
    missing: bool = False,
) -> list[str]:
    """The facts of one delivered page; none for one that lacks a cursor or does not say whether it is the last.

    `missing`: Slack said that there is no such thread.
    """
    if missing:
        return [f"{channel}|x|{thread_ts}"]
    if cursor is None or has_more is None or (has_more and not next_cursor):
        return []
    lane, here = thread_ts or HISTORY, _short(cursor)
    facts = [f"{channel}|{lane}|{here}|{_short(next_cursor or '') if has_more else END}"]
    facts += [f"{channel}|f|{flaw}" for flaw in flaws]
    # Replies repeat their parent; only history says which threads must be read.
    parent = "p" if lane == HISTORY else "t"
    facts += [f"{channel}|{parent}|{ts}|{thread.replies}|{thread.latest}" for ts, thread in shows.threads.items()]
    facts += [f"{channel}|n|{lane}|{here}|{day}|{n.messages}|{n.mark:x}" for day, n in shows.days.items()]
    return facts


@dataclass(slots=True)
class _Read:
    """The facts of one channel, taken apart."""

    steps: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    tallies: dict[tuple[str, str, int], Tally] = field(default_factory=dict)
    parents: set[str] = field(default_factory=set)
    threads: dict[str, Thread] = field(default_factory=dict)
    flaws: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)

    def take(self, what: str, rest: list[str]) -> None:
        match what, rest:
            case "f", [flaw]:
                self.flaws.add(flaw)
            case "x", [ts]:
                self.missing.add(ts)
            case "p" | "t", [ts, *said]:
                self.parents.update([ts] if what == "p" else [])
                thread = Thread(int(said[0]), said[1]) if said else Thread(0, "")
                self.threads[ts] = max(thread, self.threads.get(ts, thread))
            case "n", [lane, cursor, day, count, mark]:
                place, tally = (lane, cursor, int(day)), Tally(int(count), int(mark, 16))
                self.tallies[place] = max(tally, self.tallies.get(place, tally))
            case lane, [cursor, following]:
                self.steps.setdefault((lane, cursor), set()).add(following)


def proof(facts: Iterable[str], channel: str, *, replies: bool = True, thread: str = "") -> Proof | None:
    """What the facts of one attempt prove of a channel; None where they do not prove its window yet.

    `replies` tells whether the lanes of the parents were asked for, too; `thread` is the only lane that was.
    """
    read = _Read()
    for fact in facts:
        owner, what, *rest = fact.split("|")
        if owner == channel:
            read.take(what, rest)
    lanes = [thread] if thread else [HISTORY, *(read.parents if replies else ())]
    reached = {lane: chain for lane in lanes if (chain := _chain(read.steps, lane)) is not None}
    missing = read.missing.intersection(lanes).difference(reached)
    if len(reached) + len(missing) < len(lanes):
        return None
    if missing and not thread:
        read.flaws.add("missing")  # its parent was shown a moment before: one of the two answers is not the truth
    days: dict[int, Tally] = {}
    shown: dict[str, Tally] = {lane: Tally() for lane in lanes if lane != HISTORY}
    for (lane, cursor, day), tally in read.tallies.items():
        if cursor not in reached.get(lane, ()):
            continue
        if lane == HISTORY:
            days[day] = days.get(day, Tally()).plus(tally)
        else:
            shown[lane] = shown[lane].plus(tally)
    pages = len(missing) + sum(map(len, reached.values()))
    return Proof(pages, days, read.threads, shown, frozenset(read.flaws), frozenset(missing))


def covered(facts: Iterable[str], channel: str) -> bool:
    """Whether the facts of one attempt prove this channel's window."""
    return proof(facts, channel) is not None


def _chain(steps: Mapping[tuple[str, str], set[str]], lane: str) -> set[str] | None:
    """The cursors on the way from the first page of a lane to its end; None where the end is not reached."""
    reached, edge, ended = {_short("")}, [_short("")], False
    while edge:
        following = steps.get((lane, edge.pop()), set()) - reached
        ended = ended or END in following
        following.discard(END)
        reached |= following
        edge += following
    return reached if ended else None


def _short(cursor: str) -> str:
    """Cursors can be long and there are many: 64 bits tell one attempt's pages of a lane apart."""
    return blake2b(cursor.encode(errors="surrogatepass"), digest_size=8).hexdigest()

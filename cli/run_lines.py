"""Runs as lines for a person: what was asked for, how it stands, what it waits for. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from cli.moments import minute, span, window
from pipeline.rules.rereading import bounds
from pipeline.rules.versions import ts_us
from pipeline.store.held_sweeps import Missing
from pipeline.store.progress import LIMITED
from pipeline.store.runs import Run
from pipeline.store.runs_shown import Row, Shown

_WINDOW: Final = len("2026-11-22 09:30 to 2026-11-23 09:30")
_KINDS: Final = {"live": "new", "back": "older", "reread": "again", "thread": "thread"}
STUCK: Final = ("given up", "blocked", "not taken", "overdue")
"""The words for a run that does not go on, the worst first."""
_COLOURS: Final = {**dict.fromkeys(STUCK, "red"), "held": "yellow", "missed": "yellow", "covered": "green"}


class Entry(NamedTuple):
    """A run as lines, and the colour of the first line's first word; "" for none."""

    lines: list[str]
    word: str
    colour: str


def counted(number: int, noun: str) -> str:
    """`1 page`, `2 pages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def word(found: Run) -> str:
    """How a run stands. `overdue`: asked for again, and nothing has come of that; `not taken`: the trigger failed."""
    if found.state == "requested" and found.progress_at is None:
        if found.reason:
            return "not taken"
        if found.tries > 1:
            return "overdue"
    return str(found.public()["state"]).replace("_", " ")


def summary(found: Shown) -> str:
    """How many are open, how many of these Paragon is working at, what waits for a person."""
    held = (
        f" {counted(found.held, 'reading')} held for an operator: `./sluice pulls --release RUN`." if found.held else ""
    )
    if not found.open:
        return f"Nothing is open.{held}"
    return f"{counted(found.open, 'window')} open: {found.out} at Paragon, {found.open - found.out} waiting.{held}"


def listing(found: Shown, *, named: bool) -> list[Entry]:
    """Each run; `named`: of one connection, which is not repeated."""
    return [_entry(row, found.at, named=named) for row in found.rows]


def missing(found: Run, lacking: Sequence[Missing] | None) -> list[str]:
    """What a sweep that waits for an operator would take away."""
    if lacking is None:
        return [
            "What this reading showed is not kept any more: nothing would go. It is read again in the coming nights."
        ]
    days = (f"  {one.channel}  {_of(one, found)}: {one.known} were known, {one.seen} were seen" for one in lacking)
    return [f"Gone from the mesh would be what this reading of {minute(found.requested_at)} did not show:", *days]


def _of(one: Missing, found: Run) -> str:
    if one.day is None:
        return f"thread of {minute(ts_us(found.thread_ts))}"
    return minute(bounds(one.day)[1])[:10]


def _entry(row: Row, now: int, *, named: bool) -> Entry:
    found, state = row.run, word(row.run)
    first = f"{state:<9}  {_KINDS[found.kind]:<6}  {_asked(found):<{_WINDOW}}  {_channels(found.channels)}"
    connection = "" if named else f"{found.connection}  "
    dead = f", {counted(found.dead, 'dead letter')}" if found.dead else ""
    again = f", attempt {found.attempt}" if found.attempt > 1 else ""
    facts = f"{counted(found.pages, 'page')}{dead}{again}, {span(now - found.requested_at)} ago"
    return Entry([first, f"  {found.id}  {connection}{facts}{_next(row, now)}"], state, _COLOURS.get(state, ""))


def _asked(found: Run) -> str:
    if found.thread_ts:
        return f"begun {minute(ts_us(found.thread_ts))}"
    return window(found.oldest, found.latest)


def _channels(channels: Sequence[str]) -> str:
    return channels[0] + (f" and {len(channels) - 1} more" if len(channels) > 1 else "")


def _next(row: Row, now: int) -> str:
    """What an open run waits for: an answer, a place, the end of what is in its way. Of one that has ended, a flaw."""
    if row.due is None:
        return "; Slack's plan hides some" if row.run.reason == LIMITED else ""
    why = f"; {row.run.reason}" if row.run.reason else ""
    when = f"in {span(row.due - now)}" if row.due > now else "now"
    if row.out:
        return f"{why}; at Paragon, asked again {when}"
    return f"{why}; {'asked' if row.run.attempt == 0 else 'asked again'} {when}"

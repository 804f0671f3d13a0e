"""`./sluice pull`: ask now for what is new, or have what is covered read again from a day on; and follow it.

At the store (`cli.books` says why): the plan is written there, and the workers of the deployment do the rest.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cli.books import BY, Books, Stop, told
from cli.exits import Exit
from cli.following import Following
from cli.moments import minute, moment
from cli.obstacles import obstacle
from cli.run_lines import counted
from cli.runfile import STATE_DIR
from cli.screen import say
from pipeline.connection import split_connection
from pipeline.rules.identity import SAYS
from pipeline.rules.windows import SETTLING_US
from pipeline.store.connections import Registration
from pipeline.store.progress import Channel
from settings import SettingsError

ALL: Final = "all"
_DIRECT: Final = "Direct messages are not read here (SLUICE_ALLOW_DIRECT_MESSAGES)."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of whom, which channels, from when on, and whether to wait for it."""
    parser.add_argument("connection", metavar="CONNECTION", help="<user>/<org>")
    parser.add_argument(
        "--since", type=_since, metavar="WHEN",
        help=f"read again whole, every thread included, what is covered from then on: ISO 8601, a Slack ts or `{ALL}`",
    )  # fmt: skip
    parser.add_argument("--channel", action="append", metavar="ID", help="this one alone; may be said again")
    parser.add_argument(
        "--wait", action=argparse.BooleanOptionalAction, default=True, help="follow it until it is done (the default)"
    )
    parser.add_argument("--json", action="store_true", help="at the end: done, channels, waiting, runs")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def _since(text: str) -> int:
    """A moment in microseconds; 0 for all of it."""
    return 0 if text == ALL else moment(text)


def run(args: argparse.Namespace) -> int:
    """0 when it is covered, or asked for without waiting; 1 where it cannot be; 2 for a wrong name; 130 for Ctrl-C."""
    if args.since is not None and args.since > time.time() * 1e6:
        raise SettingsError("--since lies in the future.")
    return told(args, _pull)


def _pull(books: Books, args: argparse.Namespace) -> int:
    known = books.registered(args.connection)
    if hindered := obstacle(books, known):
        raise Stop(hindered)
    channels = _channels(books, known, args.channel)
    asked = _new(books, known, channels) if args.since is None else _again(books, known, channels, args.since)
    status = _followed(asked) if args.wait else Exit.DONE
    if status is Exit.INTERRUPTED or not args.wait:
        say(f"It goes on without this command: `./sluice pulls {known.connection} --watch` shows it.")
    elif not args.json:
        print(asked.result())
    if args.json:
        print(json.dumps(asked.public(), indent=1))
    return status


def _followed(asked: Following) -> Exit:
    try:
        asked.to_its_end()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.DONE


def _channels(books: Books, known: Registration, wanted: Sequence[str] | None) -> list[str]:
    """The channels to ask for. Raises `Stop` where one is not on the connection's list, or is kept back."""
    own = books.allowlists.own(known.connection, known.team)
    if not own:
        raise Stop(f"{known.connection} allows no channel: an admin picks some first (PUT allowlist of the API).")
    if strange := sorted(set(wanted or ()).difference(own)):
        raise Stop(f"Not on the list of {known.connection}: {', '.join(strange)}.", Exit.USAGE)
    pullable = books.allowlists.pullable(known.connection, known.team)
    kept_back = sorted(set(wanted or own).difference(pullable))
    if kept_back and (wanted or not pullable):
        raise Stop(_why_kept_back(books, known, kept_back))
    return [channel for channel in pullable if wanted is None or channel in wanted]


def _why_kept_back(books: Books, known: Registration, channels: Sequence[str]) -> str:
    pauses = books.channel_pauses.of(split_connection(known.connection)[1], known.team)
    said = [(name, [SAYS[pause.reason] for pause in pauses.get(name, [])]) for name in channels]
    return " ".join(f"{name} is kept back. {' '.join(reasons) or _DIRECT}" for name, reasons in said)


def _new(books: Books, known: Registration, channels: list[str]) -> Following:
    """Ask for what came since each head. What is older goes on by itself, and is not waited for."""
    at = books.now()
    made = books.ledger.plan(known.connection, known.team or "", channels, at, books.regime(known))
    asked, until = [found for name in made if (found := books.ledger.get(name))], dict[str, int]()
    for one in books.ledger.channels.read(known.connection, channels):
        if found := books.ledger.get(one.fields.get("run", "")):
            until[one.name] = at - SETTLING_US if found.id in made else found.latest
    older = sum(found.kind != "live" for found in asked)
    more = f", and for {counted(older, 'window')} of the past, not waited for" if older else ""
    say(f"Asked for what is new of {len(until)} of {counted(len(channels), 'channel')}{more}.")

    def waits(one: Channel) -> bool:
        return one.name in until and (one.covered is None or one.covered.head < until[one.name])

    done = f"Covered until {minute(at - SETTLING_US)}"
    return Following(books, known, sorted(until), "live", waits, at, max(until.values(), default=at), done)


def _again(books: Books, known: Registration, channels: list[str], since: int) -> Following:
    """Have what is covered read again whole, newest first, in slices."""
    at, begin = books.now(), minute(since) if since else "the beginning"
    done = books.ledger.rereads.again(known.connection, channels, since, by=BY)
    if not done:
        first = f"the first reading comes first (`./sluice coverage {known.connection}`)"
        raise Stop(f"Nothing is covered from {begin} on: {first}.")
    say(f"To be read again from {begin} on, newest first: {len(done)} of {counted(len(channels), 'channel')}.")

    def waits(one: Channel) -> bool:
        return one.deep is not None

    return Following(books, known, done, "reread", waits, at, at, f"Read again from {begin} on")

"""`./sluice pulls`: the newest runs, those that are open first; and the release of a sweep that waits for an operator.

At the store (`cli.books` says why).
"""

import argparse
import json
import time
from pathlib import Path
from typing import Final

from cli.books import BY, Books, Stop, told
from cli.exits import Exit
from cli.moments import minute
from cli.run_lines import Entry, listing, missing, summary
from cli.runfile import STATE_DIR
from cli.screen import Screen
from pipeline.errors import Unavailable
from pipeline.store.held_sweeps import HeldSweeps
from pipeline.store.runs_shown import Shown, shown
from settings import SettingsError

_LIMIT: Final = 10
_EVERY_SECONDS: Final = 1.0
_NOTHING: Final = (
    "Nothing was asked for yet: `./sluice pull CONNECTION` asks, and a plan does once channels are allowed."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of whom, how many, once or again and again; or the run whose sweep is released."""
    parser.add_argument("connection", nargs="?", metavar="CONNECTION", help="<user>/<org>; without, of all")
    parser.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    parser.add_argument("--limit", type=int, default=_LIMIT, metavar="N", help=f"runs ({_LIMIT})")
    parser.add_argument("--json", action="store_true", help="open, out, held, runs; with --watch an object a line")
    parser.add_argument(
        "--release", metavar="RUN", help="show what the sweep of this run would take away; --yes does it"
    )
    parser.add_argument("--yes", action="store_true", help="of --release: do it")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 when it is shown, or released; 1 if the store is away or nothing of that run waits; 2 for a wrong usage."""
    if args.limit < 1:
        raise SettingsError("--limit is a number of runs, 1 at least.")
    if args.yes and not args.release:
        raise SettingsError("--yes belongs to --release RUN.")
    if args.release and (args.connection or args.watch or args.json):
        raise SettingsError("--release RUN stands alone; a run knows its connection.")
    return told(args, _release if args.release else _show)


def _show(books: Books, args: argparse.Namespace) -> int:
    if args.connection:
        books.registered(args.connection)
    found, screen = _found(books, args), Screen()
    if not args.watch:
        print(json.dumps(found.public(), indent=1) if args.json else "\n".join(_page(found, args, screen)))
        return Exit.DONE
    try:
        _watch(books, args, screen)
    except KeyboardInterrupt:  # how a watch ends
        screen.leave()
    return Exit.DONE


def _watch(books: Books, args: argparse.Namespace, screen: Screen) -> None:
    """On a terminal the page, written over; else a line, or an object of JSON, whenever something has changed."""
    before = ""
    while True:
        try:
            found = _found(books, args)
            said = json.dumps(found.public()) if args.json else summary(found)
            page = _page(found, args, screen)
        except Unavailable as outage:  # a watch outlives a restart of the store
            found, said = None, json.dumps({"error": str(outage)}) if args.json else f"{outage}; trying again."
            page = screen.wrapped(said)
        if screen.terminal and not args.json:
            screen.over(page)
        elif said != before:
            at = "" if args.json else f"{minute(found.at)}  " if found else ""
            print(f"{at}{said}", flush=True)
            before = said
        time.sleep(_EVERY_SECONDS)


def _found(books: Books, args: argparse.Namespace) -> Shown:
    return shown(books.client, books.shards, books.ledger.runs, args.connection, args.limit)


def _page(found: Shown, args: argparse.Namespace, screen: Screen) -> list[str]:
    """The summary, then the runs; of a watch, as many as are wholly seen."""
    if not found.rows:
        return screen.wrapped(_NOTHING)
    made = [*screen.wrapped(summary(found)), ""]
    for one in listing(found, named=args.connection is not None):
        lines = _lines(one, screen)
        if args.watch and screen.terminal and len(made) + len(lines) > screen.rows:
            break
        made += lines
    return made


def _lines(one: Entry, screen: Screen) -> list[str]:
    first, *rest = [part for line in one.lines for part in screen.wrapped(line)]
    return [screen.coloured(one.word, one.colour) + first[len(one.word) :], *rest]


def _release(books: Books, args: argparse.Namespace) -> int:
    found = books.ledger.get(args.release)
    if found is None or found.state != "held":
        raise Stop(f"No sweep of {args.release} waits: `./sluice pulls` lists those that do as `held`.")
    print("\n".join(missing(found, HeldSweeps(books.client, books.shards, books.ledger.channels).missing(found))))
    if not args.yes:
        print("Nothing was changed; --yes does it. A later reading of the same takes its place.")
        return Exit.DONE
    if not books.ledger.rereads.release(found.id, by=BY):
        raise Stop("Another reading or somebody else was faster: nothing was changed.")
    print("Released: the retractions are on their way to the mesh.")
    return Exit.DONE

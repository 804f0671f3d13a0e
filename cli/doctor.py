"""`./sluice doctor`: looks at everything that a start needs, and says of each what is wrong and what to do."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from cli import checkup, checkup_events, checkup_paragon, checkup_servers
from cli.checkup import Line
from cli.exits import Exit
from cli.proxy import only_connection, paragon_client
from cli.runfile import STATE_DIR
from cli.running import settings_for
from pipeline.connection import split_connection
from pipeline.errors import Rejected
from settings import Settings, SettingsError, variables

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Without `--paragon` nothing is asked of Paragon but whether its hosts answer."""
    parser.add_argument(
        "--paragon", action="store_true", help="also: token, sdk/me, one small window through a workflow"
    )
    parser.add_argument("--connection", metavar="USER/ORG", help="for --paragon (default: the only one there is)")
    parser.add_argument("--channel", metavar="C…", help="an allowed channel to ask for (default: the first)")
    parser.add_argument("--hours", type=float, default=24, metavar="N", help="how far the window reaches back (24)")
    parser.add_argument("--wait", type=float, default=60, metavar="SECONDS", help="for the callbacks (60)")
    parser.add_argument("--json", action="store_true", help="one JSON object: ok, lines")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 where nothing failed; warnings are no failure."""
    lines = []
    for line in look(args):
        lines.append(line)
        if not args.json:
            print(shown(line), flush=True)
    ok = all(line.level != "fail" for line in lines)
    if args.json:
        print(json.dumps({"ok": ok, "lines": [line._asdict() for line in lines]}, indent=1))
    else:
        levels = [line.level for line in lines]
        print(f"\n{levels.count('fail')} failed, {levels.count('warn')} warnings")
    return Exit.DONE if ok else Exit.FAILED


def look(args: argparse.Namespace) -> Iterator[Line]:
    """Every line, as it is found out."""
    yield from checkup.versions()
    try:
        yield from checkup.servers(variables())
        settings = settings_for(args.state.resolve(), paragon=args.paragon)
    except SettingsError as error:
        yield Line("settings", "fail", str(error), "op.env.example says what each is for.")
        return
    yield from checkup.redacted(settings)
    yield from checkup.signing_key(settings)
    yield from checkup_servers.store(settings)
    yield from checkup_servers.broker(settings)
    yield from checkup_servers.hosts(settings)
    yield from checkup_events.events(settings)
    if args.paragon:
        yield from _paragon(settings, args)


def _paragon(settings: Settings, args: argparse.Namespace) -> Iterator[Line]:
    try:
        connection = args.connection or only_connection(settings)
        split_connection(connection)
        with paragon_client(settings) as client:
            yield from checkup_paragon.paragon(
                settings, client, connection, channel=args.channel, hours=args.hours, wait=args.wait
            )
    except (SettingsError, Rejected) as error:
        yield Line("connection", "fail", str(error), "Name one with --connection USER/ORG.")


def shown(line: Line) -> str:
    """For people: `ok   store   …`, and below what to do."""
    says = line.says.replace("\n", "\n" + " " * 24)
    do = f"\n{'':<7}→ {line.do}" if line.do else ""
    return f"{_MARKS[line.level]}  {line.name:<16}  {says}{do}"

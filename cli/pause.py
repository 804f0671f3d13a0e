"""`./sluice pause` and `./sluice resume`: hold back delivery and pulls, and let them go on. Intake goes on."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cli.exits import Exit
from cli.runfile import STATE_DIR
from cli.running import settings_for
from pipeline.errors import Rejected, SluiceError
from pipeline.store.client import connect
from pipeline.store.keys import Shards
from pipeline.store.pauses import ALL, Pauses
from settings import SettingsError

_BY = "cli"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom; without, pauses are listed."""
    parser.add_argument("scope", nargs="?", metavar="SCOPE", help=f"{ALL}, org:<id> or <user>/<org>; none lists")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 when it is paused, 1 if the store is away, 2 for what is no scope."""
    return told(args, _pause)


def told(args: argparse.Namespace, change: Callable[[Pauses, str], str]) -> int:
    """Make a change at the store of these settings, and say in a line what it did."""
    settings = settings_for(args.state.resolve())
    if not settings.store_url:
        raise SettingsError("There is no store: start `./sluice up`, or set SLUICE_STORE_URL (op.env.example).")
    client = connect(settings.store_url)
    try:
        pauses = Pauses(client, Shards(settings.shards))
        print(change(pauses, args.scope) if args.scope else listing(pauses))
    except SluiceError as error:
        said = f"{args.scope} is no scope: {ALL}, org:<id> or <user>/<org>" if isinstance(error, Rejected) else error
        print(f"sluice: {said}", file=sys.stderr)
        return Exit.USAGE if isinstance(error, Rejected) else Exit.FAILED
    finally:
        client.close()
    return Exit.DONE


def listing(pauses: Pauses) -> str:
    """What is paused, a line each."""
    rows = [f"  {scope}  since {_date(since)}" for scope, since in pauses.listing().items()]
    return "\n".join(["Paused:", *rows]) if rows else "Nothing is paused."


def _date(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at / 1e6))


def _pause(pauses: Pauses, scope: str) -> str:
    held = pauses.pause(scope, by=_BY)
    return f"{scope} is paused: {held} connections. Callbacks are kept; `./sluice resume {scope}` delivers them."

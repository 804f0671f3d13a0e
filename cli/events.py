"""`./sluice events`: what the core service is told, what could not be, and whether it arrives at all."""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from cli.exits import Exit
from cli.runfile import STATE_DIR
from cli.running import settings_for
from pipeline.errors import SluiceError
from pipeline.store import events_shown, hold
from pipeline.store.client import clock, connect
from pipeline.store.dead_events import DeadEvents
from pipeline.store.keys import Shards
from pipeline.store.outbox import Outbox
from settings import Settings, SettingsError

BY: Final = "cli"
ALL: Final = "all"
_MOST: Final = 20
_ONE: Final = ("resend", "drop")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do; without, what waits is listed."""
    parser.add_argument(
        "what", nargs="?", default="list", choices=["list", "dead", *_ONE, "enable", "test"],
        help="list what waits or is dead; resend or drop a dead one; try the address again now; send a ping",
    )  # fmt: skip
    parser.add_argument("event", nargs="?", metavar="ID", help=f"of resend and drop: an event, or {ALL} that are dead")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="N", help="of test: how long to wait for it")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 when it is done; 1 if the store is away, an id is unknown, or a ping was not taken; 2 for a wrong usage."""
    settings = settings_for(args.state.resolve())
    if not settings.store_url:
        raise SettingsError("There is no store: start `./sluice up`, or set SLUICE_STORE_URL (op.env.example).")
    if (args.what in _ONE) != bool(args.event):
        raise SettingsError(f"`resend` and `drop` want an event's id, or `{ALL}`, and nothing else does.")
    client = connect(settings.store_url)
    try:
        return _Desk(settings, client).do(args)
    except SluiceError as error:
        print(f"sluice: {error}", file=sys.stderr)
        return Exit.FAILED
    finally:
        client.close()


@dataclass
class _Desk:
    """The events of one store, as an operator handles them."""

    settings: Settings
    client: redis.Redis

    def __post_init__(self) -> None:
        self.shards = Shards(self.settings.shards)
        self.outbox = Outbox(self.client, self.shards, self.settings.events_url)
        self.dead = DeadEvents(self.client, self.shards)

    def do(self, args: argparse.Namespace) -> int:
        match args.what:
            case "resend":
                return self._each(args.event, self.dead.resend, "sent again")
            case "drop":
                return self._each(args.event, self.dead.drop, "dropped")
            case "test":
                return self._test(args.seconds)
            case "enable":
                self.outbox.enable(by=BY)
        print(self._listing(dead=args.what == "dead"))
        return Exit.DONE

    def _each(self, event: str, change: Callable[..., bool], done: str) -> int:
        names = self.dead.names() if event == ALL else [event]
        changed = sum(change(name, by=BY) for name in names)
        if event != ALL and not changed:
            print(f"sluice: {event} is no dead event; `./sluice events dead` lists them.", file=sys.stderr)
            return Exit.FAILED
        print(f"{changed} {done}.")
        return Exit.DONE

    def _listing(self, *, dead: bool) -> str:
        found = events_shown.counts(self.client, self.shards, clock(self.client))
        age = f", the oldest for {found.oldest_age:.0f} s" if found.oldest_age is not None else ""
        rows = events_shown.listing(self.client, self.shards, None, _MOST, dead=dead)
        shown = [_row(row) for row in rows]
        more = (found.dead if dead else found.waiting) - len(rows)
        shown += [f"  and {more} more"] if more > 0 else []
        return "\n".join([self._address(), f"{found.waiting} wait{age}; {found.dead} are dead.", *shown])

    def _address(self) -> str:
        state, now = self.outbox.state(), clock(self.client)
        if state is None:
            return "SLUICE_EVENTS_URL is not set: no events are written."
        if hold.found(self.client):
            return "The store came out of a backup and is held: no event is sent before `./sluice restore --confirm`."
        match state.word(now):
            case "disabled":
                return f"The core service wants no events ({state.reason}); `./sluice events enable` tries it again."
            case "parked":
                wait = (state.until - now) / 1e6
                return (
                    f"The core service fails ({state.reason}, {state.failures} in a row): tried again in {wait:.0f} s."
                )
        return "The core service takes events."

    def _test(self, seconds: float) -> int:
        """A ping, and what became of it. It is sent by the workers, as everything else."""
        ping, until = self.outbox.ping(), time.monotonic() + seconds
        if ping is None:
            raise SettingsError("SLUICE_EVENTS_URL is not set: there is nobody to tell.")
        while (found := self.outbox.tries(ping)) and not found[0] and time.monotonic() < until:
            time.sleep(0.1)
        if found is None:
            print(f"The core service took {ping}.")
            return Exit.DONE
        tries, reason = found
        waits = f"{self._address()} It waits as {ping}; only running workers send."
        print(f"sluice: {f'not taken ({reason})' if tries else 'not sent yet'}. {waits}", file=sys.stderr)
        return Exit.FAILED


def _row(row: dict[str, Any]) -> str:
    tried = f", tried {row['tries']} times ({row['reason']})" if row["tries"] else ""
    since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(row["since"] / 1e6))
    return f"  {row['id']}  {row['type']}  {row['connection'] or '-'}  since {since}{tried}"

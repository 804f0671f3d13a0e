"""`./sluice pause` and `./sluice resume`: hold back delivery and pulls, and let them go on. Intake goes on."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import redis

from cli.exits import Exit
from cli.runfile import STATE_DIR
from cli.running import settings_for
from pipeline.errors import Rejected, SluiceError
from pipeline.rules.identity import SAYS
from pipeline.store import channel_pauses
from pipeline.store.channel_answers import CannotResumeError, ChannelAnswers
from pipeline.store.client import connect
from pipeline.store.keys import Shards
from pipeline.store.pauses import ALL, Pauses
from pipeline.store.vault import Vault
from settings import Settings, SettingsError

BY = "cli"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom; without, pauses are listed."""
    parser.add_argument("scope", nargs="?", metavar="SCOPE", help=f"{ALL}, org:<id> or <user>/<org>; none lists")
    parser.add_argument("--channel", metavar="ID", help="of a connection's list, this channel alone")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 when it is paused, 1 if the store is away, 2 for what is no scope, or no channel of its list."""
    return told(args, _pause, _pause_channel)


def told(
    args: argparse.Namespace,
    change: Callable[[Pauses, str], str],
    change_channel: Callable[[ChannelAnswers, str, str], str],
) -> int:
    """Make a change at the store of these settings, and say in a line what it did."""
    settings = settings_for(args.state.resolve())
    if not settings.store_url:
        raise SettingsError("There is no store: start `./sluice up`, or set SLUICE_STORE_URL (op.env.example).")
    if args.channel and not args.scope:
        raise SettingsError("--channel wants the connection that reads it: <user>/<org>.")
    client = connect(settings.store_url)
    try:
        if args.channel:
            print(change_channel(_answers(client, settings), args.scope, args.channel))
        else:
            pauses = Pauses(client, Shards(settings.shards))
            print(change(pauses, args.scope) if args.scope else _listed(client, settings))
    except CannotResumeError as refused:
        print(f"sluice: {_refusal(refused)}", file=sys.stderr)
        return Exit.FAILED
    except SluiceError as error:
        print(f"sluice: {_wrong(error, args)}", file=sys.stderr)
        return Exit.USAGE if isinstance(error, Rejected) else Exit.FAILED
    finally:
        client.close()
    return Exit.DONE


def _answers(client: redis.Redis, settings: Settings) -> ChannelAnswers:
    if not settings.vault_keys:
        raise SettingsError("SLUICE_VAULT_KEYS is not set: a channel's record is sealed with it.")
    return ChannelAnswers(client, Shards(settings.shards), Vault(settings.vault_keys))


def _refusal(refused: CannotResumeError) -> str:
    new_id = f" It is {refused.pause.new_id}." if refused.pause.new_id else ""
    return f"{refused.pause.channel} cannot be resumed. {SAYS[refused.pause.reason]}{new_id}"


def _wrong(error: SluiceError, args: argparse.Namespace) -> str:
    if not isinstance(error, Rejected):
        return str(error)
    if args.channel:
        return f"{args.channel} of {args.scope}: {error.reason}; a registered <user>/<org> and a channel of its list"
    return f"{args.scope} is no scope: {ALL}, org:<id> or <user>/<org>"


def _listed(client: redis.Redis, settings: Settings) -> str:
    """What is paused, a line each."""
    shards = Shards(settings.shards)
    rows = [f"  {scope}  since {_date(since)}" for scope, since in Pauses(client, shards).listing().items()]
    for pause in channel_pauses.listing(client, shards):
        new_id = f", now {pause.new_id}" if pause.new_id else ""
        rows.append(f"  {pause.org} {pause.team} {pause.channel} ({pause.reason}{new_id})  since {_date(pause.at)}")
    return "\n".join(["Paused:", *rows]) if rows else "Nothing is paused."


def _date(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at / 1e6))


def _pause(pauses: Pauses, scope: str) -> str:
    held = pauses.pause(scope, by=BY)
    return f"{scope} is paused: {held} connections. Callbacks are kept; `./sluice resume {scope}` delivers them."


def _pause_channel(answers: ChannelAnswers, connection: str, channel: str) -> str:
    made = answers.pause(connection, channel, by=BY)
    resume = f"`./sluice resume {connection} --channel {channel}` reads it again."
    return f"{channel} is paused{'' if made else ' already'} for the whole organisation; {resume}"

"""`./sluice preview FILE`: what the pipeline would deliver of a piece of Slack's JSON. No server, nothing is kept."""

import argparse
import os
import sys
from contextlib import suppress
from typing import Final

from cli.exits import Exit
from cli.preview_directory import read_directory
from cli.preview_frames import Damaged
from cli.preview_items import Item, Items
from cli.preview_mapping import Gate
from cli.preview_source import BadInput, Opened
from cli.preview_told import Progress, Tally, as_json, as_table
from pipeline.payload import LISTS
from pipeline.slack.characters import id_or_none

TEAM: Final = "T0PREVIEW"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Records go to stdout, everything else to stderr."""
    parser.add_argument("file", metavar="FILE", help="a response, a list, lines, a callback's body, an export's day; -")
    parser.add_argument("--kind", choices=tuple(LISTS), required=True, help="what the records are")
    parser.add_argument("--channel", type=_id, metavar="C…", help="the channel of the messages")
    parser.add_argument("--allow", action="append", default=[], metavar="C…|*", help="an allowed channel, or all: '*'")
    parser.add_argument("--directory", action="append", default=[], metavar="FILE", help="users or channels, for names")
    parser.add_argument("--direct-messages", action="store_true", help="as SLUICE_ALLOW_DIRECT_MESSAGES=true")
    parser.add_argument("--team", type=_id, default=TEAM, metavar="T…", help=f"the team in the ids (default {TEAM})")
    parser.add_argument("--json", action="store_true", help="the report on stderr as one JSON object")


def run(args: argparse.Namespace) -> int:
    """0 if every record was understood, 3 if some were quarantined, 5 if the input is damaged or something else."""
    items, tally = Items(args.kind, wants_channel=not args.channel), Tally()
    gate = Gate(args.kind, args.team, args.channel or "", direct_messages=args.direct_messages)
    try:
        says = _through(args, items, gate, tally)
    except BadInput as error:
        says = f"sluice: {error}"
    except BrokenPipeError:
        _let_go()
        return Exit.DONE
    told = as_json if args.json else as_table
    print(told(items, gate, tally, says), file=sys.stderr)
    if says or items.damaged:
        return Exit.BAD_INPUT
    return Exit.QUARANTINED if tally.of("quarantined") else Exit.DONE


def _through(args: argparse.Namespace, items: Items, gate: Gate, tally: Tally) -> str:
    """Read, map and write everything; the sentence of what is wrong with the input as a whole."""
    named = frozenset(one.strip() for part in args.allow for one in part.split(",") if one.strip())
    gate.allow, gate.everything = named - {"*"}, "*" in named
    gate.directory = read_directory(args.directory, args.team)
    with Opened(args.file) as opened:
        progress = Progress(opened.size)
        try:
            for item in items.of(opened):
                if not _one(item, gate, items, tally):
                    break
                progress.show(items)
        finally:
            progress.end()
        sys.stdout.buffer.flush()
        return _judged(opened.name, items, tally)


def _one(item: Item, gate: Gate, items: Items, tally: Tally) -> bool:
    """Whether reading can go on after this record: what is no JSON ends everything but a line."""
    try:
        outcome = gate.pass_on(item)
    except Damaged as damage:
        items.note(damage.at, damage.says)
        return item.line > 0
    tally.add(item, outcome)
    if outcome.record is not None:
        sys.stdout.buffer.write(outcome.record.model_dump_json().encode() + b"\n")
    return True


def _judged(name: str, items: Items, tally: Tally) -> str:
    if items.hurt:
        where = items.hurt[0]
        rest = "All other lines were read" if where.line else "What came before was read"
        return f"sluice: {name} is damaged at byte {where.at}: {where.says}. {rest}."
    if not (items.read or items.pages or items.gaps):
        return f"sluice: {name} holds no records."
    if items.read and tally.strangers == items.read:
        return f"sluice: nothing in {name} is one of Slack's {items.kind}: is it of another --kind?"
    if items.late_channel:
        return (
            "sluice: the page names its channel only after the messages: give a file instead of a pipe, or --channel."
        )
    return ""


def _let_go() -> None:
    """Whoever read our output has enough: nothing more is written, not at the interpreter's end either."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _id(text: str) -> str:
    if id_or_none(text) is None:
        raise argparse.ArgumentTypeError("must be an id as Slack writes them")
    return text

"""`./sluice <command>`: lists the commands, or runs one.

A command is a module with `add_arguments(parser)` and `run(args) -> int`, imported only when it is asked for.
"""

import argparse
import os
import sys
from importlib import import_module
from typing import NamedTuple

from cli.exits import Exit
from settings import SettingsError


class Command(NamedTuple):
    """One line of the list, and where the command lives."""

    summary: str
    example: str
    module: str


COMMANDS = {
    "up": Command("start everything here and play the story once", "./sluice up --detach", "cli.up"),
    "down": Command("stop what `up` started", "./sluice down", "cli.down"),
    "status": Command("what runs, where, and what waits", "./sluice status --json", "cli.status"),
    "mesh": Command("what the mesh keeps of what Sluice relies on", "./sluice mesh check", "cli.mesh"),
    "coverage": Command("what is covered of each channel, drawn", "./sluice coverage USER/ORG", "cli.coverage"),
    "pull": Command("ask now for what is new, or read again", "./sluice pull USER/ORG --since 2026-11-01", "cli.pull"),
    "pulls": Command("what was asked for, and what waits", "./sluice pulls --watch", "cli.pulls"),
    "doctor": Command("what is wrong here, or with Paragon, and what to do", "./sluice doctor --paragon", "cli.doctor"),
    "proxy": Command("call Slack with a connection's credential", "./sluice proxy GET auth.test", "cli.proxy"),
    "adopt": Command("take over a list that Paragon's metadata holds", "./sluice adopt USER/ORG --yes", "cli.adopt"),
    "workflow": Command(
        "hold a real workflow's callback against the contract", "./sluice workflow check page.json", "cli.workflow"
    ),
    "preview": Command(
        "what would be delivered of a piece of Slack's JSON", "./sluice preview --kind users FILE", "cli.preview"
    ),
    "backup": Command("a snapshot of the embedded store", "./sluice backup sluice-2026-11-23.rdb", "cli.backup"),
    "restore": Command("a backup put in place, held until confirmed", "./sluice restore FILE", "cli.restore"),
    "pause": Command("hold back delivery and pulls; intake goes on", "./sluice pause org:end10843", "cli.pause"),
    "resume": Command("end a pause", "./sluice resume org:end10843", "cli.resume"),
    "events": Command("what the core service is told, and what it did not take", "./sluice events test", "cli.events"),
    "demo": Command("one full pass on fresh state, counted by an outside ledger", "./sluice demo --json", "cli.demo"),
    "bench": Command("conditions side by side in one run, as ratios", "./sluice bench mesh --quick", "cli.bench"),
    "test": Command("every check: lint, format, types, imports, tests", "./sluice test", "cli.test"),
}


def main(argv: list[str]) -> int:
    """Run one command and answer its exit status."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(listing())
        return Exit.DONE
    name, *rest = argv
    if name not in COMMANDS:
        print(f"sluice: there is no command {name!r}; `./sluice` lists them.", file=sys.stderr)
        return Exit.USAGE
    return _run(name, rest)


def listing() -> str:
    """All commands on one screen of 24 rows and 80 columns, with a row for the prompt."""
    title = "Sluice takes customers' Slack in and delivers what is allowed to the mesh."
    rows = [f"  ./sluice {name:<10}{command.summary}" for name, command in COMMANDS.items()]
    return "\n".join([title, "", *rows, "`./sluice <command> --help` tells more, and what its exit status says."])


def _run(name: str, rest: list[str]) -> int:
    command = COMMANDS[name]
    module = import_module(command.module)
    about = f"{command.summary[0].upper()}{command.summary[1:]}."
    last = f"Example: {command.example}. Exit status: {Exit.__doc__}"
    parser = argparse.ArgumentParser(prog=f"sluice {name}", description=about, epilog=last)
    module.add_arguments(parser)
    try:
        return int(module.run(parser.parse_args(rest)))
    except SettingsError as error:
        print(f"sluice: {error}", file=sys.stderr)
        return Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED


def _to_its_end(argv: list[str]) -> int:
    """`main`, whose reader may leave early: `./sluice pulls | head` is no error of anybody's."""
    try:
        status = main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left to be written, at the latest when Python ends, goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.READER_LEFT
    return status


if __name__ == "__main__":
    sys.exit(_to_its_end(sys.argv[1:]))

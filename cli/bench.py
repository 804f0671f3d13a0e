"""`./sluice bench [SUBJECT]`: conditions side by side in one run; a person gets tables, a program JSON."""

import argparse
import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from bench import machine
from bench.result import Found, as_json, as_table
from cli.exits import Exit


class Subject(NamedTuple):
    """What is measured, and the module whose `measure(quick=…)` does it, imported only when it is asked for."""

    summary: str
    module: str


SUBJECTS = {
    "mesh": Subject("latency under the client, records/s of the reference mesh on one core", "bench.mesh"),
    "ledger": Subject("what a year of pulls of 1,000 channels leaves in the store", "bench.ledger"),
    "dispatch": Subject("finding what is due of 100,000 connections, beside one plain ZRANGEBYSCORE", "bench.dispatch"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All subjects unless some are named."""
    told = "; ".join(f"{name}: {subject.summary}" for name, subject in SUBJECTS.items())
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"only these: {told}")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a look, not a figure to quote")
    parser.add_argument("--json", action="store_true", help="machine, and for each subject its series, claims, notes")


def run(args: argparse.Namespace) -> int:
    """0 if every target was met, 1 if one was not."""
    if unknown := sorted(set(args.subjects) - set(SUBJECTS)):
        print(f"sluice bench: there is no subject {unknown[0]!r}; there are {', '.join(SUBJECTS)}.", file=sys.stderr)
        return Exit.USAGE
    about = machine.about()
    found = {name: _measured(name, quick=args.quick) for name in args.subjects or SUBJECTS}
    if args.json:
        figures = {name: as_json(one) for name, one in found.items()}
        print(json.dumps({"machine": about, "quick": args.quick, "subjects": figures}, indent=1))
    else:
        print("\n\n".join([", ".join(f"{word} {value}" for word, value in about.items()), *_tables(found)]))
    return Exit.DONE if all(claim.met for one in found.values() for claim in one.claims) else Exit.FAILED


def _measured(name: str, *, quick: bool) -> Found:
    print(f"sluice bench: measuring {name}; leave the machine alone meanwhile", file=sys.stderr, flush=True)
    measure: Callable[..., Found] = import_module(SUBJECTS[name].module).measure
    return measure(quick=quick)


def _tables(found: dict[str, Found]) -> list[str]:
    return [as_table(name, one) for name, one in found.items()]

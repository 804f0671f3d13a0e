"""`./sluice test`: every check, all of them run whatever the others say; one line each at the end."""

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.exits import Exit
from cli.programs import base_environment
from cli.spawn import ROOT

BIN = Path(sys.executable).parent
PYTHON = (sys.executable, "-m")

STEPS = {
    "lint": (*PYTHON, "ruff", "check", "."),
    "format": (*PYTHON, "ruff", "format", "--check", "."),
    "types": (*PYTHON, "mypy"),
    "imports": (str(BIN / "lint-imports"),),
    # Two at a time, a file each: most tests wait for processes and clocks, not for the processor.
    "tests": (*PYTHON, "pytest", "-n", "2", "--dist", "loadfile"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All steps unless some are named."""
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"only these: {', '.join(STEPS)}")


def run(args: argparse.Namespace) -> int:
    """1 if any step failed; none hides another."""
    if unknown := sorted(set(args.steps) - set(STEPS)):
        print(f"sluice test: there is no step {unknown[0]!r}; there are {', '.join(STEPS)}.", file=sys.stderr)
        return Exit.USAGE
    return Exit.DONE if run_all({name: STEPS[name] for name in args.steps or STEPS}) else Exit.FAILED


def run_all(steps: Mapping[str, Sequence[str]]) -> bool:
    """Run every step, print one line each, and tell whether all passed."""
    outcomes = [_run(name, command) for name, command in steps.items()]
    print("\n" + "\n".join(line for _, line in outcomes))
    return all(passed for passed, _ in outcomes)


def _run(name: str, command: Sequence[str]) -> tuple[bool, str]:
    print(f"── {name}", flush=True)
    begun = time.monotonic()
    # Without the user's settings: a check must not reach anybody's Paragon or store.
    passed = subprocess.run(command, cwd=ROOT, env=base_environment(), check=False).returncode == 0
    return passed, f"{'ok  ' if passed else 'FAIL'} {name:<8} {time.monotonic() - begun:6.1f} s"

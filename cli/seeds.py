"""`./sluice demo --faults … --seeds 1-50`: one pass a seed, one after the other, and how many kept what is promised."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from cli import faulty
from cli.exits import Exit
from cli.supervisor import StartFailed
from cli.walk import StalledError

_MOST: Final = 10_000


def numbers(text: str) -> list[int]:
    """`--seeds`: `1-50`, or `3,7,20-25`. What is none is a sentence of argparse's."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)) or len(first + last) > 2 * len(str(_MOST)):
            raise argparse.ArgumentTypeError("must be seeds from 0, as 1-50 or 3,7,20-25")
        found += range(int(first), int(last or first) + 1)
    if not 0 < len(found) <= _MOST:
        raise argparse.ArgumentTypeError(f"must be 1 to {_MOST} seeds, the first one first")
    return found


def play(seeds: Sequence[int], once: Callable[[int], faulty.Outcome], *, as_json: bool) -> Exit:
    """Each seed's outcome as a line, at once; 0 only if all kept what is promised."""
    begun, failed = time.monotonic(), []
    for number, seed in enumerate(seeds, 1):
        kept, line = _played(seed, once, as_json=as_json)
        failed += [] if kept else [seed]
        print(line if as_json else f"{number:>{len(str(len(seeds)))}}/{len(seeds)}  seed {seed}: {line}", flush=True)
    said = f"{len(seeds) - len(failed)} of {len(seeds)} seeds kept, in {time.monotonic() - begun:.0f} s"
    said += f"; not kept: {', '.join(map(str, failed))}" if failed else ""
    print(said, file=sys.stderr if as_json else sys.stdout, flush=True)
    return Exit.FAILED if failed else Exit.DONE


def _played(seed: int, once: Callable[[int], faulty.Outcome], *, as_json: bool) -> tuple[bool, str]:
    try:
        outcome = once(seed)
    except (StartFailed, StalledError) as error:
        return False, json.dumps({"kept": False, "seed": seed, "problems": [str(error)]}) if as_json else str(error)
    return outcome.kept, _object(seed, outcome) if as_json else _line(outcome)


def _object(seed: int, outcome: faulty.Outcome) -> str:
    return json.dumps({"seed": seed, **json.loads(faulty.as_json(outcome))})


def _line(outcome: faulty.Outcome) -> str:
    """What a person wants to know of a pass; of one that failed, everything."""
    said = f"{'kept' if outcome.kept else 'NOT kept'} in {outcome.seconds} s; {outcome.exact.messages} messages"
    said += f", {sum(outcome.struck.values())} strikes of {len(outcome.struck)} faults"
    wrong = [*outcome.exact.lines(), *outcome.problems]
    wrong += [f"{name}: {number}" for name, number in (("twice", outcome.twice), ("leaked", outcome.leaked)) if number]
    return "; ".join([said, *wrong, *([] if outcome.kept else [f"again: {outcome.again}"])])

"""`./sluice resume`: end a pause."""

import argparse

from cli import pause
from pipeline.store.pauses import Pauses

add_arguments = pause.add_arguments


def run(args: argparse.Namespace) -> int:
    """0 when it is not paused any more, 1 if the store is away, 2 for what is no scope."""
    return pause.told(args, _resume)


def _resume(pauses: Pauses, scope: str) -> str:
    freed = pauses.resume(scope, by="cli")
    if freed is None:
        return f"{scope} was not paused.\n{pause.listing(pauses)}"
    return f"{scope} goes on: {freed} connections."

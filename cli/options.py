"""What a stack can be told: how many workers, which ports, how the simulator is made."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from simulator.export import BadExport, check_export
from simulator.faults import UnknownFault, parse


@dataclass(frozen=True)
class SimulatorOptions:
    """The simulator's own options (`python -m simulator --help`); None leaves its default."""

    connections: int | None = None
    channels: int | None = None
    messages: int | None = None
    seed: int | None = None
    workspace: Path | None = None
    anchor: int | None = None
    time_scale: float | None = None
    retry_scale: float | None = None
    faults: str | None = None
    regime: str | None = None
    short_rate: float | None = None
    page_limit: int | None = None
    concurrency: int | None = None
    duplicate_rate: float | None = None
    stray: int | None = None
    self_start: bool | None = None

    def arguments(self) -> list[str]:
        """As a command line: `--seed 7 --retry-scale 0.1`."""
        given = {name.replace("_", "-"): value for name, value in vars(self).items() if value is not None}
        return [part for name, value in given.items() for part in _option(name, value)]


def _option(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, bool):
        return (f"--{name}" if value else f"--no-{name}",)
    return (f"--{name}", str(value))


def fault_names(text: str) -> str:
    """`--faults`: names with commas between them, or all. What is none is a sentence of argparse's."""
    try:
        return ",".join(parse(text))
    except UnknownFault as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def slack_export(text: str) -> Path:
    """`--workspace`: the folder or the zip of a Slack export. What is none is a sentence of argparse's."""
    path = Path(text).resolve()
    try:
        check_export(path)
    except BadExport as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return path


@dataclass(frozen=True)
class StackOptions:
    """How a stack is built.

    `given` holds SLUICE_* variables as the user gave them: a stand-in starts only for what it leaves unset.
    `preferred_ports` asks for the well-known ports first; tests and demos take any.
    `restart_crashed` False leaves a crashed process down.
    """

    given: Mapping[str, str] = field(default_factory=dict)
    simulator: SimulatorOptions = SimulatorOptions()
    workers: int = 1
    concurrency: int = 2
    preferred_ports: bool = False
    restart_crashed: bool = True
    mesh_effects: bool = True

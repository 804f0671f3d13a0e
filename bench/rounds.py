"""Conditions in turn: a shared machine is never the same twice, so each round sees them all."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

Found = TypeVar("Found")


def side_by_side(conditions: Mapping[str, Callable[[], Found]], rounds: int) -> dict[str, list[Found]]:
    """What each condition gave, a value a round; every other round goes backwards, so that neither is always first."""
    found: dict[str, list[Found]] = {name: [] for name in conditions}
    for name in _turns(list(conditions), rounds):
        found[name].append(conditions[name]())
    return found


def _turns(names: list[str], rounds: int) -> Iterator[str]:
    for number in range(rounds):
        yield from names if number % 2 == 0 else reversed(names)

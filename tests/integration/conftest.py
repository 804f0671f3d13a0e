import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from outgoing_world import World, simulator
from pulls_world import Pulls
from sluice import Sluice


@pytest.fixture
def sluice(store: str) -> Iterator[Sluice]:
    made = Sluice(store)
    yield made
    made.close()


@pytest.fixture(scope="module")
def simulated() -> Iterator[str]:
    """The address of a simulator."""
    with simulator() as url:
        yield url


@pytest.fixture
def world(sluice: Sluice, simulated: str) -> Iterator[World]:
    """What Sluice asks of that simulator's Paragon."""
    made = World(sluice, simulated)
    yield made
    made.close()


@pytest.fixture
def pulls(store: str) -> Iterator[Pulls]:
    """One channel is allowed, and Paragon has nothing against the connection."""
    made = Pulls(store)
    made.register()
    made.allow("C1")
    made.drain()
    made.patched()
    made.looked()
    yield made
    made.close()

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sluice import Sluice


@pytest.fixture
def sluice(store: str) -> Iterator[Sluice]:
    made = Sluice(store)
    yield made
    made.close()

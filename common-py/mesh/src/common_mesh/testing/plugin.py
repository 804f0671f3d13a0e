"""pytest fixtures: `fake_mesh` and `mesh_engine`.

In a root `conftest.py`: `pytest_plugins = ["common_mesh.testing.plugin"]`, or import the fixtures by name.
"""

from collections.abc import Iterator

import pytest

from common_mesh.engine import MeshEngine
from common_mesh.policy import Policy
from common_mesh.testing.fake import FakeMesh

QUICK = Policy(backoff=0.001, backoff_limit=0.01, deadline=5.0, breaker_seconds=0.05)
"""Retries that a test does not wait for."""


@pytest.fixture
def fake_mesh() -> FakeMesh:
    """An empty mesh in memory."""
    return FakeMesh()


@pytest.fixture
def mesh_engine(fake_mesh: FakeMesh) -> Iterator[MeshEngine]:
    """An engine that talks to `fake_mesh`, with quick retries."""
    with MeshEngine("http://mesh", transport=fake_mesh, policy=QUICK) as engine:
        yield engine

"""A mesh for tests: the real rules in memory, as an httpx transport, with faults on demand."""

from common_mesh.testing.fake import FakeMesh, Seen

__all__ = ["FakeMesh", "Seen"]

"""A store that counts lines and keeps nothing: the benchmark's floor."""

import threading
from collections import Counter
from collections.abc import Sequence

from common_mesh.reference.store import UNCUT, Answer, Filters, LoggedEffect, Request, Space, States
from common_mesh.wire import LETTERS


class NullStore:
    """Answers `created` to everything, unread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Space] = Counter()

    def apply(self, space: Space, lines: Sequence[bytes], request: Request | None) -> Answer:
        """Count the lines."""
        with self._lock:
            self._counts[space] += len(lines)
        return Answer(LETTERS["created"] * len(lines), [])

    def count(self, space: Space) -> int:
        """Lines that came, repeats included."""
        with self._lock:
            return self._counts[space]

    def states(self, space: Space) -> States:
        """Lines that came, as if they lived."""
        return States(live=self.count(space))

    def spaces(self, org: str | None = None, module: str | None = None) -> dict[Space, int]:
        """Spaces that lines came for."""
        with self._lock:
            return {s: n for s, n in self._counts.items() if org in (None, s.org) and module in (None, s.module)}

    def records(
        self, space: Space, after: str, limit: int, filters: Filters, size: int = UNCUT
    ) -> list[tuple[str, str]]:
        """None are kept."""
        return []

    def effects(self, space: Space, after: int, limit: int) -> list[LoggedEffect] | None:
        """There is no log."""
        return None

    def check(self) -> None:
        """Always there."""

    def upkeep(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to let go of."""

"""All workspaces of one simulator, each made when it is first asked for, and who is connected to which."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator

from simulator.slack.workspace import Workspace

Build = Callable[[int], Workspace]


class Workspaces:
    """`build(i)` makes workspace number i of `count`; the same number always gives the same workspace."""

    def __init__(self, count: int, build: Build) -> None:
        self.count = count
        self._build = build
        self._made: dict[int, Workspace] = {}
        self._by_token: dict[str, Workspace] = {}
        self._connected: dict[str, int] = {}
        self._lock = threading.Lock()

    def get(self, index: int) -> Workspace:
        """Workspace number `index`, from 0. Raises `IndexError`. Slow the first time: call it in a thread."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        with self._lock:
            if index not in self._made:
                workspace = self._made[index] = self._build(index)
                self._by_token[workspace.token] = workspace
            return self._made[index]

    def all(self) -> Iterator[tuple[int, Workspace]]:
        """Every workspace with its number."""
        return ((index, self.get(index)) for index in range(self.count))

    def by_token(self, token: str) -> Workspace | None:
        """The workspace whose Slack token this is."""
        return self._by_token.get(token)

    def connect(self, connection: str, index: int | None = None) -> Workspace:
        """Connect a user to a workspace: the given one, else the one he has, else the one with the fewest users."""
        if index is None:
            index = self._connected.get(connection, self._least_used())
        workspace = self.get(index)
        self._connected[connection] = index
        return workspace

    def of(self, connection: str) -> Workspace | None:
        """The workspace that a connection is connected to."""
        index = self._connected.get(connection)
        return None if index is None else self.get(index)

    def index_of(self, connection: str) -> int | None:
        """The number of that workspace."""
        return self._connected.get(connection)

    def connections(self, index: int) -> list[str]:
        """Who is connected to a workspace."""
        return [connection for connection, at in self._connected.items() if at == index]

    def _least_used(self) -> int:
        used = Counter(self._connected.values())
        return min(range(self.count), key=lambda index: (used[index], index))

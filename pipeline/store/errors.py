"""What the store says no with. Its outages are `pipeline.errors.Unavailable` itself.

Rejected
 └── NotRegistered      this connection is unknown here: register before Connect
Unavailable
 └── BacklogFull        this connection has too many entries waiting: later
"""

from pipeline.errors import Rejected, Unavailable


class NotRegistered(Rejected):
    """The connection is not in the directory of connections, or was disconnected."""

    def __init__(self) -> None:
        super().__init__("not_registered", location="connection")


class BacklogFull(Unavailable):
    """A connection's backlog is over its limit. `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("backlog_full", retry_after=retry_after)

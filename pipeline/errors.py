"""Two kinds of failure, and nothing between them.

    SluiceError
     ├── Rejected(reason)            this can never work: quarantine it
     └── Unavailable(retry_after)    try again later
          └── Refused                a peer says no to *us* (credential, permission): try again, and raise an alarm

Everything else that is raised is a bug and is loud.
"""


class SluiceError(Exception):
    """Root of the expected failures."""


class Rejected(SluiceError):
    """This input can never work. `reason` is one constant word of a closed list, never content."""

    def __init__(self, reason: str, *, location: str = "") -> None:
        super().__init__(f"{reason} at {location}" if location else reason)
        self.reason = reason
        self.location = location


class Unavailable(SluiceError):
    """Somebody else's outage. `retry_after` is in seconds, None where the peer named none."""

    def __init__(self, what: str, *, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after


class Refused(Unavailable):
    """The peer refuses our credential or permission: work waits, nothing is dropped, an operator is told."""

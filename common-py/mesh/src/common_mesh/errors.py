"""What can go wrong, by who is to blame.

    MeshError                       .report: what was acknowledged before it
     ├── Unavailable(retry_after)   the mesh is down, slow or full: the same call may work later
     ├── Refused(status)            the mesh says no to us (credential, permission, address): a person must act
     ├── ProtocolError              the peer does not speak PROTOCOL.md, or is not the peer that we mean (certificate)
     └── SourceFailed               the iterable raised; its exception is the `__cause__`

A record that the mesh will not take is no error: it is in `Report.rejected`, and the rest of its batch is applied.
Wrong use (after a fork, after close, one session in two threads) is a bug: RuntimeError, with a sentence.
Messages hold statuses and kinds, never content.
"""

from common_mesh.report import Report


class MeshError(Exception):
    """Root of the expected failures. `report` covers the batches that were acknowledged."""

    def __init__(self, what: str, *, report: Report | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.report = report if report is not None else Report()


class Unavailable(MeshError):
    """Try again later. `retry_after` is in seconds, None where the mesh named none."""

    def __init__(self, what: str, *, retry_after: float | None = None, report: Report | None = None) -> None:
        super().__init__(what, report=report)
        self.retry_after = retry_after


class Refused(MeshError):
    """The mesh answered `status` (4xx): the same request will not work until somebody changes something."""

    def __init__(self, what: str, *, status: int | None = None, report: Report | None = None) -> None:
        super().__init__(what, report=report)
        self.status = status


class ProtocolError(MeshError):
    """An answer that the protocol does not know: a redirect, no JSON, too large, wrong counts, a wrong certificate."""


class SourceFailed(MeshError):
    """The iterable of models raised. Batches on the way were awaited; the unfinished one was not sent."""

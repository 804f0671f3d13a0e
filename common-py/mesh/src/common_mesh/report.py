"""What became of the records of one `send_all_models`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record that the mesh (or the client) would not take.

    `index` counts the iterable's items from 0; `id` is None where the record had none; `reason` is a constant word.
    """

    index: int
    id: str | None
    reason: str


@dataclass(slots=True)
class Report:
    """Counts of records by outcome, the rejected ones by name, and what went over the wire.

    `batches` counts answered batches; `bytes` counts their compressed bodies, retries included.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    rejected: list[Rejection] = field(default_factory=list)
    batches: int = 0
    bytes: int = 0

    @property
    def accepted(self) -> int:
        """Records whose state in the mesh is now this one or a newer one."""
        return self.created + self.updated + self.unchanged + self.stale

    def add(self, other: "Report") -> None:
        """Count another report into this one."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.stale += other.stale
        self.rejected += other.rejected
        self.batches += other.batches
        self.bytes += other.bytes

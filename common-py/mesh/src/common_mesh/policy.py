"""The numbers of the client, in one value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Sizes in records and bytes, times in seconds. The defaults suit a mesh in the same region."""

    max_records: int = 2_000
    """Records in a batch."""
    max_bytes: int = 4_000_000
    """Bytes of a batch before compression; a larger record travels alone."""
    in_flight: int = 12
    """Batches on the way at once, for the whole engine; a send that fits one batch uses no other thread."""
    deadline: float = 30.0
    """A batch, from its first attempt to the last byte of its answer, retries and halves included."""
    attempts: int = 5
    """Tries of one request before `Unavailable`."""
    connect_timeout: float = 3.0
    read_timeout: float = 15.0
    """Silence on the socket; `deadline` bounds the whole, even at a byte a second."""
    backoff: float = 0.1
    """First wait between attempts; doubles, full jitter."""
    backoff_limit: float = 5.0
    max_answer_bytes: int = 4_000_000
    breaker_failures: int = 3
    """Batches in a row that ended in `Unavailable` before the engine stops asking for a while; 0 switches it off."""
    breaker_seconds: float = 2.0
    """First pause of the breaker; doubles up to `breaker_limit`, with jitter."""
    breaker_limit: float = 30.0

    def __post_init__(self) -> None:
        for name in ("max_records", "max_bytes", "in_flight", "deadline", "attempts", "max_answer_bytes"):
            if getattr(self, name) <= 0:
                raise ValueError(f"Policy.{name} must be positive")

"""Slack's rate limit, as far as the test bench sets it: calls through Paragon's proxy that are refused."""

from dataclasses import dataclass


@dataclass
class Limit:
    """So many further calls get 429 with `Retry-After`, in seconds."""

    calls: int = 0
    retry_after: int = 0

    def set(self, calls: int, retry_after: int) -> None:
        """Refuse the next calls."""
        self.calls, self.retry_after = calls, retry_after

    def take(self) -> int | None:
        """The wait that this call is told, None where it may go on."""
        if self.calls == 0:
            return None
        self.calls -= 1
        return self.retry_after

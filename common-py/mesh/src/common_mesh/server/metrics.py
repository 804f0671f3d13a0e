"""Counters in Prometheus' text form, by hand: six of them need no library."""

import threading
from collections import Counter

from common_mesh.reference.answering import Reply
from common_mesh.wire import LETTERS

_NAMES = {letter: outcome for outcome, letter in LETTERS.items()}


class Metrics:
    """Thread-safe counts of what was asked and what became of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, reply: Reply, received: int) -> None:
        """Count one answer and the bytes of its request."""
        with self._lock:
            self._counts[f'mesh_answers_total{{status="{reply.status}"}}'] += 1
            self._counts["mesh_received_bytes_total"] += received
            for letter, number in Counter(reply.outcomes).items():
                self._counts[f'mesh_records_total{{outcome="{_NAMES[letter]}"}}'] += number

    def text(self, waiting: int) -> str:
        """The exposition; `waiting` is how many batches are in the queue now."""
        with self._lock:
            lines = [f"{name} {number}" for name, number in sorted(self._counts.items())]
        return "\n".join([*lines, f"mesh_waiting_batches {waiting}"]) + "\n"

"""What was triggered, without tokens."""

from collections import Counter
from typing import Any

Json = dict[str, Any]

SECRETS = ("run_token",)


class Triggers:
    """Every trigger body in order, its secrets replaced by whether they were there."""

    def __init__(self) -> None:
        self._seen: list[Json] = []
        self._times: Counter[tuple[str, str]] = Counter()

    def note(self, connection: str, workflow: str, body: Json) -> None:
        """Remember one."""
        shown = {name: bool(value) if name in SECRETS else value for name, value in body.items()}
        self._times[str(body.get("run_id")), str(body.get("attempt"))] += 1
        self._seen.append({"seq": len(self._seen) + 1, "connection": connection, "workflow": workflow, "body": shown})

    def shown(self) -> Json:
        """`{triggers, times: [{run_id, attempt, times}]}`."""
        times = [{"run_id": run, "attempt": attempt, "times": n} for (run, attempt), n in self._times.items()]
        return {"triggers": self._seen, "times": times}

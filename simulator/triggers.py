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
        self._newest: dict[str, int] = {}

    def note(self, connection: str, workflow: str, body: Json) -> None:
        """Remember one."""
        shown = {name: bool(value) if name in SECRETS else value for name, value in body.items()}
        run, attempt = str(body.get("run_id")), body.get("attempt")
        self._times[run, str(attempt)] += 1
        if isinstance(attempt, int):
            self._newest[run] = max(attempt, self._newest.get(run, 0))
        self._seen.append({"seq": len(self._seen) + 1, "connection": connection, "workflow": workflow, "body": shown})

    def newest(self, run: str) -> int:
        """The highest attempt of a run that was triggered, 0 before the first."""
        return self._newest.get(run, 0)

    def channels(self, connection: str) -> list[str]:
        """Every channel that a messages workflow was asked for, sorted."""
        asked = (one["body"].get("channels") for one in self._seen if one["connection"] == connection)
        return sorted({str(name) for names in asked if isinstance(names, list) for name in names})

    def shown(self) -> Json:
        """`{triggers, times: [{run_id, attempt, times}]}`."""
        times = [{"run_id": run, "attempt": attempt, "times": n} for (run, attempt), n in self._times.items()]
        return {"triggers": self._seen, "times": times}

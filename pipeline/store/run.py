"""A run: one requested window, what it asks for, and an attempt at it. How it is kept is `pipeline.store.runs`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["live", "back", "reread", "thread"]
"""What came since, what was before, a day read again, a thread read again."""
MARKS: Final[dict[str, str]] = {"live": "run", "back": "back", "reread": "re", "thread": "th"}
"""The field of a channel's coverage that names its open run of a kind."""
ITEMS: Final[dict[str, str]] = {"live": "trigger", "back": "backfill", "reread": "backfill", "thread": "backfill"}
"""The schedule's item of a kind: live windows go first."""
_CHANNELS: Final = "channels"
_A_FIELD: Final = 4
"""Channels whose ids fit into the 64 bytes that a value of a tightly kept hash may have."""
_HIDDEN: Final = ("limit", "failed", "ask_at")


@dataclass(frozen=True, slots=True)
class Run:
    """One requested window, (oldest, latest] in microseconds; `thread_ts` where only that thread was asked for."""

    id: str
    connection: str
    team: str
    kind: Kind
    oldest: int
    latest: int
    channels: list[str]
    thread_ts: str
    replies: bool
    state: str
    attempt: int
    epoch: int | None
    requested_at: int
    pages: int
    dead: int
    failed: int
    progress_at: int | None
    limit: int
    reason: str | None
    ask_at: int = 0

    @property
    def open(self) -> bool:
        """Whether an answer is still wanted."""
        return self.state in ("requested", "blocked", "given_up")

    @property
    def window(self) -> tuple[str, int, int, str]:
        """What it asks for, whoever asks again."""
        return self.connection, self.oldest, 0 if self.thread_ts else self.latest, self.thread_ts

    @property
    def unfinished(self) -> int:
        """How many attempts were taken and brought something, but never all of it."""
        return self.tries if self.pages else 0

    @property
    def tries(self) -> int:
        """How many attempts Paragon has taken."""
        return self.attempt - self.failed

    @property
    def item(self) -> str:
        """Its item's kind in the schedule."""
        return ITEMS[self.kind]

    @property
    def mark(self) -> str:
        """The field of a channel's coverage that names it while it is open."""
        return MARKS[self.kind]

    def public(self) -> dict[str, Any]:
        """What the API and the command line show."""
        state = "receiving" if self.state == "requested" and self.pages else self.state
        return {name: getattr(self, name) for name in self.__slots__ if name not in _HIDDEN} | {"state": state}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A window to ask for, before it is a run."""

    kind: Kind
    oldest: int
    latest: int
    channels: Sequence[str]
    thread_ts: str = ""
    replies: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a trigger's POST must carry."""

    run: Run
    number: int
    epoch: int
    generation: int
    state: str
    channels: list[str]


def lists(channels: Sequence[str]) -> dict[str, str]:
    """The fields that hold a run's channels, a few in each: one long value makes the store keep a hash loosely."""
    parts = [channels[i : i + _A_FIELD] for i in range(0, len(channels), _A_FIELD)] or [()]
    names = [_CHANNELS, *(f"{_CHANNELS}:{number}" for number in range(1, len(parts)))]
    return {name: json.dumps(list(part), separators=(",", ":")) for name, part in zip(names, parts, strict=True)}


def _channels(fields: Mapping[str, str]) -> list[str]:
    found: list[str] = json.loads(fields[_CHANNELS])
    number = 1
    while (part := fields.get(f"{_CHANNELS}:{number}")) is not None:
        found += json.loads(part)
        number += 1
    return found


def read(name: str, fields: Mapping[str, str]) -> Run:
    """A run out of the fields of its hash."""
    kind = fields.get("kind", "live")
    return Run(
        id=name,
        connection=fields["connection"],
        team=fields["team"],
        kind=kind if kind in MARKS else "live",  # type: ignore[arg-type]
        oldest=int(fields["oldest"]),
        latest=int(fields["latest"]),
        channels=_channels(fields),
        thread_ts=fields.get("thread_ts", ""),
        replies=fields.get("replies", "1") == "1",
        state=fields["state"],
        attempt=int(fields["attempt"]),
        epoch=int(fields["epoch"]) if "epoch" in fields else None,
        requested_at=int(fields["requested_at"]),
        pages=int(fields.get("pages", 0)),
        dead=int(fields.get("dead", 0)),
        failed=int(fields.get("failed", 0)),
        progress_at=int(fields["progress"]) if "progress" in fields else None,
        limit=int(fields.get("limit", 200)),
        reason=fields.get("reason") or None,
        ask_at=int(fields.get("ask_at", 0)),
    )

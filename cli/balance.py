"""The outside ledger's account: what was promised with a 202 against what the mesh has (design.md, 1).

Computed from the sender's list of accepted callbacks, the mesh's own routes, and the API's dead letters and receipts;
nothing of the pipeline is imported, so that a mistake in it cannot hide in here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

from cli.walk import Player, Walk


class Record(NamedTuple):
    """The unit of account, of messages."""

    org: str
    id: str
    version: str


@dataclass
class Account:
    """What the demo prints; every number but `asked` counts message records."""

    asked: int = 0
    received: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    delivered: int = 0
    in_mesh: int = 0
    lost: int = 0
    twice: int = 0
    leaked: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.twice or self.leaked or self.problems)


@dataclass
class Outside:
    """What the sender saw: records of accepted callbacks, by whether their channel was allowed, with receipts."""

    allowed: dict[Record, set[str]] = field(default_factory=lambda: defaultdict(set))
    withheld: set[Record] = field(default_factory=set)
    users: set[tuple[str, str]] = field(default_factory=set)
    raw: int = 0


def read_outside(entries: Iterable[Mapping[str, Any]], lists: Mapping[str, set[str]]) -> Outside:
    """The ledger's lines; `lists` maps an organisation to the channels that it allowed during the whole pass."""
    seen = Outside()
    for entry in entries:
        org, team = entry["connection"].rpartition("/")[2], entry["team"]
        if entry["kind"] == "users":
            seen.users |= {(org, f"{team}:{name}") for name, _ in entry["records"]}
        if entry["kind"] != "messages":
            continue
        seen.raw += len(entry["records"])
        for ts, revision in entry["records"]:
            version = f"{int(entry['epoch']):016d}{int(revision):016d}"
            record = Record(org, f"{team}:{entry['channel']}:{ts}", version)
            if entry["channel"] in lists[org]:
                seen.allowed[record].add(entry["receipt"])
            else:
                seen.withheld.add(record)
    return seen


def settle(walk: Walk, everybody: list[Player], lists: Mapping[str, set[str]]) -> Account:
    """Draw up the account of one full pass."""
    outside = read_outside(walk.pages("/_sim/ledger", "entries"), lists)
    account = Account(asked=sum(len(run["channels"]) for player in everybody for run in walk.runs(player)))
    account.received = len(outside.allowed) + len(outside.withheld)
    applied = _applied(walk, everybody)
    kept = _kept(walk, everybody, "message")
    missing = [r for r in outside.allowed if kept.get((r.org, r.id), "") < r.version]
    dead, notices = _dead(walk), 0
    lost = [r for r in missing if not (_explained(r, outside.allowed[r], dead))]
    lost, notices = _without_notices(walk, lost, outside)
    account.delivered = len(applied)
    account.in_mesh = sum(walk.count(player.org)["message"] for player in everybody)
    account.lost = len(lost) + _lost_users(walk, everybody, outside)
    account.twice = sum(number - 1 for number in applied.values() if number > 1)
    reasons = Counter({"not_allowed": len(outside.withheld), "notice": notices})
    account.dropped = {reason: number for reason, number in reasons.items() if number}
    account.problems = _contradictions(walk, outside)
    return account


def _applied(walk: Walk, everybody: list[Player]) -> Counter[Record]:
    """How often each record changed the mesh, from its effects log."""
    applied: Counter[Record] = Counter()
    for player in everybody:
        path = f"/v1/{quote(player.org, safe='')}/slack/message/effects"
        for effect in walk.pages(path, "effects"):
            if effect["outcome"] in ("applied", "created", "updated"):
                applied[Record(player.org, effect["id"], effect["version"])] += 1
    return applied


def _kept(walk: Walk, everybody: list[Player], model: str) -> dict[tuple[str, str], str]:
    """(organisation, id) → version of every record that the mesh has, deleted ones too."""
    kept: dict[tuple[str, str], str] = {}
    for player in everybody:
        path = f"/v1/{quote(player.org, safe='')}/slack/{model}/records"
        for record in walk.pages(path, "records", all="true"):
            kept[player.org, record["id"]] = record["version"]
    return kept


def _dead(walk: Walk) -> list[dict[str, Any]]:
    letters: list[dict[str, Any]] = walk.api.get("/v1/dead-letters", params={"limit": 10_000}).json()["dead_letters"]
    return letters


def _explained(record: Record, receipts: set[str], dead: list[dict[str, Any]]) -> bool:
    """Whether a dead letter stands for the record: by its id, or for every record of its receipt."""
    return any(
        (letter["id"] == record.id and letter["version"] == record.version)
        or (letter["id"] is None and letter["receipt"] in receipts)
        for letter in dead
    )


def _without_notices(walk: Walk, lost: list[Record], outside: Outside) -> tuple[list[Record], int]:
    """Slack's hidden notices carry nothing; their receipts say how many of a callback's records they were."""
    left: Counter[str] = Counter()
    really: list[Record] = []
    for record in lost:
        receipt = min(outside.allowed[record])
        if receipt not in left:
            left[receipt] = walk.api.get(f"/v1/receipts/{receipt}").json().get("dropped", {}).get("notice.message", 0)
        if left[receipt] > 0:
            left[receipt] -= 1
        else:
            really.append(record)
    return really, len(lost) - len(really)


def _lost_users(walk: Walk, everybody: list[Player], outside: Outside) -> int:
    kept = _kept(walk, everybody, "user")
    return sum(1 for place in outside.users if place not in kept)


def _contradictions(walk: Walk, outside: Outside) -> list[str]:
    """Where the system's own counters tell another story than the sender's list."""
    counters: dict[str, int] = walk.status()["counters"]
    dropped = sum(n for name, n in counters.items() if name.startswith("dropped.") and name.endswith(".message"))
    dead = sum(1 for letter in _dead(walk) if letter["model"] == "message")
    counted = dropped + counters.get("delivered.message", 0) + dead
    if counted != outside.raw:
        return [f"the counters account for {counted} message records, the sender had 202 for {outside.raw}"]
    return []

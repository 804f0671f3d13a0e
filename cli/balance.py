"""The outside ledger's account: what was promised with a 202 against what the mesh has (design.md, 1).

Computed from the sender's list of accepted callbacks, the mesh's own routes, and the API's dead letters and receipts;
nothing of the pipeline is imported, so that a mistake in it cannot hide in here.

    received = dropped + delivered + dead + lost        each a number of different message records
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from cli.outside import Outside, Place, Record, read_outside
from cli.walk import Player, Walk


@dataclass
class Account:
    """What the demo prints; every number but `asked` counts message records.

    `delivered` are those that the mesh has in this or a higher version.
    """

    asked: int = 0
    received: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    delivered: int = 0
    dead: int = 0
    in_mesh: int = 0
    lost: int = 0
    twice: int = 0
    leaked: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.twice or self.leaked or self.problems)


def settle(walk: Walk, everybody: list[Player], lists: Mapping[str, set[str]]) -> Account:
    """Draw up the account of one full pass during which the lists did not change."""
    outside = read_outside(walk.pages("/_sim/ledger", "entries"), lists)
    letters, effects = _letters(walk), applied(walk, everybody)
    kept = _kept(walk, everybody, "message")
    missing = [record for record in outside.allowed if kept.get((record.org, record.id), "") < record.version]
    unexplained = _without_dead(missing, outside, letters)
    lost = _without_notices(walk, unexplained, outside)
    account = Account(asked=sum(len(run["channels"]) for player in everybody for run in walk.runs(player)))
    account.received = len(outside.allowed) + len(outside.withheld)
    account.dropped = _named(not_allowed=len(outside.withheld), notice=len(unexplained) - len(lost))
    account.delivered = len(outside.allowed) - len(missing)
    account.dead = len(missing) - len(unexplained)
    account.in_mesh = sum(walk.count(player.org)["message"] for player in everybody)
    account.lost = len(lost)
    account.twice = sum(number - 1 for number in effects.values())
    account.problems = [
        *_let_through(effects, lists),
        *_directory(walk, everybody, outside),
        *_contradictions(walk, outside, letters),
    ]
    return account


def _named(**numbers: int) -> dict[str, int]:
    return {name: number for name, number in numbers.items() if number}


def applied(walk: Walk, everybody: list[Player]) -> Counter[Record]:
    """How often each record changed the mesh, from its effects log."""
    changed: Counter[Record] = Counter()
    for player in everybody:
        path = f"/v1/{quote(player.org, safe='')}/slack/message/effects"
        for effect in walk.pages(path, "effects"):
            if effect["outcome"] in ("applied", "created", "updated"):
                changed[Record(player.org, effect["id"], effect["version"])] += 1
    return changed


def _kept(walk: Walk, everybody: list[Player], model: str, *, deleted: bool = True) -> dict[Place, str]:
    """(organisation, id) → version of every record that the mesh has, with or without deleted ones."""
    kept: dict[Place, str] = {}
    for player in everybody:
        path = f"/v1/{quote(player.org, safe='')}/slack/{model}/records"
        for record in walk.pages(path, "records", **({"all": "true"} if deleted else {})):
            kept[player.org, record["id"]] = record["version"]
    return kept


def _letters(walk: Walk) -> list[dict[str, Any]]:
    letters: list[dict[str, Any]] = walk.api.get("/v1/dead-letters", params={"limit": 10_000}).json()["dead_letters"]
    return letters


def _without_dead(missing: list[Record], outside: Outside, letters: list[dict[str, Any]]) -> list[Record]:
    """What no dead letter stands for: by its id and version, or for every record of its receipt."""
    single = {(letter["id"], letter["version"]) for letter in letters if letter["id"] is not None}
    whole = {letter["receipt"] for letter in letters if letter["id"] is None}
    return [r for r in missing if (r.id, r.version) not in single and not (outside.allowed[r] & whole)]


def _without_notices(walk: Walk, unexplained: list[Record], outside: Outside) -> list[Record]:
    """Slack's hidden notices carry nothing; each receipt says how many of its callback's records were notices."""
    left: dict[str, int] = {}
    lost: list[Record] = []
    for record in unexplained:
        receipts = outside.allowed[record]
        for receipt in receipts - left.keys():
            told = walk.api.get(f"/v1/receipts/{receipt}").json().get("dropped", {})
            left[receipt] = told.get("notice.message", 0)
        if all(left[receipt] > 0 for receipt in receipts):
            left |= {receipt: left[receipt] - 1 for receipt in receipts}
        else:
            lost.append(record)
    return lost


def _let_through(effects: Counter[Record], lists: Mapping[str, set[str]]) -> Iterator[str]:
    """The mesh's own log, held against the lists: no record of another channel was ever applied."""
    if through := sum(1 for record in effects if record.channel not in lists[record.org]):
        yield f"the mesh applied {through} message records of channels that are not allowed"


def _directory(walk: Walk, everybody: list[Player], outside: Outside) -> Iterator[str]:
    """Users and allowed channels: all that were promised, and no channel besides."""
    users = outside.users | {(one.org, f"connection:{one.connection.rpartition('/')[0]}") for one in everybody}
    if lost := users - _kept(walk, everybody, "user", deleted=False).keys():
        yield f"{len(lost)} of {len(users)} users are not in the mesh"
    channels = set(_kept(walk, everybody, "allowed_slack_channel", deleted=False))
    if lost := outside.channels - channels:
        yield f"{len(lost)} of {len(outside.channels)} allowed channels are not in the mesh"
    if besides := channels - outside.channels:
        yield f"{len(besides)} channels are in the mesh that are not allowed"


def _contradictions(walk: Walk, outside: Outside, letters: list[dict[str, Any]]) -> Iterator[str]:
    """Where the system's own counters tell another story than the sender's list.

    A callback whose 202 got lost on the way was kept, is sent again, and is counted twice: once more than it was sent.
    """
    counters: dict[str, int] = walk.status()["counters"]
    dropped = sum(n for name, n in counters.items() if name.startswith("dropped.") and name.endswith(".message"))
    dead = sum(1 for letter in letters if letter["model"] == "message")
    counted = dropped + counters.get("delivered.message", 0) + dead
    repeated = walk.simulator.get("/_sim/status").json()["callbacks"]["retried"] > 0
    if counted < outside.raw or (counted > outside.raw and not repeated):
        yield f"the counters account for {counted} message records, the sender had 202 for {outside.raw}"

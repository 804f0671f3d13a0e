"""What the sender saw: every callback that got a 202, turned into the records that must now be somewhere."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Place = tuple[str, str]  # organisation, id


class Record(NamedTuple):
    """The unit of account, of messages."""

    org: str
    id: str
    version: str

    @property
    def channel(self) -> str:
        """The Slack channel that the id names."""
        return self.id.split(":")[1]


@dataclass
class Outside:
    """Records of accepted callbacks, by whether their channel was allowed, each with its receipts.

    `raw` counts message records as often as they were sent; `users` and `channels` are places in the mesh.
    """

    allowed: dict[Record, set[str]] = field(default_factory=lambda: defaultdict(set))
    withheld: set[Record] = field(default_factory=set)
    users: set[Place] = field(default_factory=set)
    channels: set[Place] = field(default_factory=set)
    raw: int = 0


def read_outside(entries: Iterable[Mapping[str, Any]], lists: Mapping[str, set[str]]) -> Outside:
    """The ledger's lines; `lists` maps an organisation to the channels that it allowed during the whole pass."""
    seen = Outside()
    for entry in entries:
        org = entry["connection"].rpartition("/")[2]
        match entry["kind"]:
            case "messages":
                _messages(seen, entry, org, lists[org])
            case "users":
                seen.users |= {(org, f"{entry['team']}:{name}") for name, _ in entry["records"]}
            case "channels":
                names = {name for name, _ in entry["records"]} & lists[org]
                seen.channels |= {(org, f"{entry['team']}:{name}") for name in names}
    return seen


def _messages(seen: Outside, entry: Mapping[str, Any], org: str, allowed: set[str]) -> None:
    seen.raw += len(entry["records"])
    for ts, revision in entry["records"]:
        version = f"{int(entry['epoch']):016d}{int(revision):016d}"
        record = Record(org, f"{entry['team']}:{entry['channel']}:{ts}", version)
        if entry["channel"] in allowed:
            seen.allowed[record].add(entry["receipt"])
        else:
            seen.withheld.add(record)

"""The mesh held against the workspace itself: every message that Slack would show, its text, and nothing else."""

from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

from cli.walk import Player, Walk

Texts = dict[str, str]
_SHOWN = 20


@dataclass
class Exact:
    """How many messages Slack shows in the allowed channels, and the ids that are not in the mesh as they are there."""

    messages: int = 0
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether the mesh shows exactly what Slack shows."""
        return not (self.missing or self.extra or self.different)

    def numbers(self) -> dict[str, int]:
        """`{messages, missing, extra, different}`, as numbers."""
        return {name: found if isinstance(found, int) else len(found) for name, found in asdict(self).items()}

    def lines(self) -> list[str]:
        """Some of the ids for people, a kind a line; never a text."""
        kinds = {"missing": self.missing, "extra": self.extra, "different": self.different}
        return [f"{kind}: {', '.join(ids[:_SHOWN])}" for kind, ids in kinds.items() if ids]


def compare(walk: Walk, everybody: list[Player]) -> Exact:
    """All of everybody's allowed channels and directories, deleted messages included in what must not be there."""
    found = Exact()
    for player in everybody:
        allowed: list[str] = walk.api.get(f"{player.path}/allowlist").json()["channels"]
        in_slack, in_mesh = _in_slack(walk, player, allowed), _messages_in_mesh(walk, player)
        found.messages += len(in_slack)
        _hold(found, in_slack, in_mesh)
        _hold(found, *_names(walk, player, allowed))
    return found


def _hold(found: Exact, wanted: Texts, there: Texts) -> None:
    found.missing += sorted(wanted.keys() - there.keys())
    found.extra += sorted(there.keys() - wanted.keys())
    found.different += sorted(name for name in wanted.keys() & there.keys() if wanted[name] != there[name])


def _in_slack(walk: Walk, player: Player, allowed: list[str]) -> Texts:
    """`team:channel:ts` → Slack's own text."""
    team, texts = walk.look(player)["team"], Texts()
    for channel in allowed:
        asked = {"connection": player.connection, "channel": channel}
        shown = walk.simulator.get("/_sim/shown", params=asked).raise_for_status().json()["messages"]
        texts |= {f"{team}:{channel}:{ts}": text for ts, text in shown.items()}
    return texts


def _messages_in_mesh(walk: Walk, player: Player) -> Texts:
    return {record["id"]: record["source_text"] for record in _records(walk, player, "message")}


def _names(walk: Walk, player: Player, allowed: list[str]) -> tuple[Texts, Texts]:
    """Members of the team and allowed channels: id → name, in Slack and in the mesh."""
    team = walk.look(player)["team"]
    names = walk.simulator.get("/_sim/names", params={"connection": player.connection}).raise_for_status().json()
    wanted = names["users"] | {channel: names["channels"][channel] for channel in allowed}
    there = {record["id"]: record["name"] for record in _records(walk, player, "allowed_slack_channel")}
    users = (record for record in _records(walk, player, "user") if record["kind"] == "org")
    there |= {record["id"]: record["name"] for record in users}
    return {f"{team}:{name}": str(said or "") for name, said in wanted.items()}, {k: v or "" for k, v in there.items()}


def _records(walk: Walk, player: Player, model: str) -> list[dict[str, Any]]:
    path = f"/v1/{quote(player.org, safe='')}/slack/{model}/records"
    return list(walk.pages(path, "records"))

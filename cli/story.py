"""The story that `./sluice up` plays: from a user who connects Slack to allowed messages in the mesh."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cli.dev_secrets import DevSecrets
from cli.walk import Player, Walk, players

Choose = Callable[[list[str]], list[str]]


def every_other(channels: list[str]) -> list[str]:
    """The 1st, 3rd, 5th … by sorted id."""
    return sorted(channels)[::2]


def play(
    *,
    urls: dict[str, str],
    secrets: DevSecrets,
    progress: Callable[[str], None],
    connections: int = 1,
    choose: Choose = every_other,
    to_the_end: bool = True,
) -> dict[str, Any]:
    """Play it; what to try next, as command lines. What an earlier run has allowed stays as it is.

    Not `to_the_end`, it leaves when the first pull is asked for: under faults nobody can say when it is covered.
    """
    operator, mesh = secrets.operator_token.get_secret_value(), secrets.mesh_token.get_secret_value()
    with Walk(urls, operator, mesh, progress) as walk:
        everybody = players(connections)
        tell(walk, everybody, choose, to_the_end=to_the_end)
        return {"try": _lines(urls, secrets, everybody[0])}


def tell(walk: Walk, everybody: list[Player], choose: Choose, *, to_the_end: bool = True) -> None:
    """The story's steps, each said before it is waited for."""
    for player in everybody:
        walk.register(player)
        team = walk.connect(player)["team"]
        walk.say(f"1. {player.connection} connects Slack; Paragon's workflows post the channels and users of {team}")
    for player in everybody:
        walk.await_directory(player)
        _allow(walk, player, choose)
    for player in everybody:
        walk.await_metadata(player)
        walk.say(f"3. PATCH sdk/me carries the list of {player.connection}; the pull is triggered")
    walk.until("the first pull", lambda: all(walk.runs(player) or not walk.channels(player) for player in everybody))
    if to_the_end:
        _tell_the_end(walk, everybody)


def _tell_the_end(walk: Walk, everybody: list[Player]) -> None:
    walk.await_covered(everybody)
    for player in everybody:
        counts = ", ".join(f"{number} {model}" for model, number in walk.count(player.org).items())
        windows = sum(len(run["channels"]) for run in walk.runs(player))
        walk.say(f"4. {windows} windows of {player.org} are covered; in the mesh: {counts}")
    dropped = {k: v for k, v in walk.status()["counters"].items() if k.startswith("dropped.")}
    walk.say("5. only what is allowed went through" + (f"; dropped so far: {dropped}" if dropped else ""))


def _allow(walk: Walk, player: Player, choose: Choose) -> None:
    channels = walk.channels(player)
    if walk.look(player)["list_version"]:
        walk.say(f"2. {player.org} keeps the list of an earlier run")
        return
    wanted = choose(channels)
    walk.allow(player, wanted)
    walk.say(f"2. the admin of {player.org} allows {len(wanted)} of {len(channels)} channels")


def _lines(urls: dict[str, str], secrets: DevSecrets, player: Player) -> list[str]:
    def bearer(name: str) -> str:
        path = Path(secrets.path(secrets.directory, name))
        return f"-H \"Authorization: Bearer $(cat '{path}')\""

    api, mesh = bearer("operator_token"), bearer("mesh_token")
    return [
        f"curl -s {api} {urls['api']}{player.path}/pulls",
        f"curl -s -X POST {api} {urls['api']}{player.path}/pulls",
        f"curl -s {mesh} {urls['mesh']}/v1/{player.org}/slack/message/count",
        f"curl -s {mesh} '{urls['mesh']}/v1/{player.org}/slack/message/records?limit=3'",
    ]

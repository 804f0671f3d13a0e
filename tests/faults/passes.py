"""One Sluice with all its processes, the story played on it, and a load that comes in bursts."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli import balance, demo
from cli.options import SimulatorOptions, StackOptions
from cli.stack import Stack
from cli.story import every_other
from cli.walk import Player, Walk, players
from tests.eventually import eventually

HELD = 3600.0  # Seconds that a callback waits while the load is held: longer than any test.


@dataclass
class Pass:
    """A running stack and its clients."""

    stack: Stack
    walk: Walk
    everybody: list[Player]
    directory: Path

    @property
    def one(self) -> Player:
        """The first player, the only one in most cases."""
        return self.everybody[0]

    def begin(self, allowed: Callable[[list[str]], list[str]] = every_other, *, held: bool = False) -> None:
        """Connect, read the directory, allow: pulls are triggered from here on; `held` keeps their pages waiting."""
        for player in self.everybody:
            self.walk.register(player)
            self.walk.connect(player)
        for player in self.everybody:
            self.walk.await_directory(player)
        if held:
            self.hold()
        for player in self.everybody:
            self.walk.allow(player, allowed(self.walk.channels(player)))

    def slow(self, seconds: float) -> None:
        """Each callback waits so long before it is posted."""
        self.walk.simulator.post("/_sim/slow", json={"seconds": seconds}).raise_for_status()

    def hold(self) -> None:
        """What is not on the wire yet waits."""
        self.slow(HELD)

    def let_go(self) -> None:
        """Callbacks go out as fast as they can."""
        self.slow(0)

    def callbacks(self) -> dict[str, int]:
        """What the sender counts: posted, accepted, retried, lost, …"""
        counts: dict[str, int] = self.walk.simulator.get("/_sim/status").json()["callbacks"]
        return counts

    def accepted(self) -> int:
        """Callbacks that got a 202."""
        return self.callbacks()["accepted"]

    def let_through(self, number: int) -> None:
        """So many more callbacks, about; then the load is held."""
        until = self.accepted() + number
        self.let_go()
        eventually(lambda: self.accepted() >= until, f"{number} more callbacks are accepted")
        self.hold()

    def kill_and_restart(self, name: str) -> None:
        """SIGKILL for its group; then the load is held, and it is started again at once, without the usual wait."""
        before = self.stack.pid(name)
        self.stack.kill(name)
        self.hold()
        eventually(lambda: self.stack.pid(name) != before, f"{name} is dead")
        self.stack.start([name])

    def triggered(self) -> None:
        """Until every pull was asked for."""
        eventually(lambda: all(self.asked(player) for player in self.everybody), "every pull is triggered")

    def asked(self, player: Player) -> bool:
        """Whether Paragon was asked for all that this player's runs want."""
        runs = self.walk.runs(player)
        return bool(runs) and all(run["attempt"] > 0 for run in runs)

    def finish(self) -> None:
        """Let everything go; until every window is covered and nothing waits."""
        self.let_go()
        self.walk.await_covered(self.everybody)

    def account(self) -> balance.Account:
        """What the outside ledger says."""
        return demo.account_for(self.walk, self.everybody, [self.directory], None)

    def holds_all(self) -> None:
        """The mesh knows every message that the allowed channels have in Slack: a truth beyond the ledger's."""
        for player in self.everybody:
            lists = set(self.walk.api.get(f"{player.path}/allowlist").json()["channels"])
            wanted = {id_: number for id_, number in self.in_slack(player).items() if id_ in lists}
            assert {id_: number for id_, number in self.kept(player).items() if id_ in lists} == wanted
            assert self.in_mesh(player).keys() <= lists

    def revise(self, channels: list[str]) -> httpx.Response:
        """The first player's list, replaced whole; the API's answer."""
        path = f"{self.one.path}/allowlist"
        seen = self.walk.api.get(path).headers["ETag"]
        return self.walk.api.put(path, json={"channels": channels}, headers={"If-Match": seen})

    def allowed(self) -> list[str]:
        """The first player's list."""
        channels: list[str] = self.walk.api.get(f"{self.one.path}/allowlist").json()["channels"]
        return channels

    def canaries(self) -> dict[str, bytes]:
        """Channel → the word that each of its messages holds and no other channel's."""
        rows = self.walk.simulator.get("/_sim/canaries").json()["canaries"]
        return {row["channel"]: row["canary"].encode() for row in rows}

    def in_slack(self, player: Player) -> dict[str, int]:
        """Messages by channel, as the simulator made them, deleted ones too: all that a record stands for."""
        workspaces = self.walk.simulator.get("/_sim/workspaces", params={"records": 1}).json()["workspaces"]
        [mine] = [row for row in workspaces if player.connection in row["connections"]]
        return {channel["id"]: channel["records"] for channel in mine["channels"]}

    def kept(self, player: Player) -> dict[str, int]:
        """Messages by channel, with the deleted ones, of which only the id is left."""
        path = f"/v1/{player.org}/slack/message/records"
        return Counter(record["id"].split(":")[1] for record in self.walk.pages(path, "records", all="true"))

    def in_mesh(self, player: Player) -> dict[str, int]:
        """Live messages by channel."""
        found: dict[str, int] = {}
        for record in self.walk.pages(f"/v1/{player.org}/slack/message/records", "records"):
            found[record["channel"]] = found.get(record["channel"], 0) + 1
        return found

    def knock(self) -> httpx.Response:
        """A callback of our own: one page of users, by the project's secret."""
        body = {"connection": self.one.connection, "run_id": "knock", "cursor": "x", "next_cursor": "", "members": []}
        bearer = self.stack.secrets.webhook_secret.get_secret_value()
        url = f"{self.stack.urls['api']}/v1/webhooks/slack/users"
        with httpx.Client(trust_env=False, timeout=10) as client:
            return client.post(url, json=body, headers={"Authorization": f"Bearer {bearer}"})


@contextmanager
def passing(
    directory: Path, *, without: tuple[str, ...] = ("flower",), given: dict[str, str] | None = None, **sim: Any
) -> Iterator[Pass]:
    """Start everything but `without`, with SLUICE_* variables and simulator options."""
    simulator = SimulatorOptions(**({"stray": -1, "retry_scale": 0.05} | sim))
    with Stack(directory, StackOptions(given=given or {}, simulator=simulator)) as stack:
        stack.start([name for name in stack.names if name not in without])
        operator, mesh = stack.secrets.operator_token.get_secret_value(), stack.secrets.mesh_token.get_secret_value()
        with Walk(stack.urls, operator, mesh, lambda _: None, patience=60) as walk:
            yield Pass(stack, walk, players(simulator.connections or 1), directory)


def kept_every_promise(done: Pass, *, at_least: int) -> balance.Account:
    """Lost, twice, leaked 0; all covered; the mesh holds all of Slack's allowed messages; and there was a load."""
    account = done.account()
    assert account.balanced, account
    assert done.accepted() >= at_least, "too little of a load"
    done.holds_all()
    return account

"""The way of the data, walked from outside: only public routes of the API, the mesh and the simulator are used."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import httpx

Say = Callable[[str], None]


class StalledError(Exception):
    """Nothing moved for too long; the text says what was waited for."""


@dataclass(frozen=True)
class Player:
    """A user of the core service who connects Slack, and the workspace that is his."""

    connection: str
    workspace: int

    @property
    def org(self) -> str:
        """The organisation."""
        return self.connection.rpartition("/")[2]

    @property
    def path(self) -> str:
        """The connection's routes."""
        user, _, org = self.connection.rpartition("/")
        return f"/v1/orgs/{quote(org, safe='')}/connections/{quote(user, safe='')}"


def players(count: int) -> list[Player]:
    """Users of as many organisations."""
    names = ("rob", "ann", "kim", "ana", "léa", "noor", "yuki", "sam")
    return [Player(f"{names[i % len(names)]}@example.com/org{i + 1:03d}", i) for i in range(count)]


class Walk:
    """Clients of the three servers, and each step of the story. Times in seconds."""

    def __init__(self, urls: dict[str, str], operator: str, mesh: str, say: Say, *, patience: float = 120.0) -> None:
        bearer = {"Authorization": f"Bearer {operator}"}
        self.api = httpx.Client(base_url=urls["api"], headers=bearer, trust_env=False, timeout=30)
        self.mesh = httpx.Client(
            base_url=urls["mesh"], headers={"Authorization": f"Bearer {mesh}"}, trust_env=False, timeout=60
        )
        self.simulator = httpx.Client(base_url=urls["simulator"], trust_env=False, timeout=60)
        self.say, self.patience = say, patience

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in (self.api, self.mesh, self.simulator):
            client.close()

    def register(self, player: Player) -> None:
        """The core service registers the user, before he is sent to Connect."""
        _ok(self.api.put(player.path, json={"name": player.connection.partition("@")[0]}))

    def connect(self, player: Player) -> Any:
        """The user connects Slack; Paragon's workflows post channels and users."""
        body = {"connection": player.connection, "workspace": player.workspace}
        return _ok(self.simulator.post("/_sim/connect", json=body))

    def await_directory(self, player: Player) -> None:
        """Until channels and users were read to their end."""
        self.until(
            f"the directory of {player.connection}",
            lambda: None not in self.look(player)["directory"].values(),
        )

    def channels(self, player: Player) -> list[str]:
        """The channels that the picker can offer, by id."""
        rows = _ok(self.api.get(f"{player.path}/channels"))["channels"]
        return sorted(row["channel"] for row in rows if not (row["is_im"] or row["is_mpim"]))

    def allow(self, player: Player, wanted: list[str]) -> Any:
        """The admin's list, whole."""
        seen = self.api.get(f"{player.path}/allowlist")
        _ok(seen)
        answer = self.api.put(
            f"{player.path}/allowlist", json={"channels": wanted}, headers={"If-Match": seen.headers["ETag"]}
        )
        return _ok(answer)

    def look(self, player: Player) -> Any:
        """What the API knows of the connection."""
        return _ok(self.api.get(player.path))

    def await_metadata(self, player: Player) -> None:
        """Until Paragon's metadata carries the list."""
        self.until(f"the metadata of {player.connection}", lambda: self.look(player)["metadata_at"] is not None)

    def runs(self, player: Player) -> list[dict[str, Any]]:
        """The newest runs."""
        rows: list[dict[str, Any]] = _ok(self.api.get(f"{player.path}/pulls"))["runs"]
        return rows

    def status(self) -> Any:
        """Backlog and counters."""
        return _ok(self.api.get("/v1/status"))

    def coverage(self, player: Player) -> dict[str, Any]:
        """Channel → how far it is covered, and what is left to do."""
        found: dict[str, Any] = _ok(self.api.get(f"{player.path}/coverage"))
        return found

    def await_covered(self, everybody: list[Player]) -> None:
        """Until every channel is read back to its start, every requested window is covered, and nothing waits."""

        def done() -> bool:
            runs = [run for player in everybody for run in self.runs(player)]
            ended = bool(runs) and all(run["state"] in ("covered", "cancelled", "halved") for run in runs)
            plans = [self.coverage(player)["plan"] for player in everybody]
            ended = ended and not any(plan["backfill_channels"] or plan["moved_threads"] for plan in plans)
            status = self.status()
            idle = _ok(self.simulator.get("/_sim/status"))["idle"]
            return bool(ended and idle and status["backlog"] == 0)

        self.until("the pulls", done, moving=self._moving)

    def _moving(self) -> tuple[int, int]:
        """Numbers that change while anything moves."""
        return self.status()["backlog"], _ok(self.simulator.get("/_sim/status"))["callbacks"]["accepted"]

    def count(self, org: str) -> dict[str, int]:
        """Live records of an organisation in the mesh, by model."""
        counts: dict[str, int] = {}
        for model in ("user", "allowed_slack_channel", "message"):
            counts[model] = _ok(self.mesh.get(f"/v1/{quote(org, safe='')}/slack/{model}/count"))["count"]
        return counts

    def pages(self, path: str, key: str, **params: str | int) -> Iterator[dict[str, Any]]:
        """Everything behind a paged route of the mesh or the simulator: follows `next` while there is one."""
        client = self.simulator if path.startswith("/_sim") else self.mesh
        after: str | int | None = 0 if path.startswith("/_sim") or path.endswith("/effects") else ""
        while after is not None:
            body = _ok(client.get(path, params={"after": after, "limit": 1000, **params}))
            yield from body[key]
            after = body.get("next") if body.get("more", body.get("next") is not None) and body[key] else None

    def until(self, what: str, done: Callable[[], bool], *, moving: Callable[[], object] | None = None) -> None:
        """Wait until `done`; give up when for `patience` seconds neither it nor what `moving` shows changed."""
        last, since = moving() if moving else None, time.monotonic()
        while not done():
            if moving is not None and (now := moving()) != last:
                last, since = now, time.monotonic()
            if time.monotonic() - since > self.patience:
                raise StalledError(f"nothing moved for {self.patience:.0f} s while waiting for {what}")
            time.sleep(0.1)


def _ok(response: httpx.Response) -> Any:
    """The JSON of a success. The error names route and status; our own API's problems hold no content."""
    if response.is_success:
        return response.json()
    raise StalledError(f"{response.request.method} {response.request.url.path} answered {response.status_code}")

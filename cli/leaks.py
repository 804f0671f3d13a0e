"""Looks for what must be nowhere: canaries of channels that are not allowed, in every file and every answer."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from cli.walk import Player, Walk

_SHORTEST_SNIPPET = 16


def canaries(walk: Walk, everybody: list[Player], lists: Mapping[str, set[str]], workspace: Path | None) -> set[bytes]:
    """Words that only channels which are not allowed hold."""
    words: set[bytes] = set()
    orgs = {row["team"]: _orgs(row, everybody) for row in _workspaces(walk)}
    for row in walk.simulator.get("/_sim/canaries").json()["canaries"]:
        if row["canary"] and not any(row["channel"] in lists[org] for org in orgs.get(row["team"], ())):
            words.add(row["canary"].encode())
    if workspace is not None:
        allowed = set().union(*lists.values()) if lists else set()
        words |= set(_snippets(workspace, allowed))
    return words


def _workspaces(walk: Walk) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = walk.simulator.get("/_sim/workspaces").json()["workspaces"]
    return rows


def _orgs(row: Mapping[str, object], everybody: list[Player]) -> list[str]:
    connected = row["connections"]
    return [player.org for player in everybody if isinstance(connected, list) and player.connection in connected]


def _snippets(export: Path, allowed: set[str]) -> Iterator[bytes]:
    """Texts of an export's channels that are not allowed, unless an allowed channel has the same text."""
    told: dict[bool, set[str]] = {True: set(), False: set()}
    for channel in json.loads((export / "channels.json").read_text()):
        for day in sorted((export / channel["name"]).glob("*.json")):
            texts = {str(message.get("text") or "") for message in json.loads(day.read_text())}
            told[channel["id"] in allowed] |= texts
    for text in told[False]:
        if len(text) >= _SHORTEST_SNIPPET and not any(text in other for other in told[True]):
            yield text.encode()


def found(words: set[bytes], walk: Walk, everybody: list[Player], directories: Iterable[Path]) -> int:
    """How many of the words appear anywhere: files that the run wrote, the mesh, metrics, dead letters."""
    if not words:
        return 0
    seen = {word for blob in _blobs(walk, everybody, directories) for word in words if word in blob}
    return len(seen)


def _blobs(walk: Walk, everybody: list[Player], directories: Iterable[Path]) -> Iterator[bytes]:
    for directory in directories:
        for path in directory.rglob("*"):
            if path.is_file():
                yield path.read_bytes()
    yield walk.api.get("/metrics").content
    yield walk.api.get("/v1/dead-letters", params={"limit": 10_000}).content
    for player in everybody:
        for model in ("message", "user", "allowed_slack_channel"):
            route = f"/v1/{quote(player.org, safe='')}/slack/{model}/records"
            for record in walk.pages(route, "records", all="true"):
                yield json.dumps(record, ensure_ascii=False).encode(errors="surrogatepass")

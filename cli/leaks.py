"""Looks for what must be nowhere: canaries of channels that are not allowed, in every file and every answer."""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from urllib.parse import quote

import zstandard

from cli.walk import Player, Walk
from simulator.export import read_export
from simulator.slack.channel import Channel

_SHORTEST_SNIPPET = 16
_MOST_SNIPPETS = 2000
_MOST_COMPRESSED = 16 * 1024 * 1024


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
    """Texts of an export's channels that are not allowed, unless an allowed channel has the same text in it.

    Of a large export some of each channel: each is looked for in every file and answer.
    """
    workspace = read_export(export)
    closed = [channel for name, channel in workspace.channels.items() if name not in allowed]
    words: set[str] = set()
    for channel in closed:
        words.update(islice(filter(_is_telling, _texts(channel)), max(1, _MOST_SNIPPETS // len(closed))))
    for name in allowed & workspace.channels.keys():
        for text in _texts(workspace.channel(name)):
            words -= {word for word in words if word in text}
    yield from (word.encode(errors="replace") for word in words)


def _texts(channel: Channel) -> Iterator[str]:
    return (str(message.get("text") or "") for message in channel.messages.values())


def _is_telling(text: str) -> bool:
    return len(text) >= _SHORTEST_SNIPPET


def sightings(
    words: set[bytes], walk: Walk, everybody: list[Player], directories: Iterable[Path]
) -> dict[str, set[bytes]]:
    """Place → the words that appear there: files that the run wrote, the mesh, metrics, dead letters.

    A file's place is its path. What lies compressed is looked into as well.
    """
    return _search(words, chain(_files(directories), _answers(walk, everybody)))


def in_files(words: set[bytes], directories: Iterable[Path]) -> dict[str, set[bytes]]:
    """The same for files alone, when everything has stopped."""
    return _search(words, _files(directories))


def _search(words: set[bytes], blobs: Iterable[tuple[str, bytes]]) -> dict[str, set[bytes]]:
    seen: dict[str, set[bytes]] = {}
    for place, blob in blobs:
        if here := {word for layer in _layers(blob) for word in words if word in layer}:
            seen[place] = seen.get(place, set()) | here
    return seen


def _files(directories: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for directory in directories:
        for path in sorted(directory.rglob("*")):
            with suppress(FileNotFoundError):  # a journal or a temporary file may go while we look
                if path.is_file():
                    yield str(path), path.read_bytes()


def _answers(walk: Walk, everybody: list[Player]) -> Iterator[tuple[str, bytes]]:
    yield "/metrics", walk.api.get("/metrics").content
    yield "/v1/dead-letters", walk.api.get("/v1/dead-letters", params={"limit": 10_000}).content
    yield "/v1/audit", walk.api.get("/v1/audit", params={"limit": 1000}).content
    for player in everybody:
        for model in ("message", "user", "allowed_slack_channel"):
            route = f"/v1/{quote(player.org, safe='')}/slack/{model}/records"
            for record in walk.pages(route, "records", all="true"):
                yield route, json.dumps(record, ensure_ascii=False).encode(errors="surrogatepass")


def _layers(blob: bytes) -> Iterator[bytes]:
    """The bytes, and whatever in them is compressed with zstd or gzip: an entry that was not sealed would be."""
    yield blob
    for magic, inflate in ((b"\x28\xb5\x2f\xfd", _zstd), (b"\x1f\x8b\x08", _gzip)):
        at = blob.find(magic)
        while at >= 0:
            with suppress(zstandard.ZstdError, zlib.error):
                yield inflate(blob[at : at + _MOST_COMPRESSED])
            at = blob.find(magic, at + 1)


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def _gzip(data: bytes) -> bytes:
    return zlib.decompressobj(31).decompress(data)

"""A backup put in place of the embedded store: built and held beside it, and only then given its name."""

import re
import shutil
import time
from pathlib import Path

import redis

from cli.backup import LOADING_SECONDS, sync_directory
from cli.embedded import EmbeddedServer
from cli.runfile import held
from pipeline.store import hold
from pipeline.store.client import ask, connect
from pipeline.store.keys import META, Shards
from pipeline.store.layout import LAYOUT

_MAGIC = (b"REDIS", b"VALKEY")
_MADE = re.compile(rb"\xfa\x05ctime\xc2(.{4})", re.S)  # an auxiliary field of the file's head: seconds, 32 bits


class NoBackup(Exception):
    """The file is not a backup of a store that this version can use; nothing was changed."""


def restore(state_dir: Path, file: Path) -> Path | None:
    """Replace the store in the state directory; where the one before it went, None if there was none.

    Raises `NoBackup`, NoServer (also for a damaged file: the server checks it) or AlreadyRunning.
    """
    made_at = _made_at(file)
    with held(state_dir):
        building, store = state_dir / "store.restoring", state_dir / "store"
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(mode=0o700)
        shutil.copyfile(file, building / "dump.rdb")
        (building / "dump.rdb").chmod(0o600)
        keys = _held_in_a_log(building, made_at)
        _proved(building, keys)
        before = None
        if store.exists():
            before = state_dir / time.strftime("store.before-%Y%m%dT%H%M%SZ", time.gmtime())
            store.rename(before)
        building.rename(store)
        sync_directory(state_dir)
        return before


def _made_at(file: Path) -> int | None:
    """When the snapshot was made, in microseconds, if its head says so. Raises `NoBackup` for another kind of file."""
    with file.open("rb") as opened:
        head = opened.read(512)
    if not head.startswith(_MAGIC):
        raise NoBackup(f"{file} is not a snapshot of a Redis or Valkey.")
    found = _MADE.search(head)
    return int.from_bytes(found[1], "little") * 1_000_000 if found else None


def _held_in_a_log(directory: Path, made_at: int | None) -> int:
    """Load the snapshot, hold it, and turn it into an append-only log; how many keys it has then.

    Before it is held it runs on a port that nobody was told, without its name: no process of ours can meet it.
    """
    with EmbeddedServer(directory, durable=False) as server:
        client = connect(server.url)
        try:
            hold.place(client, Shards(_shards(client)), made_at)
            keys = int(ask(client, "DBSIZE"))
            for name, value in (("appendfsync", "always"), ("appendonly", "yes")):
                ask(client, "CONFIG", "SET", name, value)
            _await_log(client)
        finally:
            client.close()
    (directory / "dump.rdb").unlink()
    return keys


def _shards(client: redis.Redis) -> int:
    """The store's own shard count. Raises `NoBackup` for what is no store of ours, or a newer one."""
    shards, layout = ask(client, "HMGET", META, "shards", "layout")
    if shards is None or layout is None:
        raise NoBackup("The snapshot is not one of a store of Sluice.")
    if int(layout) > LAYOUT:
        raise NoBackup(f"The snapshot has layout {int(layout)}, this version knows {LAYOUT}: use the newer one.")
    return int(shards)


def _await_log(client: redis.Redis) -> None:
    """Until the log holds everything: it is written in the background."""
    until = time.monotonic() + LOADING_SECONDS
    while time.monotonic() < until:
        info = ask(client, "INFO", "persistence")
        if not (info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"]):
            if info["aof_enabled"] and info["aof_last_bgrewrite_status"] == "ok":
                return
            break
        time.sleep(0.05)
    raise NoBackup("The append-only log could not be written: look for room on the disk.")


def _proved(directory: Path, keys: int) -> None:
    """Start it as `up` will, and count."""
    server = EmbeddedServer(directory)
    client = connect(server.url)
    try:
        server.start(LOADING_SECONDS)
        if hold.found(client) is None or int(ask(client, "DBSIZE")) < keys:
            raise NoBackup("The restored store does not come up as it was written; nothing was changed.")
    finally:
        client.close()
        server.stop(grace=30)

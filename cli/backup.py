"""`./sluice backup FILE`: a snapshot of the embedded store, of one moment, while it runs or while it does not."""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

import redis

from cli.embedded import EmbeddedServer, NoServer
from cli.exits import Exit
from cli.runfile import STATE_DIR, AlreadyRunning, held, holder, read_status
from pipeline.errors import Unavailable
from pipeline.store.client import ask, connect
from settings import SettingsError, variables

LOADING_SECONDS = 600.0
_SNAPSHOT = "dump.rdb"


class NoSnapshot(Exception):
    """The store could not write its snapshot; the text says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a new file; only its owner can read it")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 when the snapshot is on disk, 1 if it could not be made, 2 for a store not ours or a file that exists."""
    refuse_external()
    if args.file.exists():
        raise SettingsError(f"{args.file} exists: a backup is never written over.")
    try:
        bytes_ = backup(args.state.resolve(), args.file)
    except (NoSnapshot, NoServer, AlreadyRunning, Unavailable, OSError) as error:
        print(f"sluice: {error}", file=sys.stderr)
        return Exit.FAILED
    print(f"{args.file}: {bytes_} bytes. It opens only with the vault keys, which are not in it: keep them apart.")
    return Exit.DONE


def refuse_external() -> None:
    """A store of the user's own is backed up and restored with its own means. Raises SettingsError."""
    if variables().get("SLUICE_STORE_URL"):
        raise SettingsError("SLUICE_STORE_URL is set: that store has its own backups; docs/backup.md says how.")


def backup(state_dir: Path, file: Path) -> int:
    """Write the snapshot of the store in that state directory; its size in bytes."""
    directory = state_dir / "store"
    if not directory.is_dir():
        raise NoSnapshot(f"There is no store in {state_dir}.")
    if holder(state_dir) is not None:
        url = read_status(state_dir).get("played", {}).get("store")
        if url is None:
            raise NoSnapshot("The store is not up yet: try again in a moment.")
        return _kept(url, directory, file)
    with held(state_dir):
        server = EmbeddedServer(directory)
        try:
            return _kept(server.start(LOADING_SECONDS).url, directory, file)
        finally:
            server.stop(grace=30)


def _kept(url: str, directory: Path, file: Path) -> int:
    """Fork, write, and move the file out of the store's directory, where nobody would look for it."""
    client = connect(url)
    try:
        snapshot(client)
    finally:
        client.close()
    return _moved(directory / _SNAPSHOT, file)


def snapshot(client: redis.Redis, patience: float = LOADING_SECONDS) -> None:
    """Have the server write a snapshot of this moment. Raises `NoSnapshot`."""
    until = time.monotonic() + patience
    begun = False
    while time.monotonic() < until:
        info = ask(client, "INFO", "persistence")
        if begun and not info["rdb_bgsave_in_progress"]:
            if info["rdb_last_bgsave_status"] != "ok":
                raise NoSnapshot("The store could not write its snapshot: its log says why.")
            return
        if not begun and not info["rdb_bgsave_in_progress"] and not info["aof_rewrite_in_progress"]:
            begun = _begun(client)
        time.sleep(0.05)
    raise NoSnapshot("The store did not end its snapshot in time.")


def _begun(client: redis.Redis) -> bool:
    try:
        ask(client, "BGSAVE")
    except redis.ResponseError:
        return False  # it has just begun to rewrite its log: after that
    return True


def _moved(snapshot_file: Path, file: Path) -> int:
    """Whole or not at all, and on disk."""
    draft = file.with_name(file.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with snapshot_file.open("rb") as source, os.fdopen(descriptor, "wb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    draft.rename(file)
    sync_directory(file.parent)
    snapshot_file.unlink()
    return file.stat().st_size


def sync_directory(directory: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

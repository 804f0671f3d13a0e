"""`./sluice restore`: the embedded store out of a backup, held until an operator confirms the lists.

FILE        put it in place; the store that was there is kept beside it
--hold      hold a store of your own, after you have restored it and before anything starts
--confirm   narrow the lists to what Paragon remembers, retract what no list allows, exclude whoever was erased since,
            and let everything go on
--fence     only retract what the mesh shows and no list allows, and whoever was erased: after the mesh was restored
(nothing)   say whether the store is held
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import common_mesh

from cli.backup import refuse_external
from cli.embedded import NoServer
from cli.exits import Exit
from cli.proxy import paragon_client
from cli.restoring import NoBackup, restore
from cli.runfile import STATE_DIR, AlreadyRunning
from cli.running import NothingRuns, whole_settings
from pipeline import reconcile
from pipeline.delivery import Delivery
from pipeline.errors import Unavailable
from pipeline.paragon.client import ParagonClient
from pipeline.reconcile import Findings
from pipeline.reconcile_people import people
from pipeline.stages.stores import Stores, make_stores
from pipeline.store import hold
from pipeline.store.client import connect
from pipeline.store.keys import Shards
from pipeline.store.vault import Vault
from settings import Settings

NEXT = """The store is held: callbacks are kept, nothing is delivered or asked for. Now:
  1. start it (`./sluice up --no-story`)
  2. have the core service disconnect what has ended since, and put every list as it is now
  3. ./sluice restore --confirm"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One of them, or none."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("file", nargs="?", type=Path, metavar="FILE", help="what `backup` wrote, or any RDB file")
    which.add_argument("--hold", action="store_true", help="hold a store that you restored by other means")
    which.add_argument("--confirm", action="store_true", help="the lists are right: check them, and go on")
    which.add_argument("--fence", action="store_true", help="retract what the mesh shows and no list allows")
    parser.add_argument("--accept-older-lists", action="store_true", help="confirm even what could not be found out")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 done; 1 it failed, or the store stays held; 3 it needs the running store; 4 the store is in use."""
    state_dir = args.state.resolve()
    try:
        if args.file is not None:
            return _restored(state_dir, args.file)
        with _stores(whole_settings(state_dir)) as (stores, paragon, reader):
            if args.hold:
                hold.place(stores.client, stores.shards, None)
                print(NEXT)
                return Exit.DONE
            if args.fence:
                return _fenced(stores, reader)
            return _confirmed(stores, paragon, reader, args) if args.confirm else _shown(stores)
    except NothingRuns as error:
        print(f"sluice: {error}", file=sys.stderr)
        return Exit.NOT_RUNNING
    except AlreadyRunning as error:
        print(f"sluice: {error}", file=sys.stderr)
        return Exit.ALREADY_RUNNING
    except (NoBackup, NoServer, Unavailable, OSError) as error:
        print(f"sluice: {error}", file=sys.stderr)
        return Exit.FAILED


def _restored(state_dir: Path, file: Path) -> int:
    refuse_external()
    before = restore(state_dir, file)
    print(f"The store that was here is kept in {before}." if before else "There was no store here before.")
    print(NEXT)
    return Exit.DONE


def _shown(stores: Stores) -> int:
    found = hold.found(stores.client)
    if found is None:
        print("The store is not held.")
        return Exit.DONE
    print(f"The store is held since {_time(found.since)}; its backup was made {_time(found.backup)}.")
    for name in stores.connections.names():
        known = stores.connections.get(name)
        if known is not None and known.live:
            older = hold.untouched(stores.client, stores.shards.of(name), name)
            said = "the backup's" if older else "put since"
            print(f"  {name}: {len(stores.allowlists.own(name, known.team))} channels, {said}")
    return Exit.FAILED


def _confirmed(
    stores: Stores, paragon: ParagonClient, reader: common_mesh.MeshReader | None, args: argparse.Namespace
) -> int:
    if hold.found(stores.client) is None:
        print("The store is not held.")
        return Exit.DONE
    findings = Findings()
    reconcile.narrow(stores, paragon.me, findings)
    reconcile.fence(stores, reader, findings)
    people(stores, reader, findings)
    _tell(findings)
    if findings.doubts and not args.accept_older_lists:
        print("The store stays held. Settle these (putting or ending the connection does), or --accept-older-lists.")
        return Exit.FAILED
    hold.lift(stores.client, stores.shards)
    print("Confirmed: everything goes on.")
    return Exit.DONE


def _fenced(stores: Stores, reader: common_mesh.MeshReader | None) -> int:
    findings = Findings()
    reconcile.fence(stores, reader, findings)
    people(stores, reader, findings)
    _tell(findings)
    return Exit.FAILED if findings.doubts else Exit.DONE


def _tell(findings: Findings) -> None:
    for connection, count in findings.narrowed.items():
        print(f"  {connection}: {count} channels taken off its list, since Paragon does not have them any more")
    for org, count in findings.fenced.items():
        print(f"  {org}: {count} channels retracted that the mesh shows and no list allows")
    for org in findings.unknown:
        print(f"  {org}: in the mesh, and not in this store: register its connections again, or delete it in the mesh")
    for org, count in findings.erased.items():
        print(f"  {org}: {count} persons excluded again, who were erased after the backup")
    for org, count in findings.refenced.items():
        print(f"  {org}: {count} persons retracted again, of whose erasure the mesh did not know")
    for who in findings.readmitted:
        print(f"  {who} was let in again after the backup and is erased here: repeat PUT …/people/{{id}} if it holds")
    for doubt in findings.doubts:
        print(f"  ? {doubt}")


@contextlib.contextmanager
def _stores(settings: Settings) -> Iterator[tuple[Stores, ParagonClient, common_mesh.MeshReader | None]]:
    """Stores that deliver nothing, Paragon, and the mesh where it can be read."""
    with contextlib.ExitStack() as stack:
        client = connect(settings.store_url)
        stack.callback(client.close)
        paragon = stack.enter_context(paragon_client(settings))
        reader = None
        if settings.mesh_url:
            token = settings.mesh_token.get_secret_value() or None
            reader = stack.enter_context(common_mesh.MeshReader(settings.mesh_url, token))
        stores = make_stores(
            client,
            Shards(settings.shards),
            Vault(settings.vault_keys),
            Delivery(_Nobody()),
            find_team=_nobody_asks,
            now_us=lambda: time.time_ns() // 1000,
            overdue_us=int(settings.overdue_seconds * 1e6),
        )
        yield stores, paragon, reader


class _Nobody:
    """What this command decides goes out through the workers, as effects."""

    def create_session(self, org: str, module: str, model: str) -> "_Nobody":
        raise RuntimeError("this command delivers nothing itself")

    def send_all_models(self, models: object) -> None:
        raise RuntimeError("this command delivers nothing itself")


def _nobody_asks(connection: str) -> str:
    raise RuntimeError("this command looks for no team")


def _time(us: int | None) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(us / 1e6)) if us else "at a time that it does not say"

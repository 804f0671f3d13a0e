"""`./sluice mesh check`: what a mesh keeps of the rules that Sluice relies on, tried in a scratch organisation."""

import argparse
import contextlib
import json
import secrets
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import common_mesh

from cli.dev_secrets import DevSecrets
from cli.exits import Exit
from cli.runfile import STATE_DIR, holder, read_status
from pipeline.delivery import Engine, WrongEngineError, load_engine
from pipeline.errors import Unavailable
from pipeline.mesh_check.check import Outcome, Verdict, check
from settings import Settings, SettingsError

SCRATCH = "scratch-"
_WORDS: dict[Verdict, str] = {"kept": "kept", "broken": "NOT KEPT", "unseen": "unseen"}


@dataclass(frozen=True, slots=True)
class Target:
    """Which mesh: an engine of the company's or None, an address to send to or to read from, and its token."""

    engine: str | None
    url: str | None
    token: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`check`, and which mesh: from the settings, else the one that `up` plays."""
    parser.add_argument("what", choices=["check"], help="send, repeat, reorder, delete, retract, revive; read it back")
    parser.add_argument("--engine", metavar="MODULE:FACTORY", help="a company's own engine (SLUICE_MESH_ENGINE)")
    parser.add_argument("--url", help="the mesh's address; with --engine only to read from (SLUICE_MESH_URL)")
    parser.add_argument("--token", help="its bearer token; others can see a command line (SLUICE_MESH_TOKEN)")
    parser.add_argument("--org", type=_scratch, metavar="scratch-…", help="the organisation to write to (a fresh one)")
    parser.add_argument("--settle", type=float, default=0.0, metavar="SECONDS", help="wait before reading (default 0)")
    parser.add_argument("--json", action="store_true", help="org, kept, lines, conclusions")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 if every promise was seen to be kept, 1 if not, or if the mesh is away, 2 for a wrong engine or address."""
    target = _target(args)
    org = args.org or SCRATCH + secrets.token_hex(4)
    try:
        with _opened(target) as (engine, reader):
            outcome = check(engine, reader, org, settle=args.settle)
    except WrongEngineError as error:
        raise SettingsError(f"SLUICE_MESH_ENGINE: {error}") from error
    except Unavailable as outage:
        print(f"sluice: nothing can be said of this mesh: {outage.what}.", file=sys.stderr)
        return Exit.FAILED
    print(json.dumps({**asdict(outcome), "kept": outcome.kept}, indent=1) if args.json else _shown(outcome))
    return Exit.DONE if outcome.kept else Exit.FAILED


def _scratch(text: str) -> str:
    """Fences cannot be lifted: never in an organisation that holds anything."""
    if not text.startswith(SCRATCH) or "/" in text:
        raise argparse.ArgumentTypeError(f"an organisation to write rubbish to begins with {SCRATCH!r}")
    return text


def _target(args: argparse.Namespace) -> Target:
    """What the command line says, else the settings, else the mesh of a running `up`. Raises SettingsError."""
    if args.engine or args.url:
        return Target(args.engine, args.url, args.token)
    settings = Settings.load("cli")
    if settings.mesh_engine or settings.mesh_url:
        token = args.token or settings.mesh_token.get_secret_value()
        return Target(settings.mesh_engine or None, settings.mesh_url or None, token or None)
    state_dir = args.state.resolve()
    url = read_status(state_dir).get("urls", {}).get("mesh") if holder(state_dir) is not None else None
    if url is None:
        raise SettingsError("No mesh to check: set SLUICE_MESH_URL or SLUICE_MESH_ENGINE, or start one: `./sluice up`.")
    return Target(None, url, DevSecrets.path(state_dir / "secrets", "mesh_token").read_text())


@contextlib.contextmanager
def _opened(target: Target) -> Iterator[tuple[Engine, common_mesh.MeshReader | None]]:
    """The engine, and a reader where there is an address to read from."""
    with contextlib.ExitStack() as stack:
        try:
            engine = load_engine(target.engine, target.url, target.token)
            reader = common_mesh.MeshReader(target.url, target.token) if target.url else None
        except WrongEngineError:
            raise
        except ValueError as error:
            raise SettingsError(f"The mesh's address is wrong: {error}.") from error
        if isinstance(engine, common_mesh.MeshEngine):
            stack.callback(engine.close)
        if reader is not None:
            stack.callback(reader.close)
        yield engine, reader


def _shown(outcome: Outcome) -> str:
    width = max(len(line.name) for line in outcome.lines)
    rows = [f"  {_WORDS[line.verdict]:<9} {line.name:<{width}}  {line.said}" for line in outcome.lines]
    ends = [f"{conclusion}." for conclusion in outcome.conclusions]
    left = f"Left in {outcome.org}: tombstones and retractions, nothing live."
    return "\n".join([*rows, "", *(end[0].upper() + end[1:] for end in ends), left])

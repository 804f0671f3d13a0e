"""`./sluice demo`: one full pass on fresh state, counted by an outside ledger; then everything stops.

With `--faults` it is a pass under faults (`cli.faulty`), held against the workspace itself; with `--seeds` one a seed.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from cli import balance, faulty, leaks, seeds
from cli.exits import Exit
from cli.options import SimulatorOptions, StackOptions, fault_names, slack_export
from cli.stack import Stack
from cli.story import Choose, every_other, tell
from cli.supervisor import StartFailed
from cli.walk import Player, Say, StalledError, Walk, players
from simulator.faults import named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the workspace looks like, and what is allowed of it."""
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout; progress stays on stderr")
    parser.add_argument("--connections", type=_positive, default=1, metavar="N", help="users who connect Slack")
    parser.add_argument("--channels", type=_positive, default=6, metavar="N", help="channels of each workspace")
    parser.add_argument("--messages", type=_positive, default=400, metavar="N", help="messages of each workspace")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="another seed, another workspace")
    parser.add_argument(
        "--workspace", type=slack_export, metavar="PATH", help="your own Slack export: its zip or folder"
    )
    parser.add_argument("--allow", metavar="C1,C2|*", help="channels to allow (default: the 1st, 3rd, 5th …)")
    parser.add_argument("--faults", type=fault_names, metavar="A,B|all", help="what goes wrong: docs/faults.md")
    parser.add_argument("--seeds", type=seeds.numbers, metavar="1-50", help="with --faults: one pass a seed")
    parser.add_argument(
        "--time-scale",
        type=_scale,
        default=faulty.TIME_SCALE,
        metavar="X",
        help="with --faults: the length of a second",
    )


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number from 1")
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1:
        raise argparse.ArgumentTypeError("must be a number above 0, 1 at most")
    return scale


def run(args: argparse.Namespace) -> int:
    """0 only if the outside ledger balances or, under faults, if every pass kept what is promised."""
    if args.seeds and not args.faults:
        print("sluice: --seeds goes with --faults", file=sys.stderr)
        return Exit.USAGE
    if args.seeds:
        return seeds.play(args.seeds, lambda seed: _under_faults(args, seed, lambda _: None), as_json=args.json)
    try:
        if args.faults:
            outcome = _under_faults(args, args.seed, _say)
            print(faulty.as_json(outcome) if args.json else faulty.as_table(outcome))
            return Exit.DONE if outcome.kept else Exit.FAILED
        with tempfile.TemporaryDirectory(prefix="sluice-demo-") as scratch:
            account, seconds = _pass(args, Path(scratch))
    except (StartFailed, StalledError) as error:
        print(f"sluice: {error}", file=sys.stderr)
        return Exit.FAILED
    print(_json(account, seconds) if args.json else _table(account, seconds))
    return Exit.DONE if account.balanced else Exit.FAILED


def _pass(args: argparse.Namespace, state: Path) -> tuple[balance.Account, float]:
    begun = time.monotonic()
    simulator = SimulatorOptions(
        connections=args.connections,
        channels=args.channels,
        messages=args.messages,
        seed=args.seed,
        workspace=args.workspace,
        stray=-1,  # pages of all channels that were not asked for: without them the gate would have nothing to stop
    )
    with Stack(state, StackOptions(simulator=simulator)) as stack:
        stack.start(progress=_say)
        secrets = stack.secrets
        operator, mesh = secrets.operator_token.get_secret_value(), secrets.mesh_token.get_secret_value()
        with Walk(stack.urls, operator, mesh, _say) as walk:
            everybody = players(args.connections)
            tell(walk, everybody, _chooser(args.allow))
            account = account_for(walk, everybody, [state], args.workspace)
        _say("stopping …")
    return account, time.monotonic() - begun


def _under_faults(args: argparse.Namespace, seed: int, say: Say) -> faulty.Outcome:
    """One pass on fresh state, and what came of it. Raises `StartFailed` and `StalledError`."""
    begun = time.monotonic()
    simulator = SimulatorOptions(
        connections=args.connections,
        channels=args.channels,
        messages=args.messages,
        seed=seed,
        workspace=args.workspace,
        stray=-1,
        faults=args.faults,
        time_scale=args.time_scale,
    )
    options = StackOptions(simulator=simulator, given=faulty.GIVEN)
    with tempfile.TemporaryDirectory(prefix="sluice-demo-") as scratch, Stack(Path(scratch), options) as stack:
        stack.start([name for name in stack.names if name != "flower"], progress=say)
        secrets = stack.secrets
        operator, mesh = secrets.operator_token.get_secret_value(), secrets.mesh_token.get_secret_value()
        with Walk(stack.urls, operator, mesh, say) as walk:
            played = faulty.Faulty(walk, players(args.connections), _chooser(args.allow), args.faults)
            outcome = played.play(Path(scratch))
        say("stopping …")
    outcome.seconds, outcome.again = round(time.monotonic() - begun, 1), _again(args, seed)
    return outcome


def _again(args: argparse.Namespace, seed: int) -> str:
    """The command line that repeats a pass."""
    given = {"faults": named(args.faults), "seed": seed}
    plain = {"connections": 1, "channels": 6, "messages": 400, "time_scale": faulty.TIME_SCALE}
    given |= {name: getattr(args, name) for name, usual in plain.items() if getattr(args, name) != usual}
    return "./sluice demo " + " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given.items())


def account_for(
    walk: Walk, everybody: list[Player], directories: list[Path], workspace: Path | None
) -> balance.Account:
    """The balance of what went through, and the search for what must not have."""
    lists = {player.org: set(_list(walk, player)) for player in everybody}
    account = balance.settle(walk, everybody, lists)
    words = leaks.canaries(walk, everybody, lists, workspace)
    seen = leaks.sightings(words, walk, everybody, directories)
    account.leaked = len(set().union(*seen.values()))
    account.problems += [f"words of a channel that is not allowed are in {place}" for place in seen]
    return account


def _list(walk: Walk, player: Player) -> list[str]:
    channels: list[str] = walk.api.get(f"{player.path}/allowlist").json()["channels"]
    return channels


def _chooser(allow: str | None) -> Choose:
    if allow is None:
        return every_other
    if allow == "*":
        return list
    wanted = {name.strip() for name in allow.split(",") if name.strip()}
    return lambda channels: sorted(wanted.intersection(channels))


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _json(account: balance.Account, seconds: float) -> str:
    shown = {**asdict(account), "seconds": round(seconds, 1)}
    return json.dumps({name: value for name, value in shown.items() if name != "problems" or value})


def _table(account: balance.Account, seconds: float) -> str:
    """The account for people, one number a line."""
    rows = [("windows asked for", account.asked), ("message records received", account.received)]
    rows += [(f"  dropped: {reason.replace('_', ' ')}", number) for reason, number in account.dropped.items()]
    rows += [("  delivered", account.delivered), ("  dead letters", account.dead), ("in the mesh", account.in_mesh)]
    rows += [(name, getattr(account, name)) for name in ("lost", "twice", "leaked")]
    wide = max(len(name) for name, _ in rows)
    lines = [f"{name:<{wide}} {number:>8}" for name, number in rows]
    lines += [f"problem: {problem}" for problem in account.problems]
    return "\n".join([*lines, f"{'balanced' if account.balanced else 'NOT balanced'} in {seconds:.1f} s"])

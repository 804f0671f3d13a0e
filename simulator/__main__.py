"""`python -m simulator`: one process on one port, until SIGTERM."""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import uvicorn
from pydantic import SecretStr

from simulator.app import create_app
from simulator.config import CHANNELS, MESSAGES, USERS, SimulatorConfig, default_anchor
from simulator.export import BadExport
from simulator.faults import UnknownFault, parse
from simulator.slack.rates import REGIMES
from simulator.tokens import BadKey

COUNTS = {"connections": 1, "channels": 6, "messages": 400, "page-limit": 999, "concurrency": 16}


def main() -> None:
    """Parse, build, serve. A wrong option or a folder that is no export is one sentence and exit status 2."""
    signal.signal(signal.SIGTERM, _stop)
    parser = _parser()
    options = parser.parse_args()
    try:
        app = create_app(_config(options))
    except (BadExport, BadKey, OSError) as error:
        parser.exit(2, f"simulator: {error}\n")
    uvicorn.run(
        app, host=options.host, port=options.port, log_level="warning", access_log=False, timeout_graceful_shutdown=1
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulator", description="Paragon and a Slack workspace behind it.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--public-key", required=True, help="PEM file of the project's public key, - for stdin")
    parser.add_argument("--project-id", required=True)
    parser.add_argument("--webhooks", default="", help="base URL that the directory workflows post to")
    parser.add_argument("--webhook-secret-env", default="", help="name of the variable that holds the shared secret")
    parser.add_argument("--core-api", default="", help="base URL of Sluice's API, for the pages below /app")
    parser.add_argument("--core-token-env", default="", help="name of the variable that holds a core token for them")
    parser.add_argument("--event-secret-env", default="", help="name of the variable that holds what signs events")
    for name, count in COUNTS.items():
        parser.add_argument(f"--{name}", type=_positive, default=count)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--anchor", type=int, default=default_anchor(), help="unix second that generated history ends")
    parser.add_argument(
        "--workspace", type=Path, help="a Slack export, its zip or folder, instead of a generated workspace"
    )
    parser.add_argument("--time-scale", type=float, default=0.01, help="seconds that a second of Slack's takes")
    parser.add_argument("--retry-scale", type=float, help="the same for Paragon's retries (default: --time-scale)")
    parser.add_argument("--faults", type=_faults, default=(), metavar="A,B|all", help="what goes wrong, by name")
    parser.add_argument("--regime", choices=REGIMES, help="Slack's rate limits (default: free; standard with --faults)")
    parser.add_argument("--short-rate", type=float, default=0.05, help="part of the pages that are short, or empty")
    parser.add_argument("--duplicate-rate", type=float, default=0.0)
    parser.add_argument("--stray", type=_all_or_count, default=0, help="channels posted though not asked for, -1: all")
    parser.add_argument("--self-start", action=argparse.BooleanOptionalAction, default=True,
                        help="whether the directory workflows start on connect, or only by a trigger")  # fmt: skip
    parser.add_argument("--workflow-messages", default=MESSAGES)
    parser.add_argument("--workflow-channels", default=CHANNELS)
    parser.add_argument("--workflow-users", default=USERS)
    return parser


def _config(options: argparse.Namespace) -> SimulatorConfig:
    key = sys.stdin.read() if options.public_key == "-" else Path(options.public_key).read_text()
    names = ("project_id", "webhooks", "connections", "channels", "messages", "seed", "anchor", "workspace",
             "time_scale", "page_limit", "faults", "short_rate", "concurrency", "duplicate_rate", "stray",
             "self_start", "core_api", "workflow_messages", "workflow_channels", "workflow_users")  # fmt: skip
    secret = SecretStr(_first_secret(options.webhook_secret_env))
    core = SecretStr(os.environ.get(options.core_token_env, "") if options.core_token_env else "")
    event = SecretStr(_first_secret(options.event_secret_env))
    given = {name: getattr(options, name) for name in names}
    given["retry_scale"] = options.time_scale if options.retry_scale is None else options.retry_scale
    given["regime"] = options.regime or ("standard" if options.faults else "free")
    return SimulatorConfig(public_key=key, webhook_secret=secret, core_token=core, event_secret=event, **given)


def _first_secret(name: str) -> str:
    """Where the variable holds a comma list (two are valid at a time), the first one is used."""
    return os.environ.get(name, "").split(",")[0].strip() if name else ""


def _faults(value: str) -> tuple[str, ...]:
    try:
        return parse(value)
    except UnknownFault as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _all_or_count(value: str) -> int:
    number = int(value)
    if number < -1:
        raise argparse.ArgumentTypeError("must be 0 or more, or -1 for all")
    return number


def _stop(signum: int, frame: FrameType | None) -> None:
    """Uvicorn raises the signal again once it has stopped: that is a clean end."""
    raise SystemExit(0)


if __name__ == "__main__":
    main()

"""`./sluice workflow check FILE`: hold a callback of a real workflow against the contract. Nothing is sent or kept."""

import argparse
import json
import sys
import time
from getpass import getpass
from pathlib import Path
from urllib.parse import urlsplit

from api.verify import Verifier
from api.workflow_check import shown, signature
from cli.exits import Exit
from cli.runfile import STATE_DIR
from cli.running import settings_for
from pipeline.contract import Signature, Terms, Verdict, check, guess_kind
from pipeline.envelope import EnvelopeError, read_query
from pipeline.paragon.run_tokens import RunTokens
from pipeline.payload import LISTS
from settings import Settings, SettingsError

_MARKS = {"fail": "✗", "warn": "!", "note": "·"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`check` is the only action so far."""
    parser.add_argument("action", choices=("check",), help="say what is missing, misnamed, unsigned; what would happen")
    parser.add_argument("file", metavar="FILE", help="the body as the workflow posts it; - for stdin")
    parser.add_argument("--kind", choices=tuple(LISTS), help="default: told by the list in the body")
    parser.add_argument("--query", default="", metavar="QUERY", help="the query of the callback, or its whole address")
    parser.add_argument(
        "--authorization", metavar="VALUE", help="its Authorization header; - asks for it on the terminal"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 if nothing is wrong or in the way, else 1."""
    settings = settings_for(args.state.resolve())
    body, query = _body(args.file, settings.body_limit_bytes), _query(args.query)
    signed, outside = _signed(args.authorization, settings)
    terms = Terms(outside_runs=outside, limit=settings.body_limit_bytes)
    verdict = check(args.kind or guess_kind(body), body, query, signed, terms)
    print(json.dumps(shown(verdict).model_dump(), indent=1) if args.json else table(verdict))
    return Exit.DONE if verdict.flawless else Exit.FAILED


def table(verdict: Verdict) -> str:
    """For people: what would happen, then what is wrong, the worst first."""
    lines = [f"{verdict.kind}: {verdict.says}", ""]
    lines += [f"  {_MARKS[one.level]} {one.field or 'page'}: {one.says}" for one in verdict.findings]
    if verdict.flawless:
        lines.append("  ✓ It is as docs/workflows.md wants it.")
    return "\n".join(lines)


def _body(file: str, limit: int) -> bytes:
    """The body, one byte past the limit at most."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(limit + 1)
        with Path(file).open("rb") as opened:
            return opened.read(limit + 1)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.") from None


def _query(given: str) -> dict[str, str]:
    raw = urlsplit(given).query if "?" in given else given
    try:
        return read_query(raw.encode())
    except EnvelopeError as error:
        raise SettingsError(f"The query cannot be read: {error.kind}.") from None


def _signed(authorization: str | None, settings: Settings) -> tuple[Signature, bool]:
    if authorization is None:
        return Signature(), False
    if authorization == "-":
        authorization = getpass("Authorization: ")
    tokens = RunTokens(settings.run_token_keys) if settings.run_token_keys else None
    verifier = Verifier(
        tokens, settings.webhook_secrets, allow_messages_outside_runs=settings.allow_messages_outside_runs
    )
    return signature(verifier, [(b"authorization", authorization.encode("latin-1", "replace"))], time.time())

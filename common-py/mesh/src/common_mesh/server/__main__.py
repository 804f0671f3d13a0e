"""`python -m common_mesh.server`: the reference mesh on a port.

    --host 127.0.0.1 --port 8675 --store sqlite:///mesh.db [--effects] [--token-env NAME] [--null]

The token is read from the environment variable that `--token-env` names, never from the command line.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

import uvicorn

from common_mesh.reference.answering import Caps
from common_mesh.reference.null import NullStore
from common_mesh.reference.sqlite import SQLiteStore
from common_mesh.reference.store import Store
from common_mesh.server.app import MeshServer

GRACE_SECONDS = 1
"""What requests in hand get after SIGTERM."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. A wrong option ends the start with a sentence."""
    parser = _parser()
    options = parser.parse_args(arguments)
    token = _token(parser, options.token_env)
    caps = Caps(options.max_records, options.max_body_bytes)
    server = MeshServer(_store(parser, options), token=token, caps=caps)
    # uvicorn hands the signal back after it has stopped: having stopped as asked is a success.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        server.asgi,
        host=options.host,
        port=options.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _parser() -> argparse.ArgumentParser:
    caps = Caps()
    parser = argparse.ArgumentParser(prog="python -m common_mesh.server", description="The reference mesh.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8675)
    parser.add_argument("--store", metavar="sqlite:///PATH", help="where the records are kept")
    parser.add_argument("--effects", action="store_true", help="keep a log of every applied change")
    parser.add_argument("--token-env", metavar="NAME", help="the environment variable that holds the bearer token")
    parser.add_argument("--null", action="store_true", help="count and drop: for benchmarks")
    parser.add_argument("--max-records", type=int, default=caps.records, help="of a batch (default %(default)s)")
    parser.add_argument("--max-body-bytes", type=int, default=caps.bytes, help="inflated (default %(default)s)")
    return parser


def _token(parser: argparse.ArgumentParser, name: str | None) -> str | None:
    if name is None:
        return None
    token = os.environ.get(name, "")
    if not token:
        parser.error(f"--token-env names {name}, which is not set or empty")
    if not (token.isascii() and token.isprintable()):
        parser.error(f"the token in {name} has characters that no header can hold")
    return token


def _store(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Store:
    if options.null == (options.store is not None):
        parser.error("give either --store sqlite:///PATH or --null")
    if options.null:
        return NullStore()
    try:
        return SQLiteStore(options.store, log=options.effects)
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

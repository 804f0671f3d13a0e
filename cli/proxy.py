"""`./sluice proxy`: call Slack (or another integration) with a connection's own credential, through Paragon.

One call is one request; a write is never repeated by itself.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cli.exits import Exit
from cli.refusals import sentence
from cli.runfile import STATE_DIR
from cli.running import settings_for
from pipeline.connection import split_connection
from pipeline.errors import Rejected, SluiceError
from pipeline.paragon.client import ParagonClient, RawAnswer
from pipeline.paragon.token import UserTokens
from pipeline.store.client import connect
from pipeline.store.connections import Connections
from pipeline.store.keys import Shards
from pipeline.store.vault import Vault
from settings import Settings, SettingsError

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_UNSEEN = frozenset({"set-cookie", "authorization"})


class Call(NamedTuple):
    """What to ask: `params` is the query, `body` JSON or None."""

    method: str
    path: str
    params: dict[str, str]
    body: object


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Verb, path, then `name=value` for the query and one JSON text for the body."""
    parser.add_argument("verb", type=str.upper, choices=VERBS, metavar="VERB", help="GET, POST, PUT, PATCH or DELETE")
    parser.add_argument("path", metavar="PATH", help="the provider's path: conversations.info")
    parser.add_argument("rest", nargs="*", metavar="ARG", help="name=value for the query; {…} or - for a JSON body")
    parser.add_argument("--raw", action="store_true", help="the provider's own bytes; its status and headers on stderr")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there instead of to stdout")
    parser.add_argument("--connection", metavar="USER/ORG", help="whose credential (default: the only one there is)")
    parser.add_argument("--integration", default="slack", metavar="NAME", help="Paragon's name of it (default slack)")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 with an answer; 1 where Paragon or the provider refuses, or an outage is told; 2 for a call that cannot be."""
    call = read_call(args.verb, args.path, args.rest)
    settings = settings_for(args.state.resolve(), paragon=True)
    try:
        connection = args.connection or only_connection(settings)
        split_connection(connection)
        with paragon_client(settings) as client:
            _answer(client, connection, args, call)
    except SluiceError as error:
        name = "Slack" if args.integration == "slack" else args.integration
        _tell(sentence(error, name, writes=call.method != "GET"))
        return Exit.USAGE if isinstance(error, Rejected) and error.reason.startswith("bad_") else Exit.FAILED
    except OSError as error:
        _tell(f"{args.output or 'stdout'} cannot be written: {error.strerror}.")
        return Exit.FAILED
    return Exit.DONE


def read_call(verb: str, path: str, rest: list[str]) -> Call:
    """The call out of a command line. Raises SettingsError for what is neither `name=value` nor JSON."""
    params, body = {}, None
    for part in rest:
        name, equals, value = part.partition("=")
        if part == "-" or part.lstrip()[:1] in ("{", "["):
            body = _json(sys.stdin.read() if part == "-" else part)
        elif equals and name:
            params[name] = value
        else:
            raise SettingsError(f"{part!r} is neither name=value nor a JSON body; quote JSON for your shell.")
    if "?" in path:
        raise SettingsError("Give the query as name=value after the path, not in it.")
    return Call(verb, path, params, body)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise SettingsError('The body is no JSON; quote it for your shell: \'{"channel": "C1"}\'.') from None


def only_connection(settings: Settings) -> str:
    """The only live connection of the store. Raises SettingsError where there are others, or none to be seen."""
    live = _live(settings) if settings.store_url and settings.vault_keys else []
    if len(live) != 1:
        raise SettingsError(f"--connection USER/ORG is wanted: {len(live)} connections are known here.")
    return live[0]


def _live(settings: Settings) -> list[str]:
    with connect(settings.store_url) as client:
        known = Connections(client, Shards(settings.shards), Vault(settings.vault_keys))
        found = ((name, known.get(name)) for name in known.names())
        return [name for name, registration in found if registration is not None and registration.live]


def paragon_client(settings: Settings) -> ParagonClient:
    """A client for the project of these settings. Raises SettingsError for a key that is none."""
    try:
        tokens = UserTokens(settings.paragon_signing_key, audience=settings.paragon_audience or None)
    except ValueError as error:
        raise SettingsError(f"SLUICE_PARAGON_SIGNING_KEY is wrong: {error}.") from None
    return ParagonClient(
        settings.paragon_project_id,
        api_url=settings.paragon_api_url,
        trigger_url=settings.paragon_trigger_url,
        proxy_url=settings.paragon_proxy_url,
        tokens=tokens,
    )


def _answer(client: ParagonClient, connection: str, args: argparse.Namespace, call: Call) -> None:
    name, params = args.integration, call.params or None
    if args.raw:
        with _sink(args.output) as write:
            answer = client.proxy_raw(
                connection, name, call.path, write, method=call.method, params=params, body=call.body
            )
        _headers(answer)
        return
    found = client.proxy_json(connection, name, call.path, method=call.method, params=params, body=call.body)
    # Half a surrogate pair cannot be written in UTF-8; its escape is JSON all the same.
    text = json.dumps(found, indent=1, ensure_ascii=False).encode(errors="backslashreplace")
    with _sink(args.output) as write:
        write(text + b"\n")


@contextmanager
def _sink(output: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Where bytes go. A file appears whole or not at all."""
    if output is None:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    draft = output.with_name(output.name + ".part")
    try:
        with draft.open("wb") as file:
            yield file.write
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)


def _headers(answer: RawAnswer) -> None:
    _tell(f"HTTP {answer.status}, {answer.size} bytes")
    for name, value in answer.headers:
        if name.lower() not in _UNSEEN:
            _tell(f"{name}: {value}")


def _tell(text: str) -> None:
    print(text, file=sys.stderr)

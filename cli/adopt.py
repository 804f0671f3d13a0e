"""`./sluice adopt`: take over a connection whose list Paragon's metadata already holds.

Shows what its `allowListedChannels` would change here; `--yes` does it, as an admin's PUT of the list would.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import httpx

from cli.dev_secrets import DevSecrets
from cli.exits import Exit
from cli.moments import moment
from cli.proxy import paragon_client
from cli.refusals import sentence
from cli.runfile import STATE_DIR, read_status
from cli.running import settings_for
from pipeline.connection import split_connection
from pipeline.errors import Rejected, SluiceError
from pipeline.paragon.me import allow_listed
from settings import Settings, SettingsError

_MOST_NAMED: Final = 5


class Stop(Exception):
    """Why it ends here; a sentence for a human."""


class Step(NamedTuple):
    """What is known before the PUT: both lists, the ETag, names by channel."""

    theirs: list[str]
    ours: list[str]
    etag: str
    names: Mapping[str, str | None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One connection; without --yes nothing is changed."""
    parser.add_argument("connection", metavar="USER/ORG", help="the connection, as Paragon knows its user")
    parser.add_argument("--yes", action="store_true", help="import the list; without it, only show the difference")
    parser.add_argument("--since", type=moment, default=0, metavar="WHEN", help="pull what is newer: ISO 8601 or a ts")
    parser.add_argument("--api", metavar="URL", help="Sluice's API (default: the one that `up` runs here)")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="a core token (default: the operator's of `up`)"
    )
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 shown or imported; 1 where it cannot be; 2 for a call that is none."""
    if args.since > time.time() * 1e6:
        raise SettingsError("--since lies in the future: messages until then would be missed.")
    settings = settings_for(args.state.resolve(), paragon=True)
    try:
        with _api(args) as api:
            step = _look(api, settings, args.connection)
            _show(step, args.since)
            if not args.yes:
                print("Nothing was changed; --yes imports the list.")
            elif set(step.theirs) != set(step.ours):
                _import(api, args.connection, step, args.since)
    except Stop as stop:
        print(f"sluice: {stop}", file=sys.stderr)
        return Exit.FAILED
    except Rejected as error:
        raise SettingsError(f"{args.connection!r} is no connection ({error.reason}).") from None
    except httpx.TransportError:
        print("sluice: the API does not answer.", file=sys.stderr)
        return Exit.FAILED
    return Exit.DONE


def _api(args: argparse.Namespace) -> httpx.Client:
    url = args.api or read_status(args.state.resolve()).get("urls", {}).get("api")
    if not url:
        raise SettingsError("Nothing runs here; start `./sluice up`, or say --api URL --token-file FILE.")
    token = args.token_file or DevSecrets.path(args.state.resolve() / "secrets", "operator_token")
    try:
        bearer = token.read_text().strip()
    except OSError as error:
        raise SettingsError(f"{token} cannot be read: {error.strerror}.") from None
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {bearer}"}, trust_env=False, timeout=30)


def _look(api: httpx.Client, settings: Settings, connection: str) -> Step:
    path = _path(connection)
    own = _answered(api.get(f"{path}/allowlist"))
    try:
        with paragon_client(settings) as paragon:
            found = allow_listed(paragon.me(connection).meta)
    except SluiceError as error:
        raise Stop(sentence(error)) from None
    if found is None:
        raise Stop("Paragon's metadata of this user holds no allowListedChannels: there is nothing to adopt.")
    channels, others = found
    if others:
        raise Stop(f"{others} entries of allowListedChannels are no channel ids (C…, D… or G…); names are not guessed.")
    rows = _answered(api.get(f"{path}/channels")).json()["channels"]
    names = {row["channel"]: row["name"] for row in rows}
    return Step(channels, own.json()["channels"], own.headers["ETag"], names)


def _show(step: Step, since: int) -> None:
    added, removed = sorted(set(step.theirs) - set(step.ours)), sorted(set(step.ours) - set(step.theirs))
    print(f"{len(step.theirs)} channels in Paragon's metadata, {len(step.ours)} in the connection's own list.")
    for sign, channels in (("+", added), ("-", removed)):
        for channel in channels:
            print(f"  {sign} {channel}  {step.names.get(channel, '(not in the directory)') or '(no name)'}")
    if not (added or removed):
        print("The lists are the same.")
    if removed:
        print("What is removed is retracted from the mesh, unless another connection allows it.")
    if added and since:
        print(f"Pulls start after {datetime.fromtimestamp(since / 1e6, UTC).isoformat()}; what is older stays out.")
    elif added:
        print("Pulls start with all of history; --since WHEN leaves out what is older.")


def _import(api: httpx.Client, connection: str, step: Step, since: int) -> None:
    body: dict[str, Any] = {"channels": step.theirs, "since": since}
    done = _answered(api.put(f"{_path(connection)}/allowlist", json=body, headers={"If-Match": step.etag})).json()
    print(
        f"Imported: {len(done['added'])} added, {len(done['removed'])} removed; the list has version {done['version']}."
    )


def _path(connection: str) -> str:
    user, org = split_connection(connection)
    return f"/v1/orgs/{quote(org, safe='')}/connections/{quote(user, safe='')}"


def _answered(response: httpx.Response) -> httpx.Response:
    """The answer of a success. Problems of our own API hold no content; some name channels."""
    if response.is_success:
        return response
    try:
        problem = response.json()
        title, named = problem["title"], problem.get("channels", [])
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError):
        title, named = f"status {response.status_code}", []
    which = f" ({', '.join(named[:_MOST_NAMED])}{', …' if len(named) > _MOST_NAMED else ''})" if named else ""
    hint = " (register the connection first)" if response.status_code == httpx.codes.NOT_FOUND else ""
    raise Stop(f"The API refuses: {title}{which}{hint}.")

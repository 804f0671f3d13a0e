"""`./sluice status`: what runs, where, and what waits."""

import argparse
import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.dev_secrets import DevSecrets
from cli.exits import Exit
from cli.runfile import STATE_DIR, holder, read_status

WAITING = ("backlog", "oldest_waiting_age", "delivery")
SAID = ("paused", "paused_channels", "held", "events", "census", *WAITING)
"""What `/v1/status` tells and this repeats; null where it does not answer."""
MOST_LINES = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """For people a table, for programs one JSON object."""
    parser.add_argument("--json", action="store_true", help="urls, processes, paused, held, backlog, …")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="the state directory of `up`")


def run(args: argparse.Namespace) -> int:
    """0 if it runs, 3 if not. What the API would say is null when it is away; the age is in seconds."""
    state_dir = args.state.resolve()
    running = holder(state_dir) is not None
    found = status(state_dir) if running else {"urls": {}, "processes": [], **dict.fromkeys(SAID)}
    print(json.dumps({"running": running, **found}, indent=1) if args.json else _table(found, running=running))
    return Exit.DONE if running else Exit.NOT_RUNNING


def status(state_dir: Path) -> dict[str, Any]:
    """`urls`, `processes`, and what `SAID` names, of a running stack."""
    word = read_status(state_dir)
    urls, processes = word.get("urls", {}), word.get("processes", [])
    waiting = _waiting(urls["api"], state_dir) if urls.get("api") and word.get("operator") else {}
    said = {name: waiting.get(name) for name in SAID}
    return {"urls": urls, "processes": processes, **said}


def _waiting(api: str, state_dir: Path) -> dict[str, Any]:
    token = DevSecrets.path(state_dir / "secrets", "operator_token").read_text()
    connection = http.client.HTTPConnection(urlsplit(api).netloc, timeout=5)
    try:
        connection.request("GET", "/v1/status", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        body = json.loads(answer.read()) if answer.status == 200 else {}
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return body if isinstance(body, dict) else {}


def _kept_back(found: dict[str, Any]) -> list[str]:
    held = [f"  held: {found['held']['says']}"] if found["held"] else []
    channels = found["paused_channels"] or ()
    rows = [
        f"  paused: {one['org']} {one['team']} {one['channel']} ({one['reason']}). {one['says']}" for one in channels
    ]
    if len(rows) > MOST_LINES:
        rows[MOST_LINES:] = [f"  paused: and more channels: {len(rows) - MOST_LINES}"]
    return [*(f"  paused: {scope}" for scope in found["paused"] or ()), *rows, *held]


def _events(found: dict[str, Any]) -> list[str]:
    """What the core service was not told yet; nothing where it is told, or nobody wants to be."""
    told = found["events"] or {}
    if not (told.get("waiting") or told.get("dead")):
        return []
    state, reason = told["endpoint"]["state"], told["endpoint"]["reason"]
    why = f"; its address is {state} ({reason})" if state in ("parked", "disabled") else ""
    return [f"  events: {told['waiting']} wait, {told['dead']} are dead{why}: ./sluice events"]


def _unknown(found: dict[str, Any]) -> list[str]:
    """What Slack sends that this version does not know; what is left out by rule is no news."""
    rows = [one for one in found["census"] or () if one["kind"] != "withheld"]
    return [f"  not known here: {one['kind']} {one['name']}, {one['count']} times" for one in rows[:MOST_LINES]]


def _table(found: dict[str, Any], *, running: bool) -> str:
    if not running:
        return "Nothing is running; `./sluice up` starts it."
    urls = [f"  {name:<10} {url}" for name, url in found["urls"].items() if url]
    processes = [f"  {p['name']:<10} {p['pid'] or '-':>8}  {p['state']}" for p in found["processes"]]
    backlog, age, delivery = (found[name] for name in WAITING)
    waits = "unknown: the API does not answer" if backlog is None else f"{backlog} entries, the oldest {age or 0:.1f} s"
    shadow = (
        ["  delivery: shadow: records are counted, and nothing is sent to the mesh"] if delivery == "shadow" else []
    )
    told = [*_kept_back(found), *_events(found), *_unknown(found), *shadow]
    return "\n".join([*urls, "", *processes, "", f"  waiting: {waits}", *told])

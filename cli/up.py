"""`./sluice up`: starts everything here, plays the story once, stays until it is told to stop."""

import argparse
import importlib
import importlib.util
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any, Never

from cli import leftovers
from cli.exits import Exit
from cli.faulty import GIVEN, TIME_SCALE
from cli.options import SimulatorOptions, StackOptions, fault_names, slack_export
from cli.runfile import STATE_DIR, AlreadyRunning, forget_status, held, write_status
from cli.spawn import ROOT
from cli.stack import Stack
from cli.stand_ins import EVENTS_PATH, STAND_INS
from cli.supervisor import StartFailed
from cli.voice import Piped, Voice, relay
from settings import Settings, SettingsError, variables

STATUS_URLS = ("api", "flower", "mesh", "simulator")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--voice` is between `up --detach` and the process that it leaves behind."""
    parser.add_argument("--detach", action="store_true", help="return when the story has ended, leave everything up")
    parser.add_argument("--no-story", action="store_true", help="only start the processes")
    parser.add_argument("--state", type=Path, default=STATE_DIR, metavar="DIR", help="where data and secrets live")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="Celery worker processes (default 1)")
    parser.add_argument(
        "--workspace", type=slack_export, metavar="PATH", help="your own Slack export: its zip or folder"
    )
    parser.add_argument("--faults", type=fault_names, metavar="A,B|all", help="what goes wrong here: docs/faults.md")
    parser.add_argument("--voice", type=int, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Until Ctrl-C or SIGTERM; with `--detach` until the story's end. 4 if it runs already."""
    state_dir = args.state.resolve()
    os.umask(0o077)
    if args.detach:
        return _detached(args, state_dir)
    voice = Voice() if args.voice is None else Piped(args.voice)
    try:
        with held(state_dir):
            status = Up(state_dir, args, voice).run()
    except AlreadyRunning as error:
        voice.say(f"sluice: {error}")
        status = Exit.ALREADY_RUNNING
    except SettingsError as error:
        voice.say(f"sluice: {error}")
        status = Exit.USAGE
    voice.end(status)
    return status


def _detached(args: argparse.Namespace, state_dir: Path) -> int:
    logs = state_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    command = [sys.executable, "-P", "-m", "cli", "up", "--state", str(state_dir), "--workers", str(args.workers)]
    command += ["--voice", str(writing), *(["--no-story"] if args.no_story else [])]
    command += ["--workspace", str(args.workspace)] if args.workspace else []
    command += ["--faults", args.faults] if args.faults else []
    descriptor = os.open(logs / "up.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    left = subprocess.Popen(
        command, cwd=ROOT, pass_fds=(writing,), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor,
    )  # fmt: skip
    os.close(descriptor)
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            status = relay(pipe, Voice())
    except KeyboardInterrupt:
        left.terminate()
        left.wait()
        return Exit.INTERRUPTED
    if status is None:
        Voice().say(f"sluice: it ended before it was up; see {logs / 'up.log'}")
    return Exit.FAILED if status is None else status


class Up:
    """One run of `up` in this process, which is the supervisor."""

    def __init__(self, state_dir: Path, args: argparse.Namespace, voice: Voice) -> None:
        Settings.load("cli")
        self.voice = voice
        self.with_story = not args.no_story
        self.faults = args.faults or ""
        simulator = SimulatorOptions(workspace=args.workspace)
        given = variables()
        if self.faults:
            simulator, given = replace(simulator, faults=self.faults, time_scale=TIME_SCALE), {**GIVEN, **given}
        options = StackOptions(given=given, simulator=simulator, workers=args.workers, preferred_ports=True)
        self.stack = Stack(state_dir, options)
        self.story: dict[str, Any] | None = None
        self.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._writing = threading.Lock()

    def run(self) -> int:
        """Start, play, stay, stop; the status is 1 if the start or the story failed."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        status = Exit.DONE
        try:
            status = self._start_and_play()
            self.voice.end(status)
            while True:
                signal.pause()
        except KeyboardInterrupt:
            pass
        except StartFailed as error:
            self.voice.say(f"sluice: {error}")
            status = Exit.FAILED
        finally:
            self._stop()
        return status

    def _start_and_play(self) -> Exit:
        for pid in leftovers.end(self.stack.state_dir):
            self.voice.say(f"process {pid} of an earlier run cannot be ended")
        self.voice.say(self._cast())
        self.stack.on_change = self._leave_word
        self.stack.start(progress=self.voice.say)
        status = self._play()
        self._leave_word()
        self.voice.show(self._table())
        return status

    def _cast(self) -> str:
        played = [part for part, name in STAND_INS.items() if name in self.stack.world.played]
        real = [part for part in STAND_INS if part not in played]
        return f"real: {', '.join(real) or 'nothing'}; played here: {', '.join(played) or 'nothing'}"

    def _play(self) -> Exit:
        """The story needs the simulator's Slack and an operator's token; with a real Paragon there is none to play."""
        playable = "simulator" in self.stack.world.played and self.stack.operator_token is not None
        if not (self.with_story and playable and importlib.util.find_spec("cli.story")):
            return Exit.DONE
        try:
            story = importlib.import_module("cli.story")
            told = {"progress": self.voice.say, "to_the_end": not self.faults}
            self.story = story.play(urls=self.stack.urls, secrets=self.stack.secrets, **told)
        except Exception as error:  # noqa: BLE001 — whatever it was, the user shall look at what is up
            (self.stack.logs / "story.log").write_text(traceback.format_exc())
            self.voice.say(
                f"sluice: the story failed ({type(error).__name__}: {error}); everything stays up to look at"
            )
            return Exit.FAILED
        return Exit.DONE

    def _leave_word(self) -> None:
        processes = [{"name": p.name, "pid": p.pid, "state": p.state} for p in self.stack.states()]
        urls = {name: self.stack.urls.get(name) for name in STATUS_URLS}
        word = {"supervisor": os.getpid(), "started": self.started, "urls": urls, "processes": processes}
        with self._writing:
            played = {name: url for name, url in self.stack.urls.items() if name in self.stack.world.played}
            operator = self.stack.operator_token is not None
            write_status(self.stack.state_dir, {**word, "operator": operator, "played": played})

    def _table(self) -> str:
        urls, secrets = self.stack.urls, self.stack.secrets
        mesh_token = secrets.path(secrets.directory, "mesh_token")
        hints = {"api": "/docs describes it", "mesh": "your service mesh", "simulator": "Paragon and Slack"}
        if "mesh" in self.stack.world.played:
            hints["mesh"] = f"what arrived; its page asks for the token in {mesh_token}"
        hints["flower"] = f"user sluice, password {secrets.flower_password.get_secret_value()}"
        rows = [(name, urls[name], hints[name]) for name in STATUS_URLS if name in urls]
        played = urls.get("simulator", "")
        if played and self.stack.world.core_token:
            rows.append(("connect", played + "/app", "connect Slack in a browser (docs/connect.md)"))
        if self.stack.env.get("SLUICE_EVENTS_URL") == played + EVENTS_PATH:
            rows.append(("events", played + "/app/events", "what the core service is told (docs/events.md)"))
        token = shlex.quote(str(secrets.path(secrets.directory, "operator_token")))
        lines = [
            f"curl -s {urls['api']}/readyz",
            f"curl -s {urls['api']}/metrics",
            f'curl -s -H "Authorization: Bearer $(cat {token})" {urls["api"]}/v1/status',
            *(self.story or {}).get("try", []),
        ]
        width = max(len(url) for _, url, _ in rows)
        table = [f"  {name:<10} {url:<{width}}  {hint}" for name, url, hint in rows]
        return "\n".join(["", "Sluice is up.", "", *table, "", "Try:", *(f"  {line}" for line in lines), "", STOPPING])

    def _stop(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.voice.say("stopping …")
        begun = time.monotonic()
        self.stack.on_change = lambda: None
        self.stack.stop(progress=self.voice.say)
        forget_status(self.stack.state_dir)
        self.voice.say(f"stopped, in {time.monotonic() - begun:.1f} s; the data stays in {self.stack.state_dir}")


STOPPING = "Ctrl-C, or `./sluice down` from elsewhere, stops everything; the data stays."


def _interrupt(number: int, frame: object) -> Never:
    raise KeyboardInterrupt

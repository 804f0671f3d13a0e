"""`up`, `status` and `down` as a user runs them, with the real processes."""

import json
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import leftovers
from cli.__main__ import main
from cli.programs import base_environment
from cli.runfile import AlreadyRunning, held, holder
from cli.test import run_all
from tests.cli.dummies import running
from tests.eventually import eventually

pytestmark = pytest.mark.integration

PROCESSES = {"store", "broker", "mesh", "simulator", "flower", "worker-1", "sweep", "beat", "api"}


def sluice(line: str, state: Path, **given: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "cli", *shlex.split(line), *(["--state", str(state)] if line else [])]
    env = base_environment() | given
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=100)


def status(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sluice("status --json", state).stdout)
    return found


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "a state"
    yield directory
    if directory.exists():
        sluice("down", directory)
    assert not leftovers.find(directory)


def test_up_status_and_down_leave_the_data_and_no_process(state: Path) -> None:
    up = sluice("up --detach --no-story", state)
    assert up.returncode == 0, up.stderr
    assert "curl" in up.stdout

    found = status(state)
    assert {process["name"] for process in found["processes"]} == PROCESSES
    assert {process["state"] for process in found["processes"]} == {"running"}
    assert all(running(process["pid"]) for process in found["processes"])
    assert set(found["urls"]) == {"api", "flower", "mesh", "simulator"}
    assert found["backlog"] == 0
    with urllib.request.urlopen(found["urls"]["api"] + "/healthz") as answer:
        assert answer.status == 200

    again = sluice("up", state)
    assert again.returncode == 4
    assert "already runs" in again.stderr

    supervisor = holder(state)
    assert supervisor is not None
    down = sluice("down", state)
    assert down.returncode == 0, down.stderr
    assert not running(supervisor)
    assert not any(running(process["pid"]) for process in found["processes"])
    assert sluice("status", state).returncode == 3
    assert list((state / "store").rglob("*.aof"))
    assert not [file for file in state.rglob("*") if file.is_file() and file.stat().st_mode & 0o077], (
        "readable by others"
    )


def test_a_supervisor_killed_with_sigkill_takes_the_real_processes_and_their_children_along(state: Path) -> None:
    assert sluice("up --detach --no-story", state).returncode == 0
    assert len(leftovers.find(state)) >= len(PROCESSES) + 2, "Celery's children are among them"
    supervisor = holder(state)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not leftovers.find(state), timeout=3)
    assert sluice("status", state).returncode == 3


@pytest.mark.parametrize(
    ("how", "name", "value", "sentence"),
    [
        ("up --detach", "SLUICE_SHARD", "4", "SLUICE_SHARD is not a setting"),
        ("up", "SLUICE_MESH_URL", "http://127.0.0.1:1", "missing: SLUICE_MESH_TOKEN"),
        ("up", "SLUICE_PARAGON_PROJECT_ID", "op://a/b/c", "SLUICE_PARAGON_PROJECT_ID is an unresolved op://"),
    ],
)
def test_a_wrong_setting_stops_up_with_a_sentence_and_status_two(
    tmp_path: Path, how: str, name: str, value: str, sentence: str
) -> None:
    up = sluice(how, tmp_path, **{name: value})
    assert (up.returncode, up.stdout) == (2, "")
    assert sentence in up.stderr
    assert up.stderr.count("\n") == 1, "one sentence"


def test_down_with_nothing_running_is_no_failure(state: Path) -> None:
    assert sluice("down", state).returncode == 0


def test_the_commands_fit_on_one_screen_and_each_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listing = capsys.readouterr().out
    rows = [row for line in listing.splitlines() for row in textwrap.wrap(line, 80)]
    assert len(rows) < 24, "and the prompt"
    for command in ("up", "down", "status", "test"):
        assert f"./sluice {command}" in listing
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])
        assert f"Example: ./sluice {command}" in " ".join(capsys.readouterr().out.split())


def test_a_reader_that_leaves_early_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        left = subprocess.run([sys.executable, "-m", "cli"], stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (left.returncode, left.stderr) == (141, b"")


def test_a_command_or_step_that_does_not_exist_is_refused() -> None:
    assert main(["fly"]) == 2
    assert main(["test", "the-weather"]) == 2


def test_one_failing_check_hides_no_other_and_fails_the_whole(capfd: pytest.CaptureFixture[str]) -> None:
    steps = {"bad": [sys.executable, "-c", "exit(1)"], "good": [sys.executable, "-c", "print('ran')"]}
    assert not run_all(steps)
    said = capfd.readouterr().out
    assert "FAIL bad" in said
    assert "ran" in said
    assert "ok   good" in said
    assert run_all({"good": steps["good"]})


def test_a_state_directory_has_one_holder_at_a_time(tmp_path: Path) -> None:
    with held(tmp_path):
        assert holder(tmp_path) == os.getpid()
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"), held(tmp_path):
            pass
    assert holder(tmp_path) is None

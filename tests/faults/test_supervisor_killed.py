"""SIGKILL for `./sluice up` itself: nothing runs on, and the next start goes on with the data."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import leftovers
from cli.dev_secrets import DevSecrets
from cli.programs import base_environment
from cli.runfile import holder
from cli.walk import Walk, players
from tests.eventually import eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


def sluice(state: Path, *arguments: str) -> str:
    command = [sys.executable, "-P", "-m", "cli", *arguments, "--state", str(state)]
    done = subprocess.run(command, env=base_environment(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "state"
    yield directory
    sluice(directory, "down")
    assert not leftovers.find(directory)


def walked(state: Path) -> Walk:
    urls: dict[str, str] = json.loads(sluice(state, "status", "--json"))["urls"]
    secrets = DevSecrets.in_directory(state / "secrets")
    return Walk(urls, secrets.operator_token.get_secret_value(), secrets.mesh_token.get_secret_value(), lambda _: None)


def test_after_a_sigkill_of_the_supervisor_nothing_runs_and_a_second_start_keeps_the_data(state: Path) -> None:
    [player] = players(1)
    sluice(state, "up", "--detach")
    with walked(state) as walk:
        counts, runs = walk.count(player.org), walk.runs(player)
    assert all(counts.values()), "the story filled every model"

    supervisor = holder(state)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not leftovers.find(state), "no process is left")

    sluice(state, "up", "--detach")
    with walked(state) as walk:
        assert walk.count(player.org) == counts
        assert [run["id"] for run in runs] == [run["id"] for run in walk.runs(player)][-len(runs) :]
        walk.api.post(f"{player.path}/pulls").raise_for_status()  # asks for nothing where a scheduled one just has
        eventually(lambda: len(walk.runs(player)) > len(runs), "a second pull")
        walk.await_covered([player])
        assert walk.count(player.org) == counts

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli import leftovers
from cli.programs import STOP_ORDER, Program
from cli.spawn import ROOT
from cli.supervisor import StartFailed, Supervisor
from tests.cli.dummies import CRASHING, PARENT, PATIENT, POLITE, STUBBORN, dummy, running
from tests.eventually import eventually


@contextmanager
def supervising(state_dir: Path, *programs: Program, restart_crashed: bool = True) -> Iterator[Supervisor]:
    with Supervisor(state_dir, programs, restart_crashed=restart_crashed) as supervisor:
        yield supervisor


def test_the_processes_stop_in_order_api_first_and_store_last(tmp_path: Path) -> None:
    order, logs = tmp_path / "order", tmp_path / "logs"

    def up(name: str) -> Program:
        return dummy(name, POLITE, order, name, role=name, ready=lambda: "up" in (logs / f"{name}.log").read_text())

    with supervising(tmp_path, *map(up, reversed(STOP_ORDER))) as supervisor:
        supervisor.start()
    assert order.read_text().split() == [
        "api",
        "beat",
        "sweep",
        "worker",
        "flower",
        "simulator",
        "mesh",
        "broker",
        "store",
    ]


def test_all_graces_together_are_well_under_fifteen_seconds() -> None:
    assert sum(STOP_ORDER.values()) <= 13.5


def test_a_process_that_is_deaf_to_sigterm_is_killed_after_its_grace(tmp_path: Path) -> None:
    with supervising(tmp_path, dummy("deaf", STUBBORN, role="broker")) as supervisor:
        supervisor.start()
        eventually(lambda: "deaf" in supervisor.log("deaf").read_text())
        pid = supervisor.pid("deaf")
        begun = time.monotonic()
        supervisor.stop()
        took = time.monotonic() - begun
    assert pid is not None
    assert not running(pid)
    assert STOP_ORDER["broker"] <= took < STOP_ORDER["broker"] + 1


def test_a_crashed_process_comes_back_and_its_forked_children_do_not_stay(tmp_path: Path) -> None:
    note = tmp_path / "child"
    with supervising(tmp_path, dummy("parent", PARENT, note, "here")) as supervisor:
        supervisor.start()
        eventually(note.exists)
        first, forked = supervisor.pid("parent"), int(note.read_text())
        assert first is not None
        os.kill(first, signal.SIGKILL)
        eventually(lambda: supervisor.pid("parent") not in (None, first))
        eventually(lambda: not running(forked))


def test_kill_for_good_and_stop_are_not_undone_by_the_supervisor(tmp_path: Path) -> None:
    with supervising(tmp_path, dummy("one", PATIENT), dummy("two", PATIENT), dummy("three", PATIENT)) as supervisor:
        supervisor.start()
        supervisor.kill("one", for_good=True)
        supervisor.stop(["two"])
        supervisor.kill("three")
        eventually(lambda: {s.name: s.state for s in supervisor.states()}["three"] == "running")
        time.sleep(0.5)
        assert [supervisor.pid(name) for name in ("one", "two")] == [None, None]
        supervisor.start(["one"])
        assert supervisor.pid("one") is not None


def test_without_restarts_a_crash_stays_down(tmp_path: Path) -> None:
    with supervising(tmp_path, dummy("one", PATIENT), restart_crashed=False) as supervisor:
        supervisor.start()
        supervisor.kill("one")
        eventually(lambda: supervisor.states()[0].state == "stopped")


def test_a_process_that_ends_at_once_stops_the_start_with_its_last_words(tmp_path: Path) -> None:
    never = dummy("broken", CRASHING, ready=lambda: False)
    with (
        supervising(tmp_path, never) as supervisor,
        pytest.raises(StartFailed, match=r"(?s)broken ends.*no reason given"),
    ):
        supervisor.start(timeout=20)


def test_a_process_that_never_answers_stops_the_start_in_time(tmp_path: Path) -> None:
    mute = dummy("mute", PATIENT, ready=lambda: False)
    with supervising(tmp_path, mute) as supervisor, pytest.raises(StartFailed, match="mute is not ready after"):
        supervisor.start(timeout=0.3)


def test_a_process_that_flees_its_group_is_found_by_its_mark_and_ended(tmp_path: Path) -> None:
    note = tmp_path / "child"
    fleeing = PARENT.replace("die_with_parent()", "pass")
    with supervising(tmp_path, dummy("parent", fleeing, note, "away")) as supervisor:
        supervisor.start()
        eventually(note.exists)
    eventually(lambda: not running(int(note.read_text())))


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with supervising(tmp_path, dummy("one", PATIENT)) as supervisor, pytest.raises(KeyError, match="no process 'two'"):
        supervisor.stop(["two"])


ALONE = """
import sys, time
from pathlib import Path
from cli.supervisor import Supervisor
from tests.cli.dummies import PARENT, PATIENT, STUBBORN, dummy
state = Path(sys.argv[1])
programs = [dummy("patient", PATIENT), dummy("deaf", STUBBORN), dummy("parent", PARENT, state / "child", "away")]
supervisor = Supervisor(state, programs)
supervisor.start()
print("up", flush=True)
time.sleep(600)
"""


def test_a_supervisor_that_gets_sigkill_leaves_nothing_behind_not_even_grandchildren(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ALONE, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as alone:
        assert alone.stdout is not None
        assert alone.stdout.readline() == b"up\n"
        eventually((tmp_path / "child").exists)
        eventually(lambda: len(leftovers.find(tmp_path)) == 4)
        alone.kill()
    eventually(lambda: not leftovers.find(tmp_path), timeout=3)

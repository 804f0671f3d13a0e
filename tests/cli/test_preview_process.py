"""`./sluice preview` as a process: pipes, a terminal, and memory that does not grow with the input."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.exits import Exit

ROOT = Path(__file__).resolve().parents[2]
MESSAGE = {"type": "message", "channel": "C1", "ts": "1700000000.000100", "user": "U1", "text": "hi <@U1> in <#C2>"}


def run(*options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cli", "preview", "--kind", "messages", *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_closed_pipe_ends_it_quietly(tmp_path):
    lines = tmp_path / "lines"
    lines.write_bytes(b"\n".join([json.dumps(MESSAGE).encode()] * 5000))
    with run("--allow", "*", str(lines)) as process:
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert (process.stderr.read(), process.wait(30)) == (b"", Exit.DONE)


def test_a_pipe_that_names_the_channel_too_late_says_so():
    page = json.dumps({"messages": [{**MESSAGE, "channel": None}], "channel": "C1"}).encode()
    command = [sys.executable, "-m", "cli", "preview", "--kind", "messages", "--allow", "C1", "-"]
    shown = subprocess.run(command, cwd=ROOT, input=page, capture_output=True, timeout=30)
    assert (shown.returncode, shown.stdout) == (Exit.BAD_INPUT, b"")
    assert b"only after the messages" in shown.stderr


@pytest.fixture(params=[True, False], ids=["a terminal", "no terminal"])
def stderr(request):
    """Both ends of a terminal or of a pipe, and which it is."""
    ends = os.openpty() if request.param else os.pipe()
    yield (*ends, request.param)
    os.close(ends[0])


def test_progress_is_shown_on_a_terminal_only(stderr):
    shown, end, is_terminal = stderr
    command = [sys.executable, "-m", "cli", "preview", "--kind", "messages", "--allow", "*", "-"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=end) as process:
        os.close(end)
        said, until = b"", time.monotonic() + (60 if is_terminal else 3)
        while b" records, 0 MB" not in said and time.monotonic() < until:
            process.stdin.write(json.dumps(MESSAGE).encode() + b"\n")
            process.stdin.flush()
            if select.select([shown], [], [], 0.05)[0]:
                said += os.read(shown, 4096)
        process.stdin.close()
        assert process.wait(30) == Exit.DONE
    assert (b" records, 0 MB" in said) == is_terminal


PEAK = """
import sys
from cli.__main__ import main
status = main(sys.argv[1:])
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("peak", peak, file=sys.stderr)
sys.exit(status)
"""


def peak_kib(megabytes: int, form: str) -> int:
    """The peak of memory while so much was read; the input is never on a disk, nor in our memory."""
    message = json.dumps({**MESSAGE, "text": "word " * 8000}).encode()
    command = [sys.executable, "-c", PEAK, "preview", "--kind", "messages", "--allow", "*", "-"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        out = process.stdin
        before, between, after = {"list": (b"[", b",", b"]"), "lines": (b"", b"\n", b""),
                                  "page": (b'{"channel": "C1", "messages": [', b",", b"]}")}[form]  # fmt: skip
        out.write(before)
        for number in range(megabytes * 1_000_000 // len(message)):
            out.write((between if number else b"") + message)
        out.write(after)
        out.close()
        said = process.stderr.read().decode()
        assert process.wait(60) == Exit.DONE, said
    return int(said.rpartition("peak ")[2])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of a process's memory")
@pytest.mark.parametrize(("form", "megabytes"), [("list", 200), ("page", 60), ("lines", 60)])
def test_memory_does_not_grow_with_the_input(form, megabytes):
    small, large = peak_kib(20, form), peak_kib(megabytes, form)
    assert large < small + 4096, (small, large)
    assert large < 120_000


def test_memory_does_not_grow_with_one_endless_value(tmp_path):
    endless = tmp_path / "endless.json"
    endless.write_bytes(b'[{"ts": "1.0", "text": "' + b"x" * 60_000_000)
    with run("--allow", "*", str(endless)) as process:
        _, err = process.communicate(timeout=60)
        assert process.returncode == Exit.BAD_INPUT
        assert b"is damaged at byte 60000024: it ends in the middle of what began at byte 1" in err

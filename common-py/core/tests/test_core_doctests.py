"""The examples in the docstrings and the README are run."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import common_core
import pytest

MODULES = sorted(module.name for module in pkgutil.iter_modules(common_core.__path__))
FILES = sorted(module.name for module in pkgutil.walk_packages(common_core.__path__, "common_core."))
README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(autouse=True)
def _root_logger_is_restored(restored_root_logger: None) -> None:
    """The examples set logging up."""


@pytest.mark.parametrize("name", FILES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted, "a module without an example"
    assert not result.failed


def test_the_examples_of_the_readme_are_true() -> None:
    result = doctest.testfile(str(README), module_relative=False)
    assert result.attempted
    assert not result.failed


def test_the_readme_lists_every_module() -> None:
    text = README.read_text("utf-8")
    assert [name for name in MODULES if f"| `{name}` |" not in text] == []


def test_the_package_is_typed_and_knows_nothing_of_its_users() -> None:
    source = Path(common_core.__path__[0])
    assert (source / "py.typed").exists()
    for path in source.rglob("*.py"):
        lines = path.read_text("utf-8").splitlines()
        imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
        assert not imported & {"api", "workers", "pipeline", "settings", "cli", "common_mesh", "simulator"}

"""The drawing in `pipeline/flow.py` is what the driver below it does, stage by stage."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

FLOW = (Path(__file__).resolve().parents[2] / "pipeline" / "flow.py").read_text()
STAGES = ["take", "open", "parse", "admit", "map", "deliver", "settle"]


def drawn(source: str) -> list[str]:
    """The stages of the drawing: the docstring's line of words and arrows."""
    [line] = re.findall(r"^ *(\w+(?: ▶ \w+)+) *$", ast.get_docstring(ast.parse(source)) or "", re.M)
    return list(line.split(" ▶ "))


def driven(source: str, stages: list[str]) -> list[str]:
    """The stages that `drain` calls, in the order of the source; functions of the same module are looked into."""
    module = ast.parse(source)
    own = {one.name: one for one in module.body if isinstance(one, ast.FunctionDef)}

    def calls(function: ast.FunctionDef) -> Iterator[str]:
        found = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        for call in sorted(found, key=lambda one: (one.lineno, one.col_offset)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if isinstance(call.func, ast.Name) and name in own:
                yield from calls(own[name])
            elif name.partition("_")[0] in stages:
                yield name.partition("_")[0]

    return list(calls(own["drain"]))


def agrees(source: str) -> bool:
    stages = drawn(source)
    return driven(source, STAGES) == stages == STAGES


def test_the_driver_does_what_the_drawing_shows() -> None:
    assert drawn(FLOW) == STAGES
    assert driven(FLOW, STAGES) == STAGES


def test_every_stage_of_the_drawing_is_explained_below_it_in_its_order() -> None:
    explained = re.findall(r"^    (\w+) {2,}\S", ast.get_docstring(ast.parse(FLOW)) or "", re.M)
    assert explained == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_the_check_fails_without_a_stage_in_the_drawing(stage: str) -> None:
    line = " ▶ ".join(STAGES)
    assert not agrees(FLOW.replace(line, " ▶ ".join(one for one in STAGES if one != stage)))


@pytest.mark.parametrize("stage", STAGES)
def test_the_check_fails_without_a_stage_in_the_driver(stage: str) -> None:
    changed, count = re.subn(rf"(\W){stage}((?:_\w+)?\()", r"\1nothing\2", FLOW)
    assert count == 1
    assert not agrees(changed)


def test_the_check_fails_when_two_stages_change_places() -> None:
    changed = FLOW.replace("admit_records(stores, batch)", "X").replace("map_records(stores, batch)", "admit_records()")
    assert not agrees(changed.replace("batch = X", "batch = map_records()"))


def test_a_stage_is_a_module_and_one_function() -> None:
    folder = Path(__file__).resolve().parents[2] / "pipeline" / "stages"
    functions = {
        node.name for path in folder.glob("*.py") for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.name.partition("_")[0] in STAGES
    }  # fmt: skip
    assert {name.partition("_")[0] for name in functions} == set(STAGES) - {"take"}
    assert len(functions) == len(STAGES) - 1

"""The examples of docs/preview.md are run as they stand there, and say what stands below them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "preview.md"
HERE = os.environ | {"PYTHONPATH": str(ROOT)}
EXAMPLES = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def commands(example: str) -> list[tuple[str, str]]:
    """(command, what it says) in order."""
    parts = re.split(r"^\$ (.*)\n", example, flags=re.M)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_says_what_the_page_says(example, tmp_path):
    if "../shared/slack" in example and not (ROOT.parent / "shared" / "slack").is_dir():
        pytest.skip("the shared Slack data is not beside the project")
    for command, expected in commands(example):
        # What `./sluice` does once its packages are there.
        command = command.replace("./sluice", f"{sys.executable} -m cli").replace("../shared", f"{ROOT.parent}/shared")
        # Whoever reads at a terminal sees both; stderr is flushed first, since the records leave at the end.
        both = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=HERE, capture_output=True, timeout=60)
        assert (both.stderr + both.stdout).decode() == expected


def test_the_page_has_examples():
    assert len(EXAMPLES) == 3
    assert all(commands(example) for example in EXAMPLES)

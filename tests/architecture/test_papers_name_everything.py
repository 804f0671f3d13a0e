"""What there is, is named where people look for it: commands and pages in the README, keys in `keys.py`."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from cli.__main__ import COMMANDS
from pipeline.store import keys

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def missing(names: Iterable[str], text: str) -> list[str]:
    return [name for name in names if name not in text]


def test_the_readme_names_every_command() -> None:
    assert missing([f"./sluice {name}" for name in COMMANDS], README) == []


def test_the_readme_leads_to_every_page() -> None:
    assert missing([f"](docs/{page.name})" for page in (ROOT / "docs").glob("*.md")], README) == []


def test_every_key_of_the_store_is_described_where_they_are_named() -> None:
    source = Path(keys.__file__).read_text()
    families = [name.partition("{")[0] for name in re.findall(r'_key\(f?"([^"]+)"\)', source)]
    assert len(families) > 30
    assert missing([f"{{sN}}:{family}" for family in families], keys.__doc__ or "") == []


@pytest.mark.parametrize("folder", ["pipeline", "api", "workers"])
def test_every_key_of_no_shard_is_described_there_too(folder: str) -> None:
    text = "\n".join(path.read_text() for path in (ROOT / folder).rglob("*.py"))
    assert missing(re.findall(r'f?"(sluice:[a-z:]+)', text), keys.__doc__ or "") == []

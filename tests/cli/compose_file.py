"""docker-compose.yml as an engine would read it: merged, and with its variables filled in."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
FILE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {"api", "worker", "beat", "sweep", "flower"}

# What a variable looks like: the name, then ":-" and a default, or ":?" where it must be given.
VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})")


class MissingVariable(Exception):
    """`docker compose` would refuse to start."""


def filled(value: Any, given: dict[str, str]) -> Any:
    """The value with every variable replaced."""
    if isinstance(value, dict):
        return {key: filled(entry, given) for key, entry in value.items()}
    if isinstance(value, list):
        return [filled(entry, given) for entry in value]
    return VARIABLE.sub(lambda found: _one(found, given), value) if isinstance(value, str) else value


def _one(found: re.Match[str], given: dict[str, str]) -> str:
    name, kind, default = found[1], found[2], found[3]
    if name is None:
        return "$"
    if not given.get(name) and kind == "?":
        raise MissingVariable(name)
    return given.get(name) or default or ""


def required() -> set[str]:
    """The variables without which nothing starts."""
    return {found[1] for found in VARIABLE.finditer(TEXT) if found[2] == "?"}

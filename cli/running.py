"""The settings that a command works with: the user's own, completed by what a running `./sluice up` plays here.

A running stack keeps no file of its environment, since secrets that came through `op run` shall be on no disk. Whoever
sets nothing of the outside world gets that of the running API process. Where the system does not show that, and for
whoever sets a part himself, what is played is put together again from its addresses and the development secrets.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.dev_secrets import DevSecrets
from cli.runfile import holder, read_status
from cli.stand_ins import MARKS, STAND_INS, generated, played_beside, refuse_borrowed_vault, stand_in_variables
from settings import PREFIX, Settings, SettingsError, variables


class NothingRuns(Exception):
    """A part that is played here is needed, and nothing plays it."""

    def __init__(self) -> None:
        super().__init__("What is not set would be played by `./sluice up`, and it is not running.")


def environment(state_dir: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The SLUICE_* variables: the user's own, and for what they leave unset those of the stack that runs there.

    A running stack of another make is left alone: one that plays what the user sets, or that has real what he does not.
    Raises SettingsError for a store of his own without its vault keys.
    """
    mine = {name: value for name, value in (variables() if given is None else given).items() if value}
    if holder(state_dir) is None:
        return mine
    word = read_status(state_dir)
    if played_beside(mine) == frozenset(STAND_INS.values()) and (theirs := _of_the_api(word)):
        return theirs | mine
    return _composed(word, mine, state_dir)


def settings_for(state_dir: Path, *, paragon: bool = False) -> Settings:
    """The settings, checked; with `paragon` its group must be there. Raises SettingsError."""
    settings = Settings.load("cli", environ=environment(state_dir), op_env=None)
    if paragon and not settings.paragon_project_id:
        raise SettingsError(
            "No Paragon is set and none is played here: start `./sluice up`, or set SLUICE_PARAGON_* (op.env.example)."
        )
    return settings


def whole_settings(state_dir: Path) -> Settings:
    """The settings of a process that works on the store: as the sweep's. Raises SettingsError or `NothingRuns`."""
    found = environment(state_dir)
    if not all(any(name.startswith(MARKS[part]) for name in found) for part in ("store", "paragon")):
        raise NothingRuns
    return Settings.load("sweep", environ=found, op_env=None)


def _of_the_api(word: Mapping[str, Any]) -> dict[str, str]:
    """What the API process was started with, where the system shows it; else {}."""
    pid = next((one["pid"] for one in word.get("processes", []) if one["name"] == "api" and one["pid"]), None)
    try:
        rows = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if pid else []
    except OSError:
        return {}
    pairs = (row.decode(errors="surrogateescape").partition("=") for row in rows)
    return {name: value for name, _, value in pairs if name.startswith(PREFIX)}


def _composed(word: Mapping[str, Any], mine: dict[str, str], state_dir: Path) -> dict[str, str]:
    played = word.get("played", {})
    if played_beside(mine) != set(played):
        return mine
    refuse_borrowed_vault(mine, played)
    secrets, api = DevSecrets.in_directory(state_dir / "secrets"), word.get("urls", {}).get("api")
    door = {"SLUICE_PUBLIC_URL": api} if api else {}
    return door | stand_in_variables(played, secrets) | generated(secrets) | mine

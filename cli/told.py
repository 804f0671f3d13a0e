"""The settings that a command works with: the user's own, else those of what `./sluice up` runs here.

A running stack keeps no file of its environment, since secrets that came through `op run` shall be on no disk: it is
read from its API process. Where the system does not show that, the parts that are played here are put together again.
"""

from collections.abc import Mapping
from pathlib import Path

from cli.dev_secrets import DevSecrets
from cli.runfile import holder, read_status
from cli.stand_ins import MARKS, _generated, _simulated_paragon
from settings import PREFIX, Settings, SettingsError, variables


def told(state_dir: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The SLUICE_* variables: a Paragon of the user's own rules, else the running stack, else what there is."""
    mine = variables() if given is None else dict(given)
    if any(value and name.startswith(MARKS["paragon"]) for name, value in mine.items()):
        return mine
    return running(state_dir) or mine


def running(state_dir: Path) -> dict[str, str]:
    """What the processes of a running stack were told; {} if none runs."""
    if holder(state_dir) is None:
        return {}
    word = read_status(state_dir)
    pid = next((one["pid"] for one in word.get("processes", []) if one["name"] == "api" and one["pid"]), None)
    return (_environment(pid) if pid else {}) or _composed(word, state_dir)


def settings_for(state_dir: Path, *, paragon: bool = False) -> Settings:
    """The settings, checked; with `paragon` its group must be there. Raises SettingsError."""
    settings = Settings.load("cli", environ=told(state_dir), op_env=None)
    if paragon and not settings.paragon_project_id:
        raise SettingsError(
            "No Paragon is set and none is played here: start `./sluice up`, or set SLUICE_PARAGON_* (op.env.example)."
        )
    return settings


def _environment(pid: int) -> dict[str, str]:
    """A process's variables as it was started with, where the system shows them."""
    try:
        rows = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    pairs = (row.decode(errors="surrogateescape").partition("=") for row in rows)
    return {name: value for name, _, value in pairs if name.startswith(PREFIX)}


def _composed(word: Mapping[str, object], state_dir: Path) -> dict[str, str]:
    urls = word.get("urls")
    if not isinstance(urls, dict) or not urls.get("simulator"):
        return {}
    secrets = DevSecrets.in_directory(state_dir / "secrets")
    ours = {"SLUICE_PUBLIC_URL": urls["api"]} if urls.get("api") else {}
    return _generated(secrets) | _simulated_paragon(urls["simulator"], secrets) | ours

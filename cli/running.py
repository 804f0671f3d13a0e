"""The settings that a command works with: the user's own, completed by what a running `up` plays here."""

from pathlib import Path

from cli.dev_secrets import DevSecrets
from cli.runfile import holder, read_status
from cli.stand_ins import STAND_INS, build
from settings import Settings, variables

_ADDRESSES = {
    "simulator": ("SLUICE_PARAGON_API_URL", "SLUICE_PARAGON_TRIGGER_URL", "SLUICE_PARAGON_PROXY_URL"),
    "mesh": ("SLUICE_MESH_URL",),
    "store": ("SLUICE_STORE_URL",),
    "broker": ("SLUICE_BROKER_URL",),
}


class NothingRuns(Exception):
    """A part that is played here is needed, and nothing plays it."""

    def __init__(self) -> None:
        super().__init__("What is not set would be played by `./sluice up`, and it is not running.")


def running_settings(state_dir: Path) -> Settings:
    """Settings of the role `sweep`, with the addresses at which the running stand-ins answer.

    Raises SettingsError, or `NothingRuns` where a stand-in is needed and `up` does not run on this directory.
    """
    given = {name: value for name, value in variables().items() if value}
    if all(any(name.startswith(mark) for name in given) for mark in ("SLUICE_STORE_URL", "SLUICE_PARAGON_")):
        return Settings.load("sweep")
    if holder(state_dir) is None:
        raise NothingRuns
    world = build(given, DevSecrets.in_directory(state_dir / "secrets"), preferred_ports=False)
    played = read_status(state_dir).get("played", {})
    if not world.played & {"store", "mesh", "simulator"} <= set(played) or not set(played) <= set(STAND_INS.values()):
        raise NothingRuns
    addresses = {name: url for part, url in played.items() for name in _ADDRESSES[part]}
    return Settings.load("sweep", environ={**world.environment, **addresses}, op_env=None)

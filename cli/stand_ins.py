"""What is real and what is played: the environment of all processes, completed by stand-ins and development secrets.

A stand-in is used only where the variables of the real one are wholly unset (design.md, 9).
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from cli.dev_secrets import DevSecrets
from cli.ports import HOST, PREFERRED, choose
from settings import Settings, SettingsError
from simulator.config import CHANNELS, MESSAGES, USERS

PROJECT = "sluice-development"
KEY_ID = "development"
EVENTS_PATH = "/core/events"  # where the simulator takes what Sluice tells the core service
PLAYED_ORG = "org001"  # the one organisation that the simulator's core service speaks for

# A part of the outside world → what marks it as real.
MARKS = {
    "paragon": "SLUICE_PARAGON_",
    "mesh": "SLUICE_MESH_",
    "store": "SLUICE_STORE_URL",
    "broker": "SLUICE_BROKER_URL",
}
STAND_INS = {"paragon": "simulator", "mesh": "mesh", "store": "store", "broker": "broker"}


@dataclass(frozen=True)
class World:
    """The outcome: who is played, where everything answers, what the processes are told.

    `played` holds the names of the stand-in processes; `ports` those that we listen on; `environment` is the SLUICE_*
    variables of the API, the workers, beat and sweep; `operator_token` is None where the user's own tokens rule, and
    `core_token`, of PLAYED_ORG, where he gave any: the simulator plays the core service with it.
    """

    played: frozenset[str]
    ports: Mapping[str, int]
    urls: Mapping[str, str]
    environment: Mapping[str, str]
    operator_token: SecretStr | None
    core_token: SecretStr | None


def build(given: Mapping[str, str], secrets: DevSecrets, *, preferred_ports: bool) -> World:
    """Complete what the user gave. Raises SettingsError for a half-set group or a wrong value."""
    given = {name: value for name, value in given.items() if value}
    Settings.load("cli", environ=given, op_env=None)
    played = played_beside(given)
    refuse_borrowed_vault(given, played)
    wanted = {name: port for name, port in PREFERRED.items() if name in {"api", "flower", *played}}
    ports = choose(wanted if preferred_ports else dict.fromkeys(wanted, 0))
    bind = given.get("SLUICE_API_BIND", f"{HOST}:{ports['api']}")
    door = {"SLUICE_API_BIND": bind, "SLUICE_PUBLIC_URL": _local(bind)}
    addresses = {name: _address(name, ports[name]) for name in played}
    environment = door | stand_in_variables(addresses, secrets) | generated(secrets) | given
    environment["SLUICE_CORE_TOKENS"] = _core_tokens(given, secrets)
    settings = Settings.load("service", environ=environment, op_env=None)
    core = None if given.get("SLUICE_CORE_TOKENS") else secrets.core_token
    operator = None if "operator=" in given.get("SLUICE_CORE_TOKENS", "") else secrets.operator_token
    return World(played, ports, _urls(settings, ports), environment, operator, core)


def _address(name: str, port: int) -> str:
    return f"redis://{HOST}:{port}/0" if name in ("store", "broker") else f"http://{HOST}:{port}"


def played_beside(given: Mapping[str, str]) -> frozenset[str]:
    """The stand-ins that start beside these variables: one for each part that they leave unset."""
    unset = [part for part, mark in MARKS.items() if not any(name.startswith(mark) for name in given)]
    return frozenset(STAND_INS[part] for part in unset)


def _local(bind: str) -> str:
    """Where this machine reaches a server bound there: `0.0.0.0:8600` → `http://127.0.0.1:8600`."""
    host, _, port = bind.rpartition(":")
    return f"http://{HOST if host in ('0.0.0.0', '[::]') else host}:{port}"  # noqa: S104 — a comparison


def refuse_borrowed_vault(given: Mapping[str, str], played: Collection[str]) -> None:
    """Raise SettingsError for a store of the user's own without the keys to what it keeps."""
    if "store" not in played and "SLUICE_VAULT_KEYS" not in given:
        raise SettingsError(
            "SLUICE_STORE_URL is set but SLUICE_VAULT_KEYS is not: "
            "a key made here would be the only one to open what that store keeps."
        )


def stand_in_variables(addresses: Mapping[str, str], secrets: DevSecrets) -> dict[str, str]:
    """What our processes are told of the stand-ins that answer at these addresses, by name."""
    variables: dict[str, str] = {}
    if "simulator" in addresses:
        variables |= _simulated_paragon(addresses["simulator"], secrets)
        variables |= _simulated_events(addresses["simulator"], secrets)
    if "mesh" in addresses:
        variables["SLUICE_MESH_URL"] = addresses["mesh"]
        variables["SLUICE_MESH_TOKEN"] = secrets.mesh_token.get_secret_value()
    for name in sorted({"store", "broker"} & set(addresses)):
        variables[f"SLUICE_{name.upper()}_URL"] = addresses[name]
    return variables


def _simulated_paragon(url: str, secrets: DevSecrets) -> dict[str, str]:
    return {
        "SLUICE_PARAGON_PROJECT_ID": PROJECT,
        "SLUICE_PARAGON_SIGNING_KEY": secrets.signing_key.get_secret_value(),
        "SLUICE_PARAGON_API_URL": url,
        "SLUICE_PARAGON_TRIGGER_URL": url,
        "SLUICE_PARAGON_PROXY_URL": url,
        "SLUICE_PARAGON_WORKFLOW_MESSAGES": MESSAGES,
        "SLUICE_PARAGON_WORKFLOW_CHANNELS": CHANNELS,
        "SLUICE_PARAGON_WORKFLOW_USERS": USERS,
    }


def _simulated_events(url: str, secrets: DevSecrets) -> dict[str, str]:
    """The core service that the simulator plays takes events; what the user sets of them comes in its place."""
    return {
        "SLUICE_EVENTS_URL": url + EVENTS_PATH,
        "SLUICE_EVENTS_SECRETS": secrets.event_secret.get_secret_value(),
    }


def generated(secrets: DevSecrets) -> dict[str, str]:
    """The secrets that are made here where the user gives none."""
    return {
        "SLUICE_WEBHOOK_SECRETS": secrets.webhook_secret.get_secret_value(),
        "SLUICE_RUN_TOKEN_KEYS": f"{KEY_ID}:{secrets.run_token_key.get_secret_value()}",
        "SLUICE_VAULT_KEYS": f"{KEY_ID}:{secrets.vault_key.get_secret_value()}",
        "SLUICE_CORE_TOKENS": _core_tokens({}, secrets),
    }


def _core_tokens(given: Mapping[str, str], secrets: DevSecrets) -> str:
    """The user's scopes; where none of them is the operator's, our own for `./sluice status` and the story."""
    theirs = given.get("SLUICE_CORE_TOKENS", "")
    if "operator=" in theirs:
        return theirs
    played = f"org:{PLAYED_ORG}={_digest(secrets.core_token)}"
    return f"operator={_digest(secrets.operator_token)},{theirs or played}"


def _digest(secret: SecretStr) -> str:
    return hashlib.sha256(secret.get_secret_value().encode()).hexdigest()


def _urls(settings: Settings, ports: Mapping[str, int]) -> dict[str, str]:
    """Where a person or a test on this machine reaches each; Paragon has no entry when it is real."""
    urls = {"api": _local(settings.api_bind), "mesh": settings.mesh_url}
    urls |= {"store": settings.store_url, "broker": settings.broker_url}
    urls |= {name: f"http://{HOST}:{ports[name]}" for name in ("flower", "simulator") if name in ports}
    return {name: url for name, url in urls.items() if url}

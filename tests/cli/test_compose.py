"""The compose file is held to the design: its services, the store's promise, and no stand-in or default secret."""

import re
from pathlib import Path
from typing import Any

import yaml

from settings import Settings, name_of

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
SECRETS = {"PARAGON_SIGNING_KEY", "WEBHOOK_SECRETS", "RUN_TOKEN_KEYS", "VAULT_KEYS", "CORE_TOKENS", "MESH_TOKEN"}


def test_the_services_are_those_of_the_design_and_none_is_the_simulator() -> None:
    assert set(SERVICES) == {"store", "broker", "api", "worker", "beat", "sweep", "flower", "mesh"}
    assert "simulator" not in TEXT


def test_the_store_fsyncs_always_and_evicts_nothing() -> None:
    command = " ".join(SERVICES["store"]["command"])
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in command
    assert SERVICES["store"]["volumes"] == ["store:/data"]


def test_every_setting_reaches_our_processes_and_only_known_ones() -> None:
    for name in ("api", "worker", "beat", "sweep"):
        given = {key for key in SERVICES[name]["environment"] if key.startswith("SLUICE_")}
        assert given == {name_of(field) for field in Settings.model_fields}


def test_no_secret_has_a_default() -> None:
    for secret in SECRETS:
        assert SERVICES["api"]["environment"][f"SLUICE_{secret}"] == f"${{SLUICE_{secret}:?}}"


def test_ports_are_published_on_loopback_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(re.match(r"127\.0\.0\.1:", port) for port in published)


def test_there_is_one_beat() -> None:
    assert SERVICES["beat"].get("deploy", {}).get("replicas", 1) == 1
    assert [name for name, service in SERVICES.items() if "beat" in service["command"]] == ["beat"]

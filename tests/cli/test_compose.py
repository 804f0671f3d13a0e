"""The compose file is held to the schema, to the design, and to what the processes take. No engine is needed."""

import importlib.util
import json
import re
import subprocess
import sys
from typing import Any

import flower.options  # noqa: F401 - defines what Flower takes
import pytest
from celery.bin import beat, worker
from celery.bin.celery import celery
from jsonschema import Draft202012Validator
from tornado.options import options as flower_options

from api.__main__ import GRACE_SECONDS
from cli.dev_secrets import DevSecrets
from settings import Settings, name_of
from tests.cli.compose_file import FILE, OURS, ROOT, SERVICES, TEXT, VARIABLE, MissingVariable, filled, required

SCHEMA = json.loads((ROOT / "tests/cli/compose_spec/compose-spec.json").read_text())
SECRETS = {"PARAGON_SIGNING_KEY", "WEBHOOK_SECRETS", "RUN_TOKEN_KEYS", "VAULT_KEYS", "CORE_TOKENS", "MESH_TOKEN"}
NOT_OF_SLUICE = {"FLOWER_BASIC_AUTH", "SIMULATOR_PUBLIC_KEY_FILE"}
WITHOUT_HEALTH = {"beat", "sweep"}  # They listen nowhere: the file says so.


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an engineer gives, and no more."""
    secrets = DevSecrets.in_directory(tmp_path_factory.mktemp("secrets"))
    return {
        "SLUICE_PARAGON_PROJECT_ID": "p-1",
        "SLUICE_PARAGON_SIGNING_KEY": secrets.signing_key.get_secret_value(),
        "SLUICE_PARAGON_WORKFLOW_MESSAGES": "w-1",
        "SLUICE_PUBLIC_URL": "https://sluice.example.com",
        "SLUICE_WEBHOOK_SECRETS": secrets.webhook_secret.get_secret_value(),
        "SLUICE_RUN_TOKEN_KEYS": f"k:{secrets.run_token_key.get_secret_value()}",
        "SLUICE_VAULT_KEYS": f"k:{secrets.vault_key.get_secret_value()}",
        "SLUICE_CORE_TOKENS": "operator=" + "0" * 64,
        "SLUICE_MESH_TOKEN": "t",
        "FLOWER_BASIC_AUTH": "sluice:word",
    }


def wrong(document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(SCHEMA).iter_errors(document)]


def test_the_file_is_valid_by_the_compose_specification_before_and_after_filling_in(given: dict[str, str]) -> None:
    assert wrong(FILE) == []
    assert wrong(filled(FILE, given)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"helthcheck": {}},
        {"ports": "8600"},
        {"depends_on": {"store": {"condition": "up"}}},
        {"deploy": {"resources": {"limits": {"ram": "1g"}}}},
        {"healthcheck": {"test": [1]}},
        {"stop_grace_period": 5},
    ],
)
def test_the_schema_refuses_what_an_engine_would(change: dict[str, Any]) -> None:
    assert wrong({**FILE, "services": {**SERVICES, "api": {**SERVICES["api"], **change}}})


def test_what_is_named_is_defined() -> None:
    for name, service in SERVICES.items():
        assert set(service["networks"]) <= set(FILE["networks"]), name
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        named = [volume.partition(":")[0] for volume in service.get("volumes", []) if not volume.startswith("$")]
        assert set(named) <= set(FILE["volumes"]), name


def test_each_missing_variable_stops_the_start_and_nothing_else_is_needed(given: dict[str, str]) -> None:
    assert required() == set(given)
    filled(FILE, given)
    for name in given:
        with pytest.raises(MissingVariable, match=name):
            filled(FILE, {key: value for key, value in given.items() if key != name})


def test_every_variable_of_the_file_is_a_setting() -> None:
    named = {found[1] for found in VARIABLE.finditer(TEXT) if found[1]} - NOT_OF_SLUICE
    assert named <= {name_of(field) for field in Settings.model_fields}


def test_every_setting_reaches_our_processes_and_only_known_ones() -> None:
    for name in OURS:
        told = {key for key in SERVICES[name]["environment"] if key.startswith("SLUICE_")}
        assert told == {name_of(field) for field in Settings.model_fields}, name


def test_what_is_required_is_enough_for_every_process_and_points_at_the_real_paragon(given: dict[str, str]) -> None:
    told = filled(SERVICES["worker"]["environment"], given)
    for role in ("api", "worker", "sweep", "service"):
        settings = Settings.load(role, environ=told, op_env=None)  # type: ignore[arg-type]
        assert settings.paragon_api_url == Settings.model_fields["paragon_api_url"].default
        assert (settings.store_url, settings.broker_url) == ("redis://store:6379/0", "redis://broker:6379/0")
        assert settings.mesh_url == "http://mesh:8603"
    assert "simulator" not in json.dumps(told)


def test_no_secret_has_a_default() -> None:
    for secret in SECRETS:
        assert SERVICES["api"]["environment"][f"SLUICE_{secret}"] == f"${{SLUICE_{secret}:?}}"
    assert SERVICES["flower"]["environment"]["FLOWER_BASIC_AUTH"] == "${FLOWER_BASIC_AUTH:?}"


def test_the_simulator_is_under_its_profile_and_is_the_only_one_that_is() -> None:
    everyone = {"store", "broker", "api", "worker", "beat", "sweep", "flower", "mesh", "simulator"}
    assert set(SERVICES) == everyone
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"simulator"}
    assert not [name for name, service in SERVICES.items() if "simulator" in service.get("depends_on", {})]


def test_the_store_fsyncs_always_evicts_nothing_and_is_full_before_its_container_is() -> None:
    command = " ".join(SERVICES["store"]["command"])
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in command
    assert SERVICES["store"]["volumes"] == ["store:/data"]
    for name in ("store", "broker"):
        full = re.search(r"--maxmemory (\d+)(mb|gb)", " ".join(SERVICES[name]["command"]))
        assert full is not None
        limit = SERVICES[name]["deploy"]["resources"]["limits"]["memory"]
        factor = 2 if name == "store" else 1  # The child that rewrites the file may copy every page.
        assert int(full[1]) * {"mb": 1, "gb": 1024}[full[2]] * factor < int(limit.removesuffix("m")), name


def test_ports_are_published_on_loopback_only_and_the_servers_have_none() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(re.match(r"127\.0\.0\.1:", port) for port in published)
    for name in ("store", "broker"):
        assert "ports" not in SERVICES[name]
        assert [FILE["networks"][net]["internal"] for net in SERVICES[name]["networks"]] == [True]


def test_there_is_one_beat() -> None:
    assert SERVICES["beat"]["deploy"]["replicas"] == 1
    assert [name for name, service in SERVICES.items() if "beat" in service["command"]] == ["beat"]


def test_each_service_has_limits_a_grace_and_a_health_check() -> None:
    for name, service in SERVICES.items():
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert re.fullmatch(r"\d+s", service["stop_grace_period"]), name
        assert service["restart"] == "unless-stopped", name
        assert (name in WITHOUT_HEALTH) == (service["healthcheck"] == {"disable": True}), name
    assert int(SERVICES["api"]["stop_grace_period"].removesuffix("s")) > GRACE_SECONDS


def test_our_containers_hold_no_privilege_and_write_to_no_disk_of_their_own() -> None:
    for name in {*OURS, "mesh", "simulator"}:
        service = SERVICES[name]
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "user" not in service, "the image's own user is none of root's"


CELERY = {"worker": worker.worker, "beat": beat.beat}


def options_of(command: list[str]) -> set[str]:
    return {part.partition("=")[0] for part in command if re.match(r"--?[a-zA-Z]", part)}


@pytest.mark.parametrize("name", [*sorted(OURS), "mesh", "simulator"])
def test_the_command_of_each_service_runs_a_module_that_is_there(name: str) -> None:
    python, dash, module = SERVICES[name]["command"][:3]
    assert (python, dash) == ("python", "-m")
    found = importlib.util.find_spec(module)
    assert found is not None
    assert not found.submodule_search_locations or importlib.util.find_spec(f"{module}.__main__")


@pytest.mark.parametrize("name", CELERY)
def test_celery_knows_the_command_and_every_option(name: str) -> None:
    command = SERVICES[name]["command"]
    assert command[2:6] == ["celery", "-A", "workers.app", name]
    assert name in celery.commands
    known = {option for parameter in CELERY[name].params for option in parameter.opts}
    assert options_of(command[6:]) <= known


def test_flower_knows_its_options() -> None:
    command = SERVICES["flower"]["command"]
    assert command[2:6] == ["celery", "-A", "workers.app", "flower"]
    known = {f"--{name.replace('_', '-')}" for name in flower_options._options}
    assert options_of(command[6:]) <= known
    assert "--basic-auth" in known, "FLOWER_BASIC_AUTH is its variable"


@pytest.mark.parametrize("name", ["mesh", "simulator"])
def test_the_servers_of_ours_know_their_options(name: str) -> None:
    command = SERVICES[name]["command"]
    said = subprocess.run([sys.executable, "-m", command[2], "--help"], capture_output=True, text=True, cwd=ROOT)
    assert said.returncode == 0
    for option in options_of(command[3:]):
        assert option in said.stdout, option

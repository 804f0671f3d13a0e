import hashlib
from pathlib import Path

import pytest

from cli.dev_secrets import DevSecrets
from cli.options import SimulatorOptions, StackOptions
from cli.programs import base_environment
from cli.stack import Stack
from cli.stand_ins import World, build
from settings import Settings, SettingsError

REAL_PARAGON = {
    "SLUICE_PARAGON_PROJECT_ID": "p-1",
    "SLUICE_PARAGON_SIGNING_KEY": "-----BEGIN PRIVATE KEY-----",
    "SLUICE_PARAGON_WORKFLOW_MESSAGES": "w-1",
    "SLUICE_PARAGON_WORKFLOW_CHANNELS": "w-2",
    "SLUICE_PARAGON_WORKFLOW_USERS": "w-3",
    "SLUICE_PUBLIC_URL": "https://sluice.example.com",
    "SLUICE_WEBHOOK_SECRETS": "a-secret-of-paragon-s",
}


@pytest.fixture
def secrets(tmp_path: Path) -> DevSecrets:
    return DevSecrets.in_directory(tmp_path / "secrets")


def world(secrets: DevSecrets, **given: str) -> World:
    return build(given, secrets, preferred_ports=False)


def test_with_nothing_given_everything_is_played_and_the_settings_are_complete(secrets: DevSecrets) -> None:
    made = world(secrets)
    assert made.played == {"simulator", "mesh", "store", "broker"}
    settings = Settings.load(environ=made.environment, op_env=None)
    assert settings.paragon_api_url == made.urls["simulator"]
    assert settings.public_url == made.urls["api"] == f"http://127.0.0.1:{made.ports['api']}"
    assert set(made.urls) == {"api", "flower", "mesh", "simulator", "store", "broker"}


@pytest.mark.parametrize(
    ("given", "absent"),
    [
        (REAL_PARAGON, "simulator"),
        ({"SLUICE_MESH_URL": "https://mesh.example.com", "SLUICE_MESH_TOKEN": "t"}, "mesh"),
        ({"SLUICE_MESH_ENGINE": "company.mesh:engine"}, "mesh"),
        ({"SLUICE_STORE_URL": "redis://store:1/0", "SLUICE_VAULT_KEYS": "v:" + "A" * 43 + "="}, "store"),
        ({"SLUICE_BROKER_URL": "amqp://broker:1"}, "broker"),
    ],
)
def test_what_is_real_is_not_played_and_nothing_else_changes(
    secrets: DevSecrets, given: dict[str, str], absent: str
) -> None:
    made = world(secrets, **given)
    assert made.played == {"simulator", "mesh", "store", "broker"} - {absent}
    assert given.items() <= made.environment.items()


def test_a_part_that_is_half_set_stops_the_start(secrets: DevSecrets) -> None:
    for name, value in REAL_PARAGON.items():
        if name.startswith("SLUICE_PARAGON"):
            with pytest.raises(SettingsError, match=f"half set: {name}"):
                world(secrets, **{name: value})
    with pytest.raises(SettingsError, match="missing: SLUICE_MESH_TOKEN"):
        world(secrets, SLUICE_MESH_URL="http://127.0.0.1:1")


def test_a_real_store_is_never_sealed_with_a_key_made_here(secrets: DevSecrets) -> None:
    with pytest.raises(SettingsError, match="SLUICE_VAULT_KEYS is not"):
        world(secrets, SLUICE_STORE_URL="redis://store:1/0")


def test_the_operators_development_token_joins_the_users_tokens_unless_they_have_an_operator(
    secrets: DevSecrets,
) -> None:
    digest = hashlib.sha256(b"token").hexdigest()
    joined = world(secrets, SLUICE_CORE_TOKENS=f"org:a={digest}")
    assert set(Settings.load(environ=joined.environment, op_env=None).core_tokens) == {"operator", "org:a"}
    assert joined.operator_token == secrets.operator_token
    theirs = world(secrets, SLUICE_CORE_TOKENS=f"operator={digest}")
    assert theirs.environment["SLUICE_CORE_TOKENS"] == f"operator={digest}"
    assert theirs.operator_token is None


def test_an_api_bound_to_all_addresses_is_reached_on_loopback(secrets: DevSecrets) -> None:
    assert world(secrets, SLUICE_API_BIND="0.0.0.0:8700").urls["api"] == "http://127.0.0.1:8700"


def test_the_users_other_settings_reach_the_processes_and_their_stray_variables_do_not(
    secrets: DevSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_SHARDS", "4")
    assert world(secrets, SLUICE_SHARDS="8").environment["SLUICE_SHARDS"] == "8"
    assert not [name for name in base_environment() if "SLUICE" in name]


def test_a_stack_has_the_processes_of_the_design_and_strangers_get_no_secret_of_ours(tmp_path: Path) -> None:
    stack = Stack(tmp_path, StackOptions(workers=2, simulator=SimulatorOptions(seed=7, retry_scale=0.5)))
    named = "store broker mesh simulator flower worker-1 worker-2 sweep beat api"
    assert stack.names == named.split()
    children = stack._children
    assert "--seed 7" in " ".join(children["simulator"].program.argv)
    for stranger in ("store", "broker", "mesh", "simulator"):
        told = " ".join(children[stranger].program.env.values())
        for secret in ("signing_key", "vault_key", "run_token_key", "operator_token"):
            assert getattr(stack.secrets, secret).get_secret_value() not in told, (stranger, secret)
    for child in children.values():
        for secret in ("vault_key", "webhook_secret", "flower_password", "mesh_token", "run_token_key"):
            assert getattr(stack.secrets, secret).get_secret_value() not in " ".join(child.program.argv)


def test_a_second_start_in_the_same_directory_has_the_same_secrets_and_the_same_history(tmp_path: Path) -> None:
    one, two = Stack(tmp_path), Stack(tmp_path)
    assert one.secrets == two.secrets
    arguments = [stack._children["simulator"].program.argv for stack in (one, two)]
    assert [argv[argv.index("--anchor") + 1] for argv in arguments] == [(tmp_path / "simulator-anchor").read_text()] * 2


def test_the_played_core_service_speaks_for_one_organisation_and_not_at_all_beside_tokens_of_your_own(
    secrets: DevSecrets, tmp_path: Path
) -> None:
    alone = world(secrets)
    assert alone.core_token == secrets.core_token
    assert set(Settings.load(environ=alone.environment, op_env=None).core_tokens) == {"operator", "org:org001"}
    assert world(secrets, SLUICE_CORE_TOKENS=f"org:a={'0' * 64}").core_token is None
    program = Stack(tmp_path)._children["simulator"].program
    assert program.env[program.argv[program.argv.index("--core-token-env") + 1]]


OWN_EVENTS = {
    "SLUICE_EVENTS_URL": "https://core.example.com/events",
    "SLUICE_EVENTS_SECRETS": "whsec_" + "A" * 43 + "=",
}


def test_the_played_core_service_takes_events_and_a_real_one_keeps_its_secret(
    secrets: DevSecrets, tmp_path: Path
) -> None:
    played = world(secrets)
    settings = Settings.load(environ=played.environment, op_env=None)
    assert settings.events_url == played.urls["simulator"] + "/core/events"
    assert settings.events_secrets == [secrets.event_secret]
    for given in ({}, OWN_EVENTS):
        stack = Stack(tmp_path, StackOptions(given=given))
        program = stack._children["simulator"].program
        told = program.env[program.argv[program.argv.index("--event-secret-env") + 1]]
        assert told == ("" if given else stack.secrets.event_secret.get_secret_value())
    assert OWN_EVENTS.items() <= world(secrets, **OWN_EVENTS).environment.items()


def test_events_go_nowhere_where_paragon_is_real_and_no_address_is_set(secrets: DevSecrets) -> None:
    real = world(secrets, **REAL_PARAGON)
    assert "SLUICE_EVENTS_URL" not in real.environment
    assert Settings.load(environ=real.environment, op_env=None).events_url == ""


def test_half_of_the_events_group_stops_the_start(secrets: DevSecrets) -> None:
    for name, value in OWN_EVENTS.items():
        with pytest.raises(SettingsError, match=f"events group is half set: {name}"):
            world(secrets, **{name: value})

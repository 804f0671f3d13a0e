import base64
import hashlib
from pathlib import Path

import pytest

from settings import Settings, SettingsError

KEY = base64.b64encode(bytes(range(32))).decode()
RUN_KEY = "r" * 40
COMPLETE = {
    "SLUICE_PARAGON_PROJECT_ID": "p-1",
    "SLUICE_PARAGON_SIGNING_KEY": "-----BEGIN PRIVATE KEY-----\\nabc\\n-----END PRIVATE KEY-----",
    "SLUICE_PARAGON_WORKFLOW_MESSAGES": "w-1",
    "SLUICE_PARAGON_WORKFLOW_CHANNELS": "w-2",
    "SLUICE_PARAGON_WORKFLOW_USERS": "w-3",
    "SLUICE_PUBLIC_URL": "https://sluice.example.com",
    "SLUICE_WEBHOOK_SECRETS": "webhook-secret-one,webhook-secret-two",
    "SLUICE_RUN_TOKEN_KEYS": f"k2:{RUN_KEY},k1:{RUN_KEY}",
    "SLUICE_VAULT_KEYS": f"v2:{KEY},v1:{KEY}",
    "SLUICE_CORE_TOKENS": f"operator={hashlib.sha256(b'o').hexdigest()},org:a=b={hashlib.sha256(b'a').hexdigest()}",
    "SLUICE_MESH_URL": "http://127.0.0.1:1",
    "SLUICE_MESH_TOKEN": "mesh-token-value",
    "SLUICE_STORE_URL": "redis://:store-password@127.0.0.1:1/0",
    "SLUICE_BROKER_URL": "redis://:broker-password@127.0.0.1:2/0",
}


def load(changes: dict[str, str] | None = None, role="service", op_env: Path | None = None) -> Settings:
    return Settings.load(role, environ={**COMPLETE, **(changes or {})}, op_env=op_env)


def refusal(changes: dict[str, str], role="service") -> str:
    with pytest.raises(SettingsError) as caught:
        load(changes, role)
    return str(caught.value)


def test_lists_are_typed_and_in_order_the_first_key_first() -> None:
    settings = load()
    assert [secret.get_secret_value() for secret in settings.webhook_secrets] == [
        "webhook-secret-one",
        "webhook-secret-two",
    ]
    assert list(settings.run_token_keys) == ["k2", "k1"]
    assert settings.vault_keys == {"v2": bytes(range(32)), "v1": bytes(range(32))}
    assert set(settings.core_tokens) == {"operator", "org:a=b"}
    assert (settings.api_host, settings.api_port) == ("127.0.0.1", 8600)


@pytest.mark.parametrize(
    ("field", "wrong", "wanted"),
    [
        *[
            (f"PARAGON_{part}_URL", wrong, "must be http(s)://<host>")
            for part in ("API", "TRIGGER", "PROXY")
            for wrong in ("zeus.useparagon.com", "https://h:99999", "https://h/?q=1", "https://u:canary@h", "ftp://h")
        ],
        *[("MESH_URL", wrong, "must be http(s)://<host>") for wrong in ("mesh.local", "https://h:0", "https://h#f")],
        *[("STORE_URL", wrong, "must be redis://") for wrong in ("h:6379", "http://h", "redis://:canary@h:99999/0")],
        *[("API_BIND", wrong, "must be <host>:<port>") for wrong in ("8600", "h:99999", "h:", "a b:1")],
    ],
)
def test_an_address_that_no_client_could_use_stops_the_start_and_is_not_shown(
    field: str, wrong: str, wanted: str
) -> None:
    said = refusal({f"SLUICE_{field}": wrong})
    assert said.startswith(f"SLUICE_{field} {wanted}")
    assert wrong not in said
    assert "canary" not in said


@pytest.mark.parametrize("good", ["http://10.0.0.1:8080/p", "https://[::1]:8443", "https://paragon.example.com/"])
def test_an_on_premises_address_may_have_a_port_and_a_path(good: str) -> None:
    assert load({"SLUICE_PARAGON_API_URL": good, "SLUICE_MESH_URL": good}).paragon_api_url == good


def test_what_a_companys_own_mesh_engine_takes_for_an_address_is_its_business() -> None:
    settings = load({"SLUICE_MESH_ENGINE": "company:make", "SLUICE_MESH_URL": "kafka:topic"})
    assert settings.mesh_url == "kafka:topic"


def test_a_signing_key_with_literal_backslash_n_is_understood() -> None:
    assert load().paragon_signing_key.get_secret_value().splitlines()[1] == "abc"


def test_the_environment_wins_over_op_env_and_an_empty_value_is_unset(tmp_path: Path) -> None:
    op_env = tmp_path / "op.env"
    op_env.write_text("SLUICE_SHARDS=8\nSLUICE_PULL_MINUTES=0.5\nSLUICE_PARAGON_AUDIENCE=a\nOTHER=1\n")
    settings = load({"SLUICE_SHARDS": "4", "SLUICE_PARAGON_AUDIENCE": ""}, op_env=op_env)
    assert (settings.shards, settings.pull_minutes, settings.paragon_audience) == (4, 0.5, "")


def test_a_resolved_environment_makes_references_in_op_env_harmless(tmp_path: Path) -> None:
    op_env = tmp_path / "op.env"
    op_env.write_text("".join(f"{name}=op://Sluice/x/y\n" for name in COMPLETE))
    assert load(op_env=op_env).paragon_project_id == "p-1"


def test_an_unresolved_reference_stops_the_start() -> None:
    assert "SLUICE_MESH_TOKEN is an unresolved op://" in refusal({"SLUICE_MESH_TOKEN": "op://Sluice/Mesh/token"})


def test_an_unknown_name_stops_the_start_in_the_environment_and_in_the_file(tmp_path: Path) -> None:
    assert "SLUICE_PARAGON_PROJEKT_ID is not a setting" in refusal({"SLUICE_PARAGON_PROJEKT_ID": "x"})
    assert "Did you mean SLUICE_SHARDS?" in refusal({"SLUICE_SHARD": "x"})
    op_env = tmp_path / "op.env"
    op_env.write_text("SLUICE_COLOUR=blue\n")
    with pytest.raises(SettingsError, match="SLUICE_COLOUR is not a setting"):
        load(op_env=op_env)


@pytest.mark.parametrize(
    "missing",
    [
        *("SLUICE_PARAGON_PROJECT_ID", "SLUICE_PARAGON_SIGNING_KEY", "SLUICE_PARAGON_WORKFLOW_MESSAGES"),
        *("SLUICE_PUBLIC_URL", "SLUICE_WEBHOOK_SECRETS", "SLUICE_MESH_URL", "SLUICE_MESH_TOKEN"),
    ],
)
@pytest.mark.parametrize("role", ["service", "cli"])
def test_a_half_set_group_is_refused_by_name(missing: str, role: str) -> None:
    said = refusal({missing: ""}, role)
    assert "half set" in said
    assert missing in said
    assert said.count(". ") == 0, "one sentence"


@pytest.mark.parametrize(
    "missing", ["SLUICE_STORE_URL", "SLUICE_BROKER_URL", "SLUICE_VAULT_KEYS", "SLUICE_CORE_TOKENS"]
)
def test_what_a_role_needs_and_has_not_is_named(missing: str) -> None:
    assert missing in refusal({missing: ""}, "api")


def test_a_command_line_needs_nothing_and_a_service_says_which_group_is_missing() -> None:
    assert Settings.load("cli", environ={}, op_env=None).store_url == ""
    with pytest.raises(SettingsError, match="Paragon group is not set"):
        Settings.load("worker", environ={}, op_env=None)


def test_each_role_needs_only_what_it_uses() -> None:
    assert load({"SLUICE_MESH_URL": "", "SLUICE_MESH_TOKEN": ""}, "api").mesh_url == ""
    assert load({"SLUICE_CORE_TOKENS": ""}, "worker").core_tokens == {}
    assert load({"SLUICE_BROKER_URL": ""}, "sweep").broker_url == ""


def test_an_engine_of_ones_own_needs_no_mesh_address() -> None:
    own = {"SLUICE_MESH_URL": "", "SLUICE_MESH_TOKEN": "", "SLUICE_MESH_ENGINE": "company.mesh:engine"}
    assert load(own).mesh_engine == "company.mesh:engine"


SECRET = "s3cret-value-that-must-not-show"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLUICE_SHARDS", SECRET),
        ("SLUICE_SHARDS", "257"),
        ("SLUICE_PULL_MINUTES", "inf"),
        ("SLUICE_OVERDUE_SECONDS", "-1"),
        ("SLUICE_DELIVERY", SECRET),
        ("SLUICE_API_BIND", SECRET),
        ("SLUICE_PARAGON_SIGNING_KEY", SECRET),
        ("SLUICE_WEBHOOK_SECRETS", "tiny"),
        ("SLUICE_WEBHOOK_SECRETS", f"{SECRET},{SECRET}2,{SECRET}3"),
        ("SLUICE_RUN_TOKEN_KEYS", SECRET),
        ("SLUICE_RUN_TOKEN_KEYS", f"k:{SECRET[:31]}"),
        ("SLUICE_RUN_TOKEN_KEYS", f"k:{RUN_KEY},k:{RUN_KEY}"),
        ("SLUICE_RUN_TOKEN_KEYS", f"a b:{RUN_KEY}"),
        ("SLUICE_VAULT_KEYS", f"v1:{SECRET}"),
        ("SLUICE_VAULT_KEYS", f"v1:{base64.b64encode(b'short').decode()}"),
        ("SLUICE_CORE_TOKENS", f"operator={SECRET}"),
        ("SLUICE_CORE_TOKENS", f"admin={hashlib.sha256(b'').hexdigest()}"),
        ("SLUICE_MESH_ENGINE", SECRET),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_never_shown(name: str, value: str) -> None:
    said = refusal({name: value})
    assert said.startswith(name)
    assert SECRET[:31] not in said
    assert value not in said


def test_no_secret_is_in_repr_or_str() -> None:
    shown = f"{load()!r} {load()}"
    for secret in (
        "abc",
        "webhook-secret",
        RUN_KEY,
        KEY,
        "\\x01\\x02",
        "mesh-token-value",
        "store-password",
        "broker-p",
    ):
        assert secret not in shown, secret

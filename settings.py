"""One Settings class: the environment first, then `op.env` in the project's root (design.md, 9).

Only the composition roots (`api/__main__`, `workers/app`, `workers/sweep`, `cli/`) read it, with `Settings.load()`.
Whatever is wrong stops the start with one sentence that names the variable and never shows a value.
"""

import ipaddress
import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from common_core.validators import Positive
from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

import settings_addresses as addresses
import settings_lists as lists
import settings_tls as tls

PREFIX = "SLUICE_"
OP_ENV = Path(__file__).resolve().parent / "op.env"
# Set by `cli.stack` for its children, which are given every variable: for them `op.env` is not read a second time.
STACK_MARK = "_SLUICE_STACK"

Role = Literal["service", "api", "worker", "sweep", "cli"]

UNSET = SecretStr("")  # not a secret: the absence of one


class SettingsError(Exception):
    """A setting is wrong or missing; the text is one sentence for a human, without any value."""


def name_of(field: str) -> str:
    """The variable of a field: `store_url` → `SLUICE_STORE_URL`."""
    return PREFIX + field.upper()


class Settings(BaseSettings):
    """Every variable, typed. An empty string, list or dict means unset; `load` checks what a role needs."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Paragon, the workflow engine: all or nothing. Hosts have Paragon's own names as defaults.
    paragon_project_id: str = ""
    paragon_signing_key: SecretStr = UNSET
    paragon_api_url: str = "https://api.useparagon.com"
    paragon_trigger_url: str = "https://zeus.useparagon.com"
    paragon_proxy_url: str = "https://proxy.useparagon.com"
    paragon_audience: str = ""
    paragon_workflow_messages: str = ""
    paragon_workflow_channels: str = ""
    paragon_workflow_users: str = ""

    # What Paragon's workflows call.
    public_url: str = ""
    api_bind: str = "127.0.0.1:8600"
    trusted_proxies: str = ""
    webhook_secrets: Annotated[list[SecretStr], BeforeValidator(lists.listed)] = []
    run_token_keys: Annotated[dict[str, SecretStr], BeforeValidator(lists.run_token_keys)] = {}
    vault_keys: Annotated[dict[str, bytes], BeforeValidator(lists.vault_keys)] = Field({}, repr=False)
    core_tokens: Annotated[dict[str, tuple[str, ...]], BeforeValidator(lists.core_tokens)] = {}

    # The core service's own door, for events (docs/events.md): both, or none.
    events_url: str = Field("", repr=False)  # a query may hold a token of theirs
    events_secrets: Annotated[list[SecretStr], BeforeValidator(lists.listed)] = []

    # The service mesh. With an engine of your own, address and token may be its business.
    mesh_url: str = ""
    mesh_token: SecretStr = UNSET
    mesh_engine: str = Field("", pattern=r"^$|^[\w.]+:\w+$")

    # The two servers. Their addresses may hold a password.
    store_url: str = Field("", repr=False)
    store_durability: Literal["verify", "asserted"] = "verify"
    broker_url: str = Field("", repr=False)

    shards: int = Field(16, ge=1, le=256)
    pull_minutes: Positive[float] = 15
    pulls_at_once: int = Field(200, ge=1)
    reread_days: int = Field(7, ge=0, le=31)
    body_limit_bytes: int = Field(8_388_608, ge=1024)
    backlog_limit: int = Field(200_000, ge=1)
    overdue_seconds: Positive[float] = 600
    delivery: Literal["live", "shadow"] = "live"
    allow_messages_outside_runs: bool = False
    allow_direct_messages: bool = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values come through `load` alone, which has checked their names; nothing is read behind its back."""
        return (init_settings,)

    @field_validator("paragon_signing_key", mode="after")
    @classmethod
    def _unescaped(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value().replace("\\n", "\n")  # secret stores hand the key over with literal \n
        if key and "-----BEGIN" not in key:
            raise ValueError("is not a private key in PEM")
        return SecretStr(key)

    @field_validator("webhook_secrets", mode="after")
    @classmethod
    def _one_or_two(cls, value: list[SecretStr]) -> list[SecretStr]:
        if len(value) > 2:
            raise ValueError("holds more than two secrets: the old one and the new one are enough")
        if any(len(secret.get_secret_value()) < 16 for secret in value):
            raise ValueError("has a secret shorter than 16 characters")
        return value

    @field_validator("api_bind", mode="after")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        return addresses.bind(value)

    @field_validator("public_url", "paragon_api_url", "paragon_trigger_url", "paragon_proxy_url", mode="after")
    @classmethod
    def _web_address(cls, value: str) -> str:
        return addresses.web(value)

    @field_validator("events_url", mode="after")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        return addresses.events(value)

    @field_validator("events_secrets", mode="after")
    @classmethod
    def _signing(cls, value: list[SecretStr]) -> list[SecretStr]:
        if len(value) > 2:
            raise ValueError("holds more than two secrets: the old one and the new one are enough")
        for secret in value:
            lists.signing_secret(secret.get_secret_value())
        return value

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _networks(cls, value: str) -> str:
        parts = [part.strip() for part in value.split(",") if part.strip()]
        try:
            return ",".join(str(ipaddress.ip_network(part)) for part in parts)
        except ValueError:
            raise ValueError("must be a comma list of addresses and networks, such as 10.0.3.7,10.1.0.0/16") from None

    @field_validator("store_url", mode="after")
    @classmethod
    def _known_store(cls, value: str) -> str:
        return addresses.store(value)

    @field_validator("broker_url", mode="after")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        return addresses.broker(value)

    @field_validator("store_url", "broker_url", mode="after")
    @classmethod
    def _verified(cls, value: str) -> str:
        return tls.checked(value)

    @property
    def api_host(self) -> str:
        """The host of `api_bind`."""
        return self.api_bind.rpartition(":")[0].strip("[]")

    @property
    def api_port(self) -> int:
        """The port of `api_bind`."""
        return int(self.api_bind.rpartition(":")[2])

    @classmethod
    def load(
        cls, role: Role = "service", *, environ: Mapping[str, str] | None = None, op_env: Path | None = OP_ENV
    ) -> Self:
        """Read the environment, then `op_env`, and check what the role needs. Raises SettingsError."""
        given = variables(environ, op_env)
        _check_names(cls, given)
        _check_references(given)
        values: dict[str, Any] = {name.removeprefix(PREFIX).lower(): value for name, value in given.items() if value}
        try:
            settings = cls(**values)
        except ValidationError as error:
            raise SettingsError(_sentence(error)) from None
        check_groups(settings, role)
        return settings


PARAGON = tuple(field for field in Settings.model_fields if field.startswith("paragon_"))
PARAGON_NEEDS = (
    # The directory workflows may start by themselves in Paragon, on connect and daily: their ids are optional.
    *("paragon_project_id", "paragon_signing_key", "paragon_workflow_messages"),
    *("public_url", "webhook_secrets"),
)
MESH = ("mesh_url", "mesh_token")
EVENTS = ("events_url", "events_secrets")
NEEDS: dict[Role, tuple[str, ...]] = {
    "service": ("store_url", "broker_url", "run_token_keys", "vault_keys", "core_tokens"),
    "api": ("store_url", "broker_url", "run_token_keys", "vault_keys", "core_tokens"),
    "worker": ("store_url", "broker_url", "run_token_keys", "vault_keys"),
    "sweep": ("store_url", "run_token_keys", "vault_keys"),
    "cli": (),
}


def is_set(settings: Settings, field: str) -> bool:
    """Whether a variable was given a value of its own."""
    return field in settings.model_fields_set


def check_groups(settings: Settings, role: Role) -> None:
    """Refuse a group that is half set, and one that the role cannot do without. Raises SettingsError."""
    _check_group(settings, "Paragon", PARAGON, PARAGON_NEEDS, needed=role != "cli")
    if not settings.mesh_engine:
        _check_group(settings, "mesh", MESH, MESH, needed=role not in ("cli", "api"))
        _check_mesh_address(settings)
    _check_group(settings, "events", EVENTS, EVENTS, needed=False)
    for field in NEEDS[role]:
        if not is_set(settings, field):
            raise SettingsError(f"{name_of(field)} is not set; op.env.example says what it is for.")


def _check_mesh_address(settings: Settings) -> None:
    """Of our own client; what an engine of the company's takes is its business."""
    try:
        addresses.web(settings.mesh_url)
    except ValueError as error:
        raise SettingsError(f"{name_of('mesh_url')} {error}.") from None


def _check_group(
    settings: Settings, group: str, any_of: tuple[str, ...], all_of: tuple[str, ...], *, needed: bool
) -> None:
    present = [name_of(field) for field in any_of if is_set(settings, field)]
    missing = ", ".join(name_of(field) for field in all_of if not is_set(settings, field))
    if missing and present:
        raise SettingsError(f"The {group} group is half set: {present[0]} is there, but missing: {missing}.")
    if missing and needed:
        raise SettingsError(f"The {group} group is not set; missing: {missing}.")


def variables(environ: Mapping[str, str] | None = None, op_env: Path | None = OP_ENV) -> dict[str, str]:
    """The variables as given, unchecked: `op_env`, over it the environment, where an empty one takes the other away."""
    environ = os.environ if environ is None else environ
    given = {} if op_env is None or STACK_MARK in environ else _from_file(op_env)
    return given | {name: value for name, value in environ.items() if name.startswith(PREFIX)}


def _from_file(path: Path) -> dict[str, str]:
    values = dotenv_values(path, interpolate=False) if path.is_file() else {}
    return {name: value or "" for name, value in values.items() if name.startswith(PREFIX)}


def _check_names(cls: type[Settings], given: Mapping[str, str]) -> None:
    known = [name_of(field) for field in cls.model_fields]
    for name in sorted(set(given) - set(known)):
        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else " op.env.example lists them all."
        raise SettingsError(f"{name} is not a setting of Sluice.{hint}")


def _check_references(given: Mapping[str, str]) -> None:
    for name, value in given.items():
        if "op://" in value:
            raise SettingsError(
                f"{name} is an unresolved op:// reference: start with `op run --env-file op.env -- ./sluice up`."
            )


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    said = first["msg"].removeprefix("Value error, ")
    return f"{name_of(str(first['loc'][0]))} {said[0].lower() + said[1:]}."

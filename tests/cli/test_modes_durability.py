"""A store of somebody else, whose user may not CONFIG: refused with a sentence, taken on the operator's word."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from cli.dev_secrets import DevSecrets
from cli.embedded import EmbeddedServer
from cli.options import StackOptions
from cli.programs import base_environment
from cli.stack import Stack
from cli.stand_ins import build
from cli.walk import Walk, players
from pipeline.store import durability
from pipeline.store.client import connect
from settings import STACK_MARK

pytestmark = pytest.mark.integration

# What a hosted store gives to its customers: everything but what changes or shows the server.
RIGHTS = ("on", ">word", "~*", "&*", "+@all", "-@admin", "-@dangerous", "+info")


@pytest.fixture(scope="module")
def hosted() -> Iterator[str]:
    """The URL of a durable store, as a user who may not CONFIG."""
    with EmbeddedServer(durable=True) as server:
        with redis.Redis.from_url(server.url) as root:
            root.execute_command("ACL", "SETUSER", "sluice", *RIGHTS)
        yield server.url.replace("redis://", "redis://sluice:word@")


@pytest.fixture
def told(tmp_path: Path, hosted: str) -> dict[str, str]:
    secrets = DevSecrets.in_directory(tmp_path / "secrets")
    given = {
        "SLUICE_STORE_URL": hosted,
        "SLUICE_VAULT_KEYS": f"k:{secrets.vault_key.get_secret_value()}",
    }
    return dict(build(given, secrets, preferred_ports=False).environment)


def test_the_user_of_this_store_may_indeed_not_ask_for_its_configuration(hosted: str) -> None:
    with connect(hosted) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.config_get("appendfsync")


def test_a_store_that_does_not_tell_is_refused_with_what_to_do_and_taken_on_an_assertion(hosted: str) -> None:
    with connect(hosted) as client:
        with pytest.raises(durability.NotDurableError, match="SLUICE_STORE_DURABILITY=asserted"):
            durability.check(client, 16, asserted=False)
        durability.check(client, 16, asserted=True)
        with pytest.raises(durability.NotDurableError, match="SLUICE_SHARDS=16"):
            durability.check(client, 8, asserted=True)


@pytest.mark.parametrize("module", ["api", "workers.sweep"])
def test_a_process_that_is_told_nothing_ends_with_that_sentence(module: str, told: dict[str, str]) -> None:
    command = [sys.executable, "-m", module]
    env = base_environment() | told | {STACK_MARK: "1"}
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2
    assert "SLUICE_STORE_DURABILITY=asserted" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert "word" not in ran.stderr.replace("acknowledged", "")


@pytest.mark.parametrize(
    ("setting", "value"), [("appendfsync", "everysec"), ("maxmemory-policy", "allkeys-lru"), ("appendonly", "no")]
)
def test_a_store_that_tells_and_would_lose_is_refused_by_the_name_of_what_is_wrong(setting: str, value: str) -> None:
    with EmbeddedServer(durable=True) as server, connect(server.url) as client:
        durability.check(client, 16, asserted=False)
        client.config_set(setting, value)
        with pytest.raises(durability.NotDurableError, match=setting):
            durability.check(client, 16, asserted=False)


def test_with_the_assertion_the_whole_way_works_on_such_a_store(told: dict[str, str], tmp_path: Path) -> None:
    names = ("SLUICE_STORE_URL", "SLUICE_VAULT_KEYS")
    given = {name: told[name] for name in names} | {"SLUICE_STORE_DURABILITY": "asserted"}
    with Stack(tmp_path / "state", StackOptions(given=given, concurrency=1, restart_crashed=False)) as stack:
        stack.start(["broker", "mesh", "worker", "sweep", "api"])
        assert stack.operator_token is not None
        assert httpx.get(f"{stack.urls['api']}/readyz", trust_env=False).json()["parts"] == {"store": "ok"}
        assert httpx.get(f"{stack.urls['api']}/metrics", trust_env=False).status_code == 200
        operator, mesh = (token.get_secret_value() for token in (stack.operator_token, stack.secrets.mesh_token))
        urls = {**stack.urls, "simulator": stack.urls["mesh"]}
        with Walk(urls, operator, mesh, say=lambda _: None, patience=20) as walk:
            [player] = players(1)
            walk.register(player)
            walk.until("the connection in the mesh", lambda: walk.count(player.org)["user"] == 1)
            assert walk.status()["backlog"] == 0

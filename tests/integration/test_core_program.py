"""`python -m api`: what it is built of, and how it refuses to start."""

import asyncio
from pathlib import Path

import pytest

from api.__main__ import build, main
from cli.dev_secrets import DevSecrets
from cli.options import StackOptions
from cli.stand_ins import build as build_world
from settings import STACK_MARK, Settings


@pytest.fixture
def environment(tmp_path: Path, store: str, broker_url: str) -> dict[str, str]:
    world = build_world(StackOptions().given, DevSecrets.in_directory(tmp_path), preferred_ports=False)
    return {**world.environment, "SLUICE_STORE_URL": store, "SLUICE_BROKER_URL": broker_url}


def test_no_route_waits_longer_for_the_store_than_a_callback_does(environment: dict[str, str]) -> None:
    app = build(Settings.load("api", environ=environment, op_env=None))
    try:
        patience = app.state.services.client.connection_pool.connection_kwargs
        assert patience["socket_timeout"] <= 2
        assert patience["socket_connect_timeout"] <= 2
    finally:
        asyncio.run(_shut(app))


async def _shut(app: object) -> None:
    async with app.router.lifespan_context(app):  # type: ignore[attr-defined]
        pass


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"SLUICE_VAULT_KEYS": ""}, "SLUICE_VAULT_KEYS is not set"),
        ({"SLUICE_SHARDS": "7"}, "SLUICE_SHARDS=16"),
        ({"SLUICE_STORE_URL": "redis://127.0.0.1:1/0"}, "store away"),
        ({"SLUICE_PARAGON_SIGNING_KEY": "-----BEGIN RSA PRIVATE KEY-----\ncanary"}, "signing key"),
    ],
)
def test_a_start_that_cannot_work_ends_with_a_sentence(
    environment: dict[str, str],
    change: dict[str, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asyncio.run(_shut(build(Settings.load("api", environ=environment, op_env=None))))  # lays the store out
    monkeypatch.setattr("api.__main__.log_manager.setup", lambda **_: None)  # it would outlive this test
    for name, value in {**environment, **change, STACK_MARK: "1"}.items():
        monkeypatch.setenv(name, value)
    assert main() == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert "canary" not in said

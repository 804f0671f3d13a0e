"""Each real part replaces its stand-in by settings alone, and `up` says which parts are real."""

import argparse
import hashlib
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import combinations
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from cli.dev_secrets import DevSecrets
from cli.options import StackOptions
from cli.ports import HOST, choose
from cli.programs import MODULE, base_environment, programs
from cli.ready import answers_http
from cli.spawn import kill_group, spawn
from cli.stand_ins import build
from cli.story import tell
from cli.up import Up
from cli.voice import Voice
from cli.walk import Walk, players
from settings import SettingsError
from tests.cli.tls_front import TlsFront, trusting
from tests.eventually import eventually

PEM = "-----BEGIN PRIVATE KEY-----"
REAL = {
    "paragon": {
        "SLUICE_PARAGON_PROJECT_ID": "p-1",
        "SLUICE_PARAGON_SIGNING_KEY": PEM,
        "SLUICE_PARAGON_WORKFLOW_MESSAGES": "w-1",
        "SLUICE_PUBLIC_URL": "https://sluice.example.com",
        "SLUICE_WEBHOOK_SECRETS": "a-secret-of-paragon-s",
    },
    "mesh": {"SLUICE_MESH_URL": "https://mesh.example.com", "SLUICE_MESH_TOKEN": "t"},
    "store": {"SLUICE_STORE_URL": "redis://store.example.com/0", "SLUICE_VAULT_KEYS": "v:" + "A" * 43 + "="},
    "broker": {"SLUICE_BROKER_URL": "amqp://broker.example.com"},
}
PROCESS = {"paragon": "simulator", "mesh": "mesh", "store": "store", "broker": "broker"}
ALWAYS = {"flower", "worker-1", "sweep", "beat", "api"}
SOME = [(), ("store", "broker"), tuple(REAL)]
CHOICES = [chosen for size in range(5) for chosen in combinations(REAL, size)]


def named(parts: tuple[str, ...]) -> str:
    return "+".join(parts) or "nothing"


def given(parts: tuple[str, ...]) -> dict[str, str]:
    return {name: value for part in parts for name, value in REAL[part].items()}


@pytest.mark.parametrize("parts", CHOICES, ids=named)
def test_whatever_is_real_has_no_stand_in_and_everything_else_has(parts: tuple[str, ...], tmp_path: Path) -> None:
    secrets = DevSecrets.in_directory(tmp_path)
    world = build(given(parts), secrets, preferred_ports=False)
    made = {program.name: program for program in programs(world, secrets, StackOptions(), tmp_path)}
    assert set(made) == ALWAYS | {PROCESS[part] for part in REAL if part not in parts}
    for name in ("api", "worker-1", "sweep", "beat"):
        assert given(parts).items() <= made[name].env.items()
        addresses = [value for key, value in made[name].env.items() if key.endswith("_URL") and key not in given(parts)]
        assert all("example.com" not in value for value in addresses), "a stand-in answers here"


@pytest.mark.parametrize("parts", SOME, ids=lambda parts: "+".join(parts) or "nothing")
def test_up_says_which_parts_are_real_before_it_starts_any(
    parts: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given(parts).items():
        monkeypatch.setenv(name, value)
    up = Up(tmp_path, argparse.Namespace(no_story=True, workers=1, workspace=None, faults=None), Voice())
    played = [part for part in REAL if part not in parts]
    assert up._cast() == f"real: {', '.join(parts) or 'nothing'}; played here: {', '.join(played) or 'nothing'}"


HALVES = [(part, name) for part in ("paragon", "mesh") for name in REAL[part]] + [("store", "SLUICE_VAULT_KEYS")]


@pytest.mark.parametrize(("part", "missing"), HALVES)
def test_a_part_without_one_of_its_settings_stops_the_start_and_says_which(
    part: str, missing: str, tmp_path: Path
) -> None:
    half = {name: value for name, value in REAL[part].items() if name != missing}
    with pytest.raises(SettingsError) as stopped:
        build(half, DevSecrets.in_directory(tmp_path), preferred_ports=False)
    sentence = str(stopped.value)
    assert missing in sentence
    assert "\n" not in sentence
    assert PEM not in sentence


class Outside:
    """A mesh and a Paragon that know nothing of us, and the settings that name them and the servers."""

    def __init__(self, directory: Path, store: str, broker: str, stack: ExitStack) -> None:
        self.directory, self._stack = directory, stack
        self.secrets = DevSecrets.in_directory(directory / "theirs")
        ports = choose({"mesh": 0, "paragon": 0, "api": 0})
        self.front = stack.enter_context(TlsFront(directory, ports["api"]))
        self.mesh, self.paragon = (f"http://{HOST}:{ports[name]}" for name in ("mesh", "paragon"))
        self.token = self.secrets.operator_token.get_secret_value()
        self._start_mesh(ports["mesh"])
        self._start_paragon(ports["paragon"])
        self.settings = self._paragon_settings() | {
            "SLUICE_API_BIND": f"{HOST}:{ports['api']}",
            "SLUICE_MESH_URL": self.mesh,
            "SLUICE_MESH_TOKEN": self.secrets.mesh_token.get_secret_value(),
            "SLUICE_STORE_URL": store,
            "SLUICE_BROKER_URL": broker,
            "SLUICE_VAULT_KEYS": f"theirs:{self.secrets.vault_key.get_secret_value()}",
            "SLUICE_CORE_TOKENS": f"operator={hashlib.sha256(self.token.encode()).hexdigest()}",
        }

    def _paragon_settings(self) -> dict[str, str]:
        return {
            "SLUICE_PARAGON_PROJECT_ID": "a-real-project",
            "SLUICE_PARAGON_SIGNING_KEY": self.secrets.signing_key.get_secret_value().replace("\n", "\\n"),
            "SLUICE_PARAGON_API_URL": self.paragon,
            "SLUICE_PARAGON_TRIGGER_URL": self.paragon,
            "SLUICE_PARAGON_PROXY_URL": self.paragon,
            "SLUICE_PARAGON_WORKFLOW_MESSAGES": "their-messages",
            "SLUICE_PUBLIC_URL": self.front.url,
            "SLUICE_WEBHOOK_SECRETS": self.secrets.webhook_secret.get_secret_value(),
        }

    def _start_mesh(self, port: int) -> None:
        told = {"TOKEN": self.secrets.mesh_token.get_secret_value()}
        store = f"sqlite:///{self.directory / 'mesh.sqlite'}"
        self._start("common_mesh.server", port, ["--store", store, "--token-env", "TOKEN"], told)

    def _start_paragon(self, port: int) -> None:
        public = self.directory / "public.pem"
        public.write_bytes(public_key(self.secrets.signing_key.get_secret_value()))
        path = f"{trusting(self.directory, self.front.authority)}:{base_environment()['PYTHONPATH']}"
        told = {"SECRET": self.secrets.webhook_secret.get_secret_value(), "PYTHONPATH": path}
        options = ["--public-key", str(public), "--project-id", "a-real-project", "--webhooks", self.front.url]
        options += ["--webhook-secret-env", "SECRET", "--messages", "60", "--channels", "3"]
        self._start("simulator", port, [*options, "--workflow-messages", "their-messages"], told)

    def _start(self, module: str, port: int, options: list[str], told: Mapping[str, str]) -> None:
        command = [*MODULE, module, "--host", HOST, "--port", str(port), *options]
        process = spawn(command, env=base_environment() | told, log=self.directory / f"{module}.log")
        self._stack.callback(kill_group, process)
        eventually(lambda: answers_http(f"http://{HOST}:{port}"), timeout=20)

    def triggered(self) -> list[dict[str, str]]:
        """The bodies that Paragon was triggered with."""
        with closing(httpx.Client(trust_env=False)) as client:
            return [row["body"] for row in client.get(f"{self.paragon}/_sim/triggers").json()["triggers"]]


def public_key(private: str) -> bytes:
    key = load_pem_private_key(private.encode(), password=None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def outside(tmp_path: Path, store: str, broker_url: str) -> Iterator[Outside]:
    directory = tmp_path / "outside"
    directory.mkdir()
    with ExitStack() as stack:
        yield Outside(directory, store, broker_url, stack)


def sluice(line: str, state: Path, told: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "cli", *line.split(), "--state", str(state)]
    env = base_environment() | told
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.integration
def test_with_everything_real_messages_reach_the_mesh_through_the_public_address(
    outside: Outside, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    up = sluice("up --detach --no-story", state, outside.settings)
    try:
        assert up.returncode == 0, up.stderr
        assert "real: paragon, mesh, store, broker; played here: nothing" in up.stderr.splitlines()
        found = json.loads(sluice("status --json", state, outside.settings).stdout)
        assert {process["name"] for process in found["processes"]} == ALWAYS

        webhook = f"{outside.front.url}/v1/webhooks/slack/messages"
        with httpx.Client(verify=ssl.create_default_context(cafile=str(outside.front.authority))) as stranger:
            refused = stranger.post(webhook, json={})
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")

        urls = {"api": found["urls"]["api"], "mesh": outside.mesh, "simulator": outside.paragon}
        mesh_token = outside.secrets.mesh_token.get_secret_value()
        with Walk(urls, outside.token, mesh_token, say=lambda _: None, patience=40) as walk:
            tell(walk, players(1), choose=lambda channels: channels)
            assert walk.count(players(1)[0].org)["message"] > 0
    finally:
        down = sluice("down", state, outside.settings)
    assert down.returncode == 0, down.stderr
    told = {body["callback_url"] for body in outside.triggered()}
    assert told == {webhook}, "SLUICE_PUBLIC_URL, and nothing of this machine"
    assert outside.front.taken > 0

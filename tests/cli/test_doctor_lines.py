"""Each line of the doctor, against servers and settings that are right and wrong on purpose."""

import json
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from pydantic import SecretStr

from cli import checkup, checkup_paragon, checkup_servers
from cli.__main__ import main
from cli.checkup import Line
from cli.dev_secrets import DevSecrets
from cli.doctor import shown
from cli.options import StackOptions
from cli.stack import Stack
from cli.walk import Walk, players
from pipeline.contract import Signature, check
from pipeline.paragon.client import ParagonClient
from pipeline.paragon.run_tokens import RunTokens
from pipeline.paragon.token import UserTokens
from pipeline.store.connections import Connections
from pipeline.store.keys import META, Shards
from pipeline.store.probes import Probes
from pipeline.store.vault import Vault
from settings import Settings

ROB = "rob@example.com/org001"
KEY = "k" * 32


def levels(lines: Iterable[Line]) -> list[tuple[str, str]]:
    return [(line.name, line.level) for line in lines]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> DevSecrets:
    return DevSecrets.in_directory(tmp_path_factory.mktemp("secrets"))


def settings(secrets: DevSecrets, **more: Any) -> Settings:
    given = {
        "paragon_project_id": "p1",
        "paragon_signing_key": secrets.signing_key,
        "paragon_api_url": "https://api.test",
        "paragon_trigger_url": "https://zeus.test",
        "paragon_proxy_url": "https://proxy.test",
        "paragon_workflow_messages": "w1",
        "public_url": "https://sluice.example.com",
        "webhook_secrets": [SecretStr("canary-of-a-secret")],
        "run_token_keys": {"k": SecretStr(KEY)},
        "vault_keys": {"v": b"v" * 32},
    }
    return Settings(**(given | more))


def test_versions_are_those_of_the_lock() -> None:
    assert levels(checkup.versions()) == [("python", "ok"), ("packages", "ok")]


def test_each_part_says_whether_it_is_real_and_why() -> None:
    said = {line.name: line.says for line in checkup.servers({"SLUICE_STORE_URL": "redis://s", "SLUICE_MESH_URL": ""})}
    assert said["store"] == "real, since SLUICE_STORE_URL is set"
    assert "played by" in said["mesh"]
    assert "valkey" in said["broker"]


def test_settings_are_shown_without_their_secrets(secrets: DevSecrets) -> None:
    chosen = settings(
        secrets,
        store_url="redis://u:canary-pw@store:6379/0?password=canary-q",
        mesh_token=SecretStr("canary-mesh"),
        core_tokens={"operator": ("canary" * 10,)},
        events_url="https://core.test/events?key=canary-q",
        events_secrets=[SecretStr(f"whsec_{'canary00' * 4}")],
    )
    text = "\n".join(line.says for line in checkup.redacted(chosen))
    assert "canary" not in text
    assert "BEGIN" not in text
    assert KEY not in text
    assert "vvvv" not in text
    assert "SLUICE_STORE_URL = redis://…@store:6379/0?…" in text
    assert "SLUICE_RUN_TOKEN_KEYS = (1: k)" in text
    assert "SLUICE_EVENTS_SECRETS = (1 set)" in text
    assert "SLUICE_EVENTS_URL = https://core.test/events?…" in text


def test_the_keys_public_half_is_shown_and_the_private_one_is_not(secrets: DevSecrets) -> None:
    (line,) = checkup.signing_key(settings(secrets))
    assert line.level == "ok"
    assert secrets.public_key.read_text().strip() in line.says
    assert "PRIVATE" not in line.says


def test_a_key_that_is_none_fails_and_is_not_quoted(secrets: DevSecrets) -> None:
    broken = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----"
    (line,) = checkup.signing_key(settings(secrets, paragon_signing_key=SecretStr(broken)))
    assert (line.level, "canary" in line.says + line.do, bool(line.do)) == ("fail", False, True)


def test_a_store_that_is_as_it_must_be_is_ok_and_nothing_is_written(secrets: DevSecrets, store: str) -> None:
    said = levels(checkup_servers.store(settings(secrets, store_url=store)))
    assert said == [("store", "ok"), ("durability", "ok"), ("layout", "ok"), ("clock", "ok")]
    with redis.Redis.from_url(store) as client:
        assert client.dbsize() == 0


def test_a_store_that_would_lose_data_fails_with_what_to_set(secrets: DevSecrets, broker_url: str) -> None:
    lines = {line.name: line for line in checkup_servers.store(settings(secrets, store_url=broker_url))}
    assert lines["durability"].level == "fail"
    assert "appendfsync always" in lines["durability"].do


def test_another_shard_count_fails(secrets: DevSecrets, store: str) -> None:
    with redis.Redis.from_url(store) as client:
        client.hset(META, "shards", 4)
    lines = {line.name: line for line in checkup_servers.store(settings(secrets, store_url=store))}
    assert (lines["layout"].level, lines["layout"].do) == ("fail", "Set SLUICE_SHARDS=4.")


def test_servers_that_are_away_fail_without_their_passwords(secrets: DevSecrets) -> None:
    gone = "redis://:canary-pw@127.0.0.1:1/0"
    chosen = settings(secrets, store_url=gone, broker_url=gone)
    for lines in (checkup_servers.store(chosen), checkup_servers.broker(chosen)):
        (line,) = lines
        assert (line.level, bool(line.do), "canary" in repr(line)) == ("fail", True, False)


def test_a_broker_that_answers_is_ok(secrets: DevSecrets, broker_url: str) -> None:
    assert levels(checkup_servers.broker(settings(secrets, broker_url=broker_url))) == [("broker", "ok")]


def web(off: float = 0.0, ready: object = None) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host.endswith(".test"):
            return httpx.Response(404, headers={"Date": formatdate(time.time() + off, usegmt=True)})
        if request.url.host == "gone.example.com":
            raise httpx.ConnectError("no route", request=request)
        return httpx.Response(200, json={"ready": True} if ready is None else ready)

    return httpx.MockTransport(answer)


def test_hosts_that_answer_are_ok_whatever_they_answer(secrets: DevSecrets) -> None:
    said = levels(checkup_servers.hosts(settings(secrets), transport=web()))
    assert said == [
        ("Paragon's api host", "ok"),
        ("clock", "ok"),
        ("Paragon's trigger host", "ok"),
        ("Paragon's proxy host", "ok"),
        ("public address", "ok"),
    ]


def test_the_events_address_is_asked_too_and_its_query_is_not_shown(secrets: DevSecrets) -> None:
    chosen = settings(secrets, events_url="https://gone.example.com/events?key=canary")
    line = next(one for one in checkup_servers.hosts(chosen, transport=web()) if one.name == "events address")
    assert line.level == "fail"
    assert "SLUICE_EVENTS_URL" in line.do
    assert "canary" not in line.says + line.do


@pytest.mark.parametrize(("off", "level"), [(0, "ok"), (20, "warn"), (-20, "warn"), (300, "fail"), (-300, "fail")])
def test_paragons_clock_is_held_to_ours(secrets: DevSecrets, off: float, level: str) -> None:
    assert ("clock", level) in levels(checkup_servers.hosts(settings(secrets), transport=web(off)))


@pytest.mark.parametrize(
    ("url", "ready", "level", "says"),
    [
        ("http://127.0.0.1:8600", None, "fail", "only reachable from this machine"),
        ("http://10.1.2.3", None, "fail", "only reachable from this machine"),
        ("https://gone.example.com", None, "fail", "ConnectError"),
        ("https://other.example.com", [1], "fail", "not this API's"),
        ("https://sluice.example.com", {"ready": False}, "fail", "503"),
        ("https://sluice.example.com", {"ready": True}, "ok", "is ready"),
    ],
)
def test_our_public_address_must_lead_to_this_api(
    secrets: DevSecrets, url: str, ready: object, level: str, says: str
) -> None:
    lines = list(checkup_servers.hosts(settings(secrets, public_url=url), transport=web(ready=ready)))
    assert (lines[-1].name, lines[-1].level) == ("public address", level)
    assert says in lines[-1].says
    assert bool(lines[-1].do) == (level == "fail")


class World:
    """A Paragon whose workflow posts what a test wants, straight to the probe that the trigger names."""

    def __init__(self, secrets: DevSecrets, store: str) -> None:
        self.settings = settings(secrets, store_url=store)
        self.client = redis.Redis.from_url(store)
        self.me: dict[str, Any] = {"authenticated": True, "userId": ROB, "integrations": {"slack": {
            "enabled": True, "credentialStatus": "VALID", "providerData": {"team": {"id": "T1"}}}}}  # fmt: skip
        self.triggered: list[dict[str, Any]] = []
        self.posts: Callable[[dict[str, Any]], list[tuple[object, Signature]]] = lambda _: []
        self.status = 202

    def registered(self) -> "World":
        shards, vault = Shards(16), Vault(self.settings.vault_keys)
        Connections(self.client, shards, vault).register(ROB, team="T1", who={}, by="test")
        entry = json.dumps({"by": "test", "since": 1, "version": 1})
        self.client.hset(shards.of(ROB).allow("org001"), f"T1|C1|{ROB}", entry)
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=self.me)
        body = json.loads(request.content)
        self.triggered.append(body)
        probe = body["callback_url"].rpartition("/")[2]
        for page, signature in self.posts(body):
            Probes(self.client).add(probe, check("messages", json.dumps(page).encode(), {}, signature))
        return httpx.Response(self.status, json={})

    def look(self, **more: Any) -> list[Line]:
        asked = {"channel": None, "hours": 1.0, "wait": 0.2} | more
        tokens = UserTokens(self.settings.paragon_signing_key)
        client = ParagonClient("p1", api_url="https://a.test", trigger_url="https://t.test", proxy_url="https://p.test",
                               tokens=tokens, transport=httpx.MockTransport(self))  # fmt: skip
        with client, self.client:
            return list(checkup_paragon.paragon(self.settings, client, ROB, **asked))


@pytest.fixture
def world(secrets: DevSecrets, store: str) -> World:
    return World(secrets, store)


def signed(body: dict[str, Any]) -> Signature:
    claims = RunTokens({"k": SecretStr(KEY)}).verify(body["run_token"], time.time())
    assert claims.gen == 0, "a trial must never be able to deliver"
    return Signature(by="run", connection=claims.connection, run=claims.run, attempt=claims.attempt)


def page(body: dict[str, Any], **more: Any) -> dict[str, Any]:
    chain = {"thread_ts": "", "cursor": "", "next_cursor": "", "has_more": False}
    return {"run_id": body["run_id"], "channel": body["channels"][0], "messages": [{"ts": "1.2"}], **chain, **more}


def test_a_workflow_as_it_should_be_is_all_ok(world: World) -> None:
    world.registered().posts = lambda body: [(page(body), signed(body))]
    lines = world.look()
    assert levels(lines) == [(name, "ok") for name in ("token", "sdk/me", "trigger", "callback", "coverage")]
    assert world.triggered[0]["channels"] == ["C1"]
    assert set(world.client.scan_iter("sluice:probe:*")) == set()


def test_what_is_wrong_with_the_callbacks_is_said_in_plain_words(world: World) -> None:
    def careless(body: dict[str, Any]) -> list[tuple[object, Signature]]:
        misnamed = page(body, nextCursor="x")
        del misnamed["cursor"], misnamed["next_cursor"], misnamed["has_more"]
        return [(misnamed, signed(body)), ({"text": "hi", "channel": "general"}, Signature(by="missing"))]

    world.registered().posts = careless
    lines = world.look()
    text = "\n".join(shown(line) for line in lines)
    assert ("callback", "fail") in levels(lines)
    assert ("coverage", "fail") in levels(lines)
    for words in ("1 would get 202, 1 would get 401", "`nextCursor` looks like it", "tutorial", "unsigned"):
        assert words in text


def test_a_callback_that_never_comes_says_where_to_look(world: World) -> None:
    lines = world.registered().look()
    assert levels(lines)[-1] == ("callback", "fail")
    assert "callback_url" in lines[-1].do


def test_a_workflow_that_paragon_does_not_know_fails_at_the_trigger(world: World) -> None:
    world.registered().status = 404
    lines = world.look()
    assert (levels(lines)[-1], "WORKFLOW_MESSAGES" in lines[-1].do) == (("trigger", "fail"), True)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"authenticated": False}, ("token", "fail")),
        ({"integrations": {}}, ("sdk/me", "fail")),
        ({"integrations": {"slack": {"enabled": True, "credentialStatus": "INVALID",
                                     "providerData": {"team": {"id": "T1"}}}}}, ("sdk/me", "fail")),
    ],
)  # fmt: skip
def test_what_sdk_me_says_is_told(world: World, change: dict[str, Any], line: tuple[str, str]) -> None:
    world.me |= change
    assert line in levels(world.look())


def test_nothing_is_triggered_without_a_registration_or_an_allowed_channel(world: World) -> None:
    assert levels(world.look())[-1] == ("registration", "fail")
    world.registered()
    assert levels(world.look(channel="C9"))[-1] == ("trial", "warn")
    assert world.triggered == []


@pytest.mark.integration
def test_against_the_simulator_and_the_real_api_nothing_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Stack(tmp_path / "state", StackOptions()) as stack:
        stack.start(["store", "broker", "mesh", "simulator", "api", "worker-1", "sweep"])
        operator, mesh = stack.secrets.operator_token.get_secret_value(), stack.secrets.mesh_token.get_secret_value()
        player = players(1)[0]
        with Walk(stack.urls, operator, mesh, lambda _: None) as walk:
            walk.register(player)
            walk.connect(player)
            walk.await_directory(player)
            walk.allow(player, walk.channels(player))
        for name, value in stack.env.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        status = main(["doctor", "--paragon", "--json", "--hours", "20000", "--state", str(tmp_path / "none")])
        told = json.loads(capsys.readouterr().out)
        assert [line for line in told["lines"] if line["level"] != "ok"] == []
        assert (status, told["ok"]) == (0, True)
        assert {"token", "sdk/me", "trigger", "callback", "coverage"} <= {line["name"] for line in told["lines"]}
        secrets = [value for name, value in stack.env.items() if name.endswith(("SECRETS", "TOKEN", "SIGNING_KEY"))]
        assert not [one for one in secrets if one in json.dumps(told)]

"""`./sluice proxy` against the simulator, and the Paragon client against servers that trickle."""

import hashlib
import json
import socket
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cli.__main__ import main
from cli.dev_secrets import DevSecrets
from cli.proxy import read_call
from cli.refusals import sentence
from cli.runfile import held, write_status
from cli.running import environment
from cli.spawn import spawn
from pipeline.errors import Unavailable
from pipeline.paragon.client import ParagonClient
from pipeline.paragon.errors import AccessRefused, RequestRefused, SlackRefused
from pipeline.paragon.token import UserTokens
from settings import SettingsError
from simulator.app import create_app
from simulator.config import SimulatorConfig
from simulator.slack.files import content
from tests.eventually import eventually

ROB = "rob@example.com/org001"


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> DevSecrets:
    return DevSecrets.in_directory(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
def simulated(secrets: DevSecrets) -> Iterator[str]:
    with served(create_app(SimulatorConfig(public_key=secrets.public_key.read_text(), project_id="p1"))) as url:
        httpx.post(f"{url}/_sim/connect", json={"connection": ROB}, trust_env=False).raise_for_status()
        yield url


def point_at(url: str, secrets: DevSecrets, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "PARAGON_PROJECT_ID": "p1",
        "PARAGON_SIGNING_KEY": secrets.signing_key.get_secret_value(),
        "PARAGON_WORKFLOW_MESSAGES": "slack-messages",
        "PARAGON_API_URL": url,
        "PARAGON_TRIGGER_URL": url,
        "PARAGON_PROXY_URL": url,
        "PUBLIC_URL": "http://127.0.0.1:1",
        "WEBHOOK_SECRETS": "a-secret-of-paragon-s",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"SLUICE_{name}", value)


@pytest.fixture
def real(simulated: str, secrets: DevSecrets, monkeypatch: pytest.MonkeyPatch) -> str:
    point_at(simulated, secrets, monkeypatch)
    return simulated


def proxy(*line: str, state: Path) -> int:
    return main(["proxy", "--state", str(state), "--connection", ROB, *line])


def test_slacks_answer_comes_out_of_paragons_output(
    real: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert proxy("GET", "conversations.list", "limit=1", state=tmp_path) == 0
    channel = json.loads(capsys.readouterr().out)["channels"][0]["id"]
    assert proxy("POST", "conversations.info", json.dumps({"channel": channel}), state=tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["channel"]["id"] == channel


def test_a_message_is_posted_with_a_json_body_and_stands_in_the_channel(
    real: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert proxy("GET", "conversations.list", "limit=1", state=tmp_path) == 0
    channel = json.loads(capsys.readouterr().out)["channels"][0]["id"]
    body = json.dumps({"channel": channel, "text": "Grüße 😀"})
    assert proxy("POST", "chat.postMessage", body, state=tmp_path) == 0
    posted = json.loads(capsys.readouterr().out)
    assert proxy("GET", "conversations.history", f"channel={channel}", "limit=1", state=tmp_path) == 0
    [newest] = json.loads(capsys.readouterr().out)["messages"]
    assert (newest["ts"], "Grüße 😀" in newest["text"]) == (posted["ts"], True)
    assert proxy("POST", "chat.postMessage", json.dumps({"channel": channel}), state=tmp_path) == 1
    assert "Slack refused: no_text" in capsys.readouterr().err


def test_slacks_no_and_paragons_no_are_told_apart(
    real: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert proxy("GET", "conversations.info", "channel=C1", state=tmp_path) == 1
    assert "Slack refused: channel_not_found" in capsys.readouterr().err
    monkeypatch.setenv("SLUICE_PARAGON_PROJECT_ID", "another")
    assert proxy("GET", "auth.test", state=tmp_path) == 1
    assert "Paragon refused us (401)" in capsys.readouterr().err


def test_a_raw_answer_goes_into_a_file_and_its_headers_are_shown(
    real: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "answer.json"
    assert proxy("--raw", "--output", str(file), "GET", "auth.test", state=tmp_path / "state") == 0
    assert json.loads(file.read_bytes())["ok"] is True
    said = capsys.readouterr()
    assert "x-slack-req-id: simulated" in said.err
    assert said.out == ""
    assert sorted(tmp_path.iterdir()) == [file]


MEGABYTES_20 = 20_000_000


def attached(url: str, size: int) -> dict[str, Any]:
    """The metadata of a file of that size, on a message of the first channel."""
    with httpx.Client(base_url=url, trust_env=False) as bench:
        channel = bench.get("/_sim/workspaces").json()["workspaces"][0]["channels"][0]["id"]
        file = {"name": "plan.bin", "mimetype": "application/octet-stream", "size": size}
        said = bench.post("/_sim/messages", json={"connection": ROB, "channel": channel, "text": "it", "file": file})
        made: dict[str, Any] = said.raise_for_status().json()["file"]
        return made


def test_a_large_binary_file_is_streamed_to_disk_in_constant_memory_with_slacks_headers(
    real: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata, file = attached(real, MEGABYTES_20), tmp_path / "plan.bin"
    path = urlsplit(metadata["url_private_download"]).path
    tracemalloc.start()
    try:
        assert proxy("--raw", "--output", str(file), "GET", path, state=tmp_path / "state") == 0
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEGABYTES_20 / 4, "of both ends: the simulator runs in this process"
    wanted = hashlib.sha256()
    for chunk in content(metadata):
        wanted.update(chunk)
    with file.open("rb") as opened:
        assert hashlib.file_digest(opened, "sha256").digest() == wanted.digest()
    said = capsys.readouterr().err
    assert f"HTTP 200, {MEGABYTES_20} bytes" in said
    assert "content-type: application/octet-stream" in said
    assert 'content-disposition: attachment; filename="plan.bin"' in said


def test_a_file_that_slack_does_not_have_is_slacks_no(
    real: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert proxy("--raw", "GET", "files-pri/T1-F1/download/a.png", state=tmp_path) == 1
    assert "Slack refused: status 404" in capsys.readouterr().err


def test_slacks_own_wait_is_only_seen_raw(real: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    httpx.post(f"{real}/_sim/limit", json={"calls": 2, "retry_after": 30}, trust_env=False).raise_for_status()
    assert proxy("--raw", "GET", "auth.test", state=tmp_path) == 1
    assert "Try again in 30 s" in capsys.readouterr().err
    assert proxy("GET", "auth.test", state=tmp_path) == 1
    assert "Try again in 30 s" not in capsys.readouterr().err
    assert proxy("GET", "auth.test", state=tmp_path) == 0


def in_trouble(request: Request) -> Response:
    match request.path_params["path"]:
        case "limited":
            return JSONResponse({}, 429, {"Retry-After": "30"})
        case "short":
            return Response(b"x" * 10, headers={"Content-Length": "20"})
    return JSONResponse({"output": None})


@pytest.fixture
def troubled(secrets: DevSecrets, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    seen: list[str] = []

    async def answer(request: Request) -> Response:
        seen.append(request.method)
        return in_trouble(request)

    verbs = ["GET", "POST"]
    with served(Starlette(routes=[Route("/projects/p1/sdk/proxy/slack/{path:path}", answer, methods=verbs)])) as url:
        point_at(url, secrets, monkeypatch)
        yield seen


@pytest.mark.parametrize(("verb", "raw"), [("GET", []), ("POST", []), ("GET", ["--raw"])])
def test_a_rate_limit_says_when_to_try_again_and_nothing_is_repeated(
    troubled: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str, raw: list[str]
) -> None:
    assert proxy(*raw, verb, "limited", state=tmp_path) == 1
    assert "Try again in 30 s, at " in capsys.readouterr().err
    assert troubled == [verb]


def test_a_file_that_does_not_come_whole_does_not_appear(troubled: list[str], tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    assert proxy("--raw", "--output", str(file), "GET", "short", state=tmp_path / "state") == 1
    assert list(tmp_path.glob("a.bin*")) == []


def test_without_any_paragon_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proxy", "--state", str(tmp_path), "GET", "auth.test"]) == 2
    assert "./sluice up" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["../../triggers/w1", "auth.test?x=1"])
def test_a_call_that_cannot_be_is_wrong_usage(
    real: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    assert proxy("GET", path, state=tmp_path) == 2


def test_arguments_are_query_and_body() -> None:
    call = read_call("POST", "chat.postMessage", ["a=b=c", '{"text": "x=y"}', "empty="])
    assert (call.params, call.body) == ({"a": "b=c", "empty": ""}, {"text": "x=y"})
    for wrong in ("text", "{broken", "=x"):
        with pytest.raises(SettingsError):
            read_call("GET", "x", [wrong])


@pytest.mark.parametrize(
    ("error", "writes", "says"),
    [
        (SlackRefused(200, "token_revoked"), False, "connect Slack again"),
        (AccessRefused(0, "certificate"), False, "certificate"),
        (AccessRefused(200, "unauthenticated"), False, "signing key"),
        (RequestRefused(404, "404"), False, "asking again changes nothing"),
        (Unavailable("paragon_timeout"), True, "Whether it was done is not known"),
        (Unavailable("slack_ratelimited", retry_after=9), True, "limit is reached. Try again in 9 s"),
        (Unavailable("paragon_502"), False, "Try again later."),
    ],
)
def test_every_failure_is_a_sentence_that_says_what_to_do(error: Exception, writes: bool, says: str) -> None:
    assert says in sentence(error, writes=writes)  # type: ignore[arg-type]


def test_a_running_stack_completes_what_a_command_is_not_given(tmp_path: Path) -> None:
    process = spawn([sys.executable, "-c", "input()"], env={"SLUICE_PUBLIC_URL": "http://here", "OTHER": "x"})
    try:
        with held(tmp_path):
            write_status(tmp_path, {"processes": [{"name": "api", "pid": process.pid}], "urls": {}})
            mine = {"SLUICE_PARAGON_PROJECT_ID": "p"}
            if Path("/proc/self/environ").exists():
                # The launcher becomes the program a moment after it was started.
                eventually(lambda: environment(tmp_path, {}) == {"SLUICE_PUBLIC_URL": "http://here"})
            assert environment(tmp_path, mine) == mine, "it does not play what is left unset"
            played = {"simulator": "http://sim", "mesh": "http://mesh", "store": "redis://s", "broker": "redis://b"}
            write_status(tmp_path, {"processes": [], "urls": {"api": "http://api"}, "played": played})
            assert environment(tmp_path, {})["SLUICE_PARAGON_PROXY_URL"] == "http://sim"
            assert environment(tmp_path, {})["SLUICE_PUBLIC_URL"] == "http://api"
            assert environment(tmp_path, mine) == mine, "it plays a Paragon beside the user's own"
            del played["simulator"]
            write_status(tmp_path, {"processes": [], "urls": {}, "played": played})
            completed = environment(tmp_path, mine)
            assert (completed["SLUICE_STORE_URL"], completed["SLUICE_PARAGON_PROJECT_ID"]) == ("redis://s", "p")
            assert "SLUICE_PARAGON_API_URL" not in completed
        assert environment(tmp_path, {}) == {}
    finally:
        process.kill()
        process.wait()


@contextmanager
def trickling(first: bytes) -> Iterator[str]:
    """A server that sends `first`, and then a byte of a header every 50 ms, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            try:
                connection.sendall(first)
                while not over.wait(0.05):
                    connection.sendall(b"x")
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        thread.join()
        listener.close()


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_headers_and_bodies_that_trickle_end_at_the_deadline(first: bytes, secrets: DevSecrets) -> None:
    tokens = UserTokens(SecretStr(secrets.signing_key.get_secret_value()))
    with trickling(first) as url:
        client = ParagonClient(
            "p1", api_url=url, trigger_url=url, proxy_url=url, tokens=tokens, timeout=5, deadline=0.5
        )
        begun = time.monotonic()
        with client, pytest.raises(Unavailable, match=r"paragon_(timeout|deadline)"):
            client.proxy_json("ann/acme", "slack", "x")
        assert time.monotonic() - begun < 2

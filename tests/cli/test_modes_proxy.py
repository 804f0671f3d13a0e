"""Behind a proxy: whom the API believes about where a request came from, and the nginx example by a real nginx."""

import json
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from api.__main__ import serving
from cli.dev_secrets import DevSecrets
from cli.ports import HOST, choose
from cli.spawn import kill_group, spawn
from cli.stand_ins import build
from settings import Settings, SettingsError
from tests.cli.compose_file import ROOT
from tests.cli.tls_front import certificate
from tests.eventually import eventually

EXAMPLE = (ROOT / "deploy/nginx/sluice.conf").read_text()
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/bin:/opt/homebrew/bin:/usr/bin")
SAID = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


async def echo(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    """Answers with what the server made of the request."""
    if scope["type"] == "http":
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        shown = {"client": scope["client"][0], "scheme": scope["scheme"], "path": scope["raw_path"].decode()}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(shown | {"headers": headers}).encode()})


@contextmanager
def served(directory: Path, **given: str) -> Iterator[str]:
    """`echo` as `python -m api` would serve it with these settings; its address."""
    environment = build(given, DevSecrets.in_directory(directory), preferred_ports=False).environment
    settings = Settings.load("api", environ=environment, op_env=None)
    server = uvicorn.Server(uvicorn.Config(echo, lifespan="off", **serving(settings)))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started, timeout=10)
        yield f"http://{settings.api_host}:{settings.api_port}"
    finally:
        server.should_exit = True
        thread.join(10)


def seen(url: str, headers: dict[str, str]) -> tuple[str, str]:
    shown = httpx.get(url, headers=headers, trust_env=False).json()
    return shown["client"], shown["scheme"]


def test_nobody_is_believed_unless_named_whatever_the_environment_of_uvicorn_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    with served(tmp_path) as url:
        assert seen(url, SAID) == ("127.0.0.1", "http")
    with served(tmp_path, SLUICE_TRUSTED_PROXIES="10.0.0.0/8, 192.0.2.7") as url:
        assert seen(url, SAID) == ("127.0.0.1", "http")


@pytest.mark.parametrize("trusted", ["127.0.0.1", "10.0.0.0/8,127.0.0.0/8"])
def test_a_named_proxy_is_believed_and_the_first_stranger_behind_it_is_the_client(tmp_path: Path, trusted: str) -> None:
    with served(tmp_path, SLUICE_TRUSTED_PROXIES=trusted) as url:
        assert seen(url, SAID) == ("203.0.113.9", "https")
        forged = SAID | {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
        assert seen(url, forged) == ("203.0.113.9", "https"), "what a sender wrote there itself does not count"


@pytest.mark.parametrize("wrong", ["*", "proxy.example.com", "10.0.0.1/8", "10.0.0.0/8;127.0.0.1", "10.0.0.300"])
def test_what_is_no_list_of_addresses_and_networks_stops_the_start(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SettingsError, match="SLUICE_TRUSTED_PROXIES must be a comma list of addresses and networks"):
        build({"SLUICE_TRUSTED_PROXIES": wrong}, DevSecrets.in_directory(tmp_path), preferred_ports=False)


@pytest.mark.parametrize("wrong", ["sluice.example.com", "ftp://x", "https://x/?a=b", "https://x#y", "https://u:p@x"])
def test_a_public_address_that_routes_cannot_stand_behind_stops_the_start(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SettingsError, match="SLUICE_PUBLIC_URL must be http"):
        build({"SLUICE_PUBLIC_URL": wrong}, DevSecrets.in_directory(tmp_path), preferred_ports=False)


def test_the_nginx_example_lets_through_what_the_api_takes_and_overwrites_what_senders_claim() -> None:
    size = re.search(r"client_max_body_size (\d+)m;", EXAMPLE)
    assert size is not None
    assert int(size[1]) * 1024 * 1024 >= Settings.model_fields["body_limit_bytes"].default
    assert set(re.findall(r"proxy_pass (\S+);", EXAMPLE)) == {"http://sluice"}, "a path would decode the user's %2F"
    assert "proxy_add_x_forwarded_for" not in EXAMPLE
    assert "$request_uri" not in EXAMPLE
    assert "$args" not in EXAMPLE


@contextmanager
def nginx(directory: Path, upstream: str) -> Iterator[tuple[str, ssl.SSLContext]]:
    """The example as it is, but for its addresses and the certificate's paths."""
    authority, key = certificate(directory)
    port = choose({"nginx": 0})["nginx"]
    text = EXAMPLE.replace("listen [::]:443 ssl;", "").replace("listen 443 ssl;", f"listen {HOST}:{port} ssl;")
    text = text.replace("127.0.0.1:8600", upstream.removeprefix("http://")).replace("10.0.0.0/8", "192.0.2.0/24")
    text = text.replace("/etc/nginx/certificates/sluice.example.com.pem", str(authority))
    text = text.replace("/etc/nginx/certificates/sluice.example.com.key", str(key))
    text = text.replace("/var/log/nginx/sluice.log", str(directory / "access.log"))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {directory}/{kind};" for kind in kinds)
    conf = directory / "nginx.conf"
    conf.write_text(
        f"daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log;"
        f"events {{}} http {{ {folders} {text} }}"
    )
    command = [str(NGINX), "-p", str(directory), "-c", str(conf), "-e", str(directory / "error.log")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    process = spawn(command, cwd=directory)
    try:
        time.sleep(0.3)
        yield f"https://localhost:{port}", ssl.create_default_context(cafile=str(authority))
    finally:
        kill_group(process)


@pytest.mark.skipif(NGINX is None, reason="no nginx here; on Debian: apt-get install nginx-light")
def test_a_real_nginx_with_the_example_passes_on_paths_as_sent_and_its_own_word_on_who_sent_them(
    tmp_path: Path,
) -> None:
    with (
        served(tmp_path / "state", SLUICE_TRUSTED_PROXIES="127.0.0.1") as url,
        nginx(tmp_path, url) as (public, trust),
        httpx.Client(base_url=public, verify=trust, trust_env=False) as client,
    ):
        path = "/v1/webhooks/slack/rob%40example.com%2Facme"
        shown = client.post(path, params={"connection": "rob"}, headers=SAID, content=b"x" * 100_000).json()
        assert shown["path"] == path
        assert (shown["client"], shown["scheme"]) == ("127.0.0.1", "https"), "nginx's word, not the sender's"
        assert shown["headers"]["host"] == "localhost"
        assert client.get("/v1/status").status_code == 403, "the core routes are for a network of our own"
        assert {client.get(path).status_code for path in ("/metrics", "/docs", "/")} == {404}
        assert client.post("/v1/webhooks/x", content=b"x" * (8 * 1024 * 1024 + 1)).status_code == 413
    assert "connection=rob" not in (tmp_path / "access.log").read_text()

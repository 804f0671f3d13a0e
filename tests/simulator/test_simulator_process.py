"""The simulator as a process: it listens, stops on SIGTERM, and writes nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(*args: str, cwd: Path, key: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "simulator", "--project-id", "p", "--public-key", "-", *args]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "SECRETS": "new, old"}
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(key.encode())
    process.stdin.close()
    process.stdin = None
    return process


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_it_stops_within_two_seconds_of_sigterm_with_work_in_hand_and_leaves_no_file(tmp_path, public_key):
    port = free_port()
    nobody = f"http://127.0.0.1:{free_port()}"
    options = ["--port", str(port), "--webhooks", nobody, "--webhook-secret-env", "SECRETS", "--retry-scale", "1"]
    process = start(*options, cwd=tmp_path, key=public_key)
    try:
        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/_sim/status")
        with httpx.Client(base_url=base, trust_env=False) as http:
            http.post("/_sim/connect", json={"connection": "u/org"})
            assert http.get("/_sim/status").json()["idle"] is False
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, b"")
        assert time.monotonic() - began < 2
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--workspace", "."], "holds no channels"),
        (["--workspace", "nowhere"], "not a folder"),
        (["--messages", "many"], "invalid"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_status_two(tmp_path, public_key, options, sentence):
    process = start("--port", "1", *options, cwd=tmp_path, key=public_key)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, sentence in errors.decode(), "Traceback" in errors.decode()) == (2, True, False)


def test_a_key_that_is_none_is_one_sentence_and_status_two(tmp_path):
    process = start("--port", "1", cwd=tmp_path, key="nonsense")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert errors.decode() == "simulator: the public key is not an RSA public key in PEM.\n"

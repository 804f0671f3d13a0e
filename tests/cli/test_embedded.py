import os
import signal
from pathlib import Path

import pytest
import redis

from cli.embedded import EmbeddedServer, NoServer
from cli.ports import HOST


def test_the_store_fsyncs_every_answer_and_evicts_nothing(store: str) -> None:
    with redis.Redis.from_url(store, decode_responses=True) as client:
        kept = client.config_get("appendonly", "appendfsync", "maxmemory-policy")
    assert kept == {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


def test_servers_listen_on_loopback_only(store: str, broker_url: str) -> None:
    for url in (store, broker_url):
        with redis.Redis.from_url(url, decode_responses=True) as client:
            assert client.config_get("bind") == {"bind": HOST}


def test_a_store_keeps_its_data_over_a_crash_and_its_directory_may_hold_spaces(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "a folder" / "store").start()
    try:
        with redis.Redis.from_url(server.url) as client:
            client.set("kept", "yes")
        server.kill()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("kept") == b"yes"
    finally:
        server.stop()
    assert server.pid is None


def test_a_server_that_cannot_start_says_what_it_wrote(tmp_path: Path) -> None:
    manifest = tmp_path / "appendonlydir" / "appendonly.aof.manifest"
    manifest.parent.mkdir()
    manifest.write_text("no manifest\n")
    with pytest.raises(NoServer, match=r"(?s)did not start.*manifest"):
        EmbeddedServer(tmp_path).start()


def test_the_server_is_its_own_process_group(store_server: EmbeddedServer) -> None:
    assert store_server.pid is not None
    assert os.getpgid(store_server.pid) == store_server.pid
    os.kill(store_server.pid, signal.SIGCONT)

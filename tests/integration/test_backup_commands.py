"""`./sluice backup` and `./sluice restore` on a store as `up` keeps it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from common_mesh.testing import FakeMesh
from core_api import PEM
from sluice import CONNECTION, SHARDS, TEAM, Sluice, page

from cli import running
from cli.__main__ import main
from cli.embedded import EmbeddedServer
from cli.runfile import held, write_status
from pipeline.store import hold
from pipeline.store.keys import META
from pipeline.store.layout import LAYOUT
from pipeline.store.scripts import Changes
from settings import SettingsError


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@contextmanager
def open_store(state: Path, mesh: FakeMesh | None = None) -> Iterator[Sluice]:
    """The store of that state directory, up as `up` has it."""
    with EmbeddedServer(state / "store") as server:
        sluice = Sluice(server.url, mesh=mesh)
        sluice.client.hset(META, mapping={"layout": LAYOUT, "shards": SHARDS.count})
        try:
            yield sluice
        finally:
            sluice.close()


def files(directory: Path) -> dict[str, bytes]:
    return {str(f.relative_to(directory)): f.read_bytes() for f in sorted(directory.rglob("*")) if f.is_file()}


def made(state: Path, file: Path) -> Path:
    assert main(["backup", str(file), "--state", str(state)]) == 0
    return file


def test_a_backup_is_restored_held_with_what_had_been_acknowledged_and_the_store_before_it_is_kept(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mesh = FakeMesh()
    with open_store(state, mesh) as sluice:
        sluice.register()
        sluice.allow("C1", "C2")
        sluice.drain()
        sluice.receive(page("C1", "1700000000.000100"), page("C2", "1700000000.000200"))
    backup = made(state, tmp_path / "a.rdb")
    assert backup.stat().st_mode & 0o777 == 0o600
    assert not (state / "store" / "dump.rdb").exists()
    with open_store(state, mesh) as sluice:
        sluice.allow("C1")  # a revocation that the backup does not know
        sluice.drain()
        assert {row["channel"] for row in sluice.live().values()} == {"C1"}

    assert main(["restore", str(backup), "--state", str(state)]) == 0
    said = capsys.readouterr().out
    assert "restore --confirm" in said
    [before] = state.glob("store.before-*")
    assert str(before) in said
    assert list(before.rglob("*.aof"))
    with open_store(state, mesh) as sluice:
        found = hold.found(sluice.client)
        assert found is not None
        assert found.backup is not None
        assert 0 <= found.since - found.backup < 60_000_000
        assert sluice.stores.allowlists.own(CONNECTION, TEAM) == ["C1", "C2"]
        assert sluice.client.xlen(sluice.keys.stream(CONNECTION)) == 2
        assert sluice.drain() == {"busy": 1}
        sluice.allow("C1")  # the core service puts the list as it is
        hold.lift(sluice.client, SHARDS)
        sluice.drain()
        assert {row["channel"] for row in sluice.live().values()} == {"C1"}
        effects = [(effect.id, effect.version) for effect in mesh.effects("end10843", "slack", "message")]
        assert len(effects) == 1, "what was delivered before is delivered again, and changes nothing"


def test_a_restored_store_survives_a_kill_as_any_other(state: Path, tmp_path: Path) -> None:
    with open_store(state) as sluice:
        sluice.register()
    assert main(["restore", str(made(state, tmp_path / "a.rdb")), "--state", str(state)]) == 0
    server = EmbeddedServer(state / "store").start()
    with redis.Redis.from_url(server.url) as client:
        client.set("written", "after the restore")
        server.kill()
        server.start()
        assert client.get("written") == b"after the restore"
        assert hold.found(client) is not None
    server.stop()


def test_a_backup_of_a_running_store_is_of_one_moment(state: Path, tmp_path: Path) -> None:
    """Two keys of a shard that one script moves together are never seen apart."""
    with open_store(state) as sluice:
        stop, begun = threading.Event(), threading.Event()
        mine = redis.Redis.from_url(sluice.url)

        def write() -> None:
            while not stop.is_set():
                Changes().do("INCR", "{s0}:a").do("INCR", "{s0}:b").commit(mine)
                begun.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert begun.wait(10)
        with held(state):
            write_status(state, {"played": {"store": sluice.url}})
            try:
                made(state, tmp_path / "a.rdb")
                assert main(["restore", str(tmp_path / "a.rdb"), "--state", str(state)]) == 4
            finally:
                stop.set()
                writer.join()
                mine.close()
    assert main(["restore", str(tmp_path / "a.rdb"), "--state", str(state)]) == 0
    with open_store(state) as sluice:
        a, b = sluice.client.mget("{s0}:a", "{s0}:b")
        assert a == b
        assert int(a) > 0


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


@pytest.mark.parametrize("damage", [_cut, _flipped, lambda _: b"", lambda _: b"a photograph" * 100])
def test_a_damaged_file_is_refused_and_nothing_is_changed(
    state: Path, tmp_path: Path, damage: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(state) as sluice:
        sluice.register()
    file = made(state, tmp_path / "a.rdb")
    file.write_bytes(damage(file.read_bytes()))  # type: ignore[operator]
    before = files(state / "store")
    assert main(["restore", str(file), "--state", str(state)]) == 1
    assert capsys.readouterr().err.startswith("sluice: ")
    assert files(state / "store") == before
    assert not list(state.glob("store.before-*"))


@pytest.mark.parametrize(
    ("meta", "said"), [({}, "not one of a store of Sluice"), ({"layout": LAYOUT + 1, "shards": 16}, "has layout")]
)
def test_a_snapshot_of_something_else_or_of_a_newer_version_is_refused(
    state: Path, tmp_path: Path, meta: dict[str, int], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(state) as sluice:
        sluice.client.delete(META)
        sluice.client.set("x", "y")
        if meta:
            sluice.client.hset(META, mapping=dict(meta))
    file = made(state, tmp_path / "a.rdb")
    assert main(["restore", str(file), "--state", str(state)]) == 1
    assert said in capsys.readouterr().err


def test_a_backup_is_never_written_over_and_a_store_of_ones_own_is_left_to_its_own_means(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.rdb").write_text("precious")
    assert main(["backup", str(tmp_path / "a.rdb"), "--state", str(state)]) == 2
    assert main(["backup", str(tmp_path / "b.rdb"), "--state", str(state)]) == 1
    assert "There is no store" in capsys.readouterr().err
    monkeypatch.setenv("SLUICE_STORE_URL", "redis://127.0.0.1:1/0")
    for line in (["backup", str(tmp_path / "b.rdb")], ["restore", str(tmp_path / "a.rdb")]):
        assert main([*line, "--state", str(state)]) == 2
        assert "docs/backup.md" in capsys.readouterr().err
    assert (tmp_path / "a.rdb").read_text() == "precious"


def given(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a deployment whose Paragon and mesh are both away."""
    nobody = "http://127.0.0.1:1"
    variables = {
        "STORE_URL": store,
        "PARAGON_PROJECT_ID": "p",
        "PARAGON_SIGNING_KEY": PEM,
        "PARAGON_WORKFLOW_MESSAGES": "w",
        **dict.fromkeys(
            ("PARAGON_API_URL", "PARAGON_PROXY_URL", "PARAGON_TRIGGER_URL", "MESH_URL", "PUBLIC_URL"), nobody
        ),
        "MESH_TOKEN": "t",
        "WEBHOOK_SECRETS": "s" * 16,
        "RUN_TOKEN_KEYS": "k:" + "k" * 32,
        "VAULT_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"SLUICE_{name}", value)


def test_a_store_of_ones_own_is_held_shown_and_confirmed_only_where_nothing_is_in_doubt(
    sluice: Sluice, state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given(sluice.url, monkeypatch)
    sluice.register()
    sluice.allow("C1")
    where = ["--state", str(state)]
    assert main(["restore", *where]) == 0
    assert "not held" in capsys.readouterr().out
    assert main(["restore", "--confirm", *where]) == 0
    assert main(["restore", "--hold", *where]) == 0
    assert main(["restore", *where]) == 1
    assert f"{CONNECTION}: 1 channels, the backup's" in capsys.readouterr().out

    assert main(["restore", "--confirm", *where]) == 1
    said = capsys.readouterr().out
    assert f"? {CONNECTION}: Paragon does not say its list" in said
    assert "? The mesh cannot be read" in said
    assert hold.found(sluice.client) is not None
    assert main(["restore", "--fence", *where]) == 1
    assert main(["restore", "--confirm", "--accept-older-lists", *where]) == 0
    assert hold.found(sluice.client) is None
    assert sluice.stores.allowlists.own(CONNECTION, TEAM) == ["C1"]


def test_confirming_what_up_plays_needs_it_to_run(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restore", "--confirm", "--state", str(state)]) == 3
    assert "not running" in capsys.readouterr().err


def test_a_running_up_tells_where_its_parts_answer(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = {name: f"redis://127.0.0.1:1{number}/0" for number, name in enumerate(("store", "broker"))}
    played |= {name: f"http://127.0.0.1:1{number}" for number, name in enumerate(("mesh", "simulator"))}
    with held(state):
        write_status(state, {"played": played, "urls": {"api": "http://127.0.0.1:1"}})
        settings = running.whole_settings(state)
        assert (settings.store_url, settings.mesh_url) == (played["store"], played["mesh"])
        assert settings.paragon_api_url == settings.paragon_proxy_url == played["simulator"]
        assert settings.vault_keys
        write_status(state, {"played": {}})
        with pytest.raises(running.NothingRuns):
            running.whole_settings(state)
        del played["store"]
        write_status(state, {"played": played, "urls": {}})
        monkeypatch.setenv("SLUICE_STORE_URL", "redis://127.0.0.1:1/0")
        with pytest.raises(SettingsError, match="SLUICE_VAULT_KEYS"):
            running.whole_settings(state)

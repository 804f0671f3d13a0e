"""`./sluice pause` and `./sluice resume`, at a real store and without any other process."""

from base64 import b64encode
from pathlib import Path

import pytest

from cli.__main__ import main
from pipeline.store.allowlists import Allowlists
from pipeline.store.channel_pauses import ChannelPause, put
from pipeline.store.client import connect
from pipeline.store.connections import Connections
from pipeline.store.keys import Shards
from pipeline.store.pauses import Pauses
from pipeline.store.scripts import Changes
from pipeline.store.vault import Vault

CONNECTION = "rob@example.com/end10843"


@pytest.fixture
def here(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("SLUICE_STORE_URL", store)
    return ["--state", str(tmp_path)]


def paused(store: str) -> list[str]:
    with connect(store) as client:
        return sorted(Pauses(client, Shards(16)).listing())


def test_what_is_paused_is_listed_until_it_is_resumed(
    here: list[str], store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pause", "org:end10843", *here]) == 0
    assert main(["pause", *here]) == 0
    assert "org:end10843  since 20" in capsys.readouterr().out
    assert paused(store) == ["org:end10843"]
    assert main(["resume", "org:end10843", *here]) == 0
    assert main(["resume", *here]) == 0
    assert "Nothing is paused." in capsys.readouterr().out
    assert paused(store) == []


def test_everything_is_paused_in_every_shard(here: list[str], store: str) -> None:
    assert main(["pause", "all", *here]) == 0
    with connect(store) as client:
        assert all(client.hexists(keys.paused, "all") for keys in Shards(16).all())


def test_what_is_no_scope_is_a_wrong_usage(here: list[str], store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pause", "end10843", *here]) == 2
    assert "org:<id>" in capsys.readouterr().err
    assert paused(store) == []


def test_a_pause_that_was_none_is_said(here: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", "all", *here]) == 0
    assert "was not paused" in capsys.readouterr().out


@pytest.fixture
def listed(here: list[str], store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A connection whose list has C1."""
    monkeypatch.setenv("SLUICE_VAULT_KEYS", "k1:" + b64encode(bytes(32)).decode())
    with connect(store) as client:
        shards, vault = Shards(16), Vault({"k1": bytes(32)})
        Connections(client, shards, vault).register(CONNECTION, team="T1", who={}, by="test")
        Allowlists(client, shards, vault).put(CONNECTION, ["C1"], if_match=0, by="test")
    return CONNECTION


def test_a_channel_is_paused_listed_and_resumed(
    listed: str, here: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pause", listed, "--channel", "C1", *here]) == 0
    assert main(["pause", listed, "--channel", "C1", *here]) == 0
    assert "C1 is paused already" in capsys.readouterr().out
    assert main(["pause", *here]) == 0
    assert "  end10843 T1 C1 (operator)  since 20" in capsys.readouterr().out
    assert main(["resume", listed, "--channel", "C1", *here]) == 0
    assert main(["resume", listed, "--channel", "C1", *here]) == 0
    assert "C1 was not paused" in capsys.readouterr().out
    assert main(["pause", *here]) == 0
    assert "Nothing is paused." in capsys.readouterr().out


def test_for_another_id_the_command_says_what_to_do(
    listed: str, here: list[str], store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = Shards(16).of(listed)
    with connect(store) as client:
        changes = Changes()
        put(changes, keys, ChannelPause("end10843", "T1", "C1", "id_changed", 1, "C9"))
        changes.commit(client)
    assert main(["resume", listed, "--channel", "C1", *here]) == 1
    assert "put the new id on the list in place of this one. It is C9." in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["nobody/end10843", "--channel", "C1"], [CONNECTION, "--channel", "C2"]])
def test_a_channel_that_is_on_no_list_is_a_wrong_usage(listed: str, here: list[str], wrong: list[str]) -> None:
    assert main(["pause", *wrong, *here]) == 2
    assert main(["resume", *wrong, *here]) == 2


def test_a_channel_alone_is_a_wrong_usage(here: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pause", "--channel", "C1", *here]) == 2
    assert "<user>/<org>" in capsys.readouterr().err

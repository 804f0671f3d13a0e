"""`./sluice pause` and `./sluice resume`, at a real store and without any other process."""

from pathlib import Path

import pytest

from cli.__main__ import main
from pipeline.store.client import connect
from pipeline.store.keys import Shards
from pipeline.store.pauses import Pauses


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

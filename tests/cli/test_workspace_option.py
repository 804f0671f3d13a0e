"""`--workspace` of `up` and `demo`: a Slack export as its zip or its folder; and the words that must not leak of it."""

import json
import zipfile
from pathlib import Path

import pytest

from cli import leaks
from cli.__main__ import main
from cli.exits import Exit
from cli.options import SimulatorOptions, slack_export

LONG = "a sentence that only this channel holds"
FILES = {
    "channels.json": [{"id": "C1", "name": "open"}, {"id": "C2", "name": "closed"}],
    "users.json": [{"id": "U1", "team_id": "T1"}],
    "open/2026-01-01.json": [{"ts": "1.0", "text": "said in both channels, and here more"}],
    "closed/2026-01-01.json": [{"ts": "2.0", "text": LONG}, {"ts": "3.0", "text": "said in both channels"}],
}


@pytest.fixture(params=["zip", "folder"])
def export(request, tmp_path) -> Path:
    if request.param == "zip":
        with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
            for name, value in FILES.items():
                archive.writestr(name, json.dumps(value))
        return tmp_path / "export.zip"
    for name, value in FILES.items():
        path = tmp_path / "export" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    return tmp_path / "export"


def test_the_option_reaches_the_simulator_as_a_whole_path(export, monkeypatch):
    monkeypatch.chdir(export.parent)
    assert SimulatorOptions(workspace=slack_export(export.name)).arguments() == ["--workspace", str(export)]


@pytest.mark.parametrize("command", ["up", "demo"])
@pytest.mark.parametrize("content", [None, b"no zip"])
def test_what_is_no_export_stops_the_start_with_a_sentence(tmp_path, capsys, command, content):
    path = tmp_path / "thing"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main([command, "--workspace", str(path)])
    assert ended.value.code == Exit.USAGE
    assert f"{path} {'holds no channels' if content is None else 'is no zip'}" in capsys.readouterr().err


def test_words_that_only_a_closed_channel_holds_are_looked_for(export):
    assert set(leaks._snippets(export, {"C1"})) == {LONG.encode()}
    assert set(leaks._snippets(export, {"C1", "C2"})) == set()

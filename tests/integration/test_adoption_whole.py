"""docs/adopt.md with every process: a list adopted, directories that only Sluice starts, and nothing sent."""

from pathlib import Path

import pytest

from cli.__main__ import main
from cli.options import SimulatorOptions, StackOptions
from cli.proxy import paragon_client
from cli.runfile import held, write_status
from cli.stack import Stack
from cli.walk import Walk, players
from settings import STACK_MARK, Settings

SINCE = "2020-01-01"
SINCE_US = 1_577_836_800_000_000


def test_a_user_who_was_there_before_is_adopted_in_shadow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [player] = players(1)
    simulator = SimulatorOptions(channels=3, messages=30, self_start=False)
    with Stack(tmp_path, StackOptions(given={"SLUICE_DELIVERY": "shadow"}, simulator=simulator)) as stack:
        stack.start([name for name in stack.names if name != "flower"])
        for name, value in {**stack.env, STACK_MARK: "1"}.items():
            monkeypatch.setenv(name, value)
        assert stack.operator_token is not None
        operator, mesh = (one.get_secret_value() for one in (stack.operator_token, stack.secrets.mesh_token))
        with Walk(stack.urls, operator, mesh, print) as walk:
            theirs = sorted(walk.connect(player)["channels"])[:2]
            with paragon_client(Settings.load("cli", op_env=None)) as paragon:
                paragon.patch_meta(player.connection, {"plan": "pro", "allowListedChannels": theirs})
            walk.register(player)
            walk.await_directory(player)
            assert walk.look(player)["slack"]["credential_status"] == "VALID"
            door = ("--api", stack.urls["api"], "--state", str(tmp_path))
            assert main(["adopt", player.connection, "--yes", "--since", SINCE, *door]) == 0
            assert "Imported: 2 added, 0 removed" in capsys.readouterr().out
            walk.until("the first pull", lambda: bool(walk.runs(player)))
            walk.await_covered([player])
            assert min(run["oldest"] for run in walk.runs(player)) == SINCE_US
            said = walk.status()
            assert said["delivery"] == "shadow"
            assert said["counters"]["shadow.message"] > 0
            assert not any(name.startswith("delivered.") for name in said["counters"])
            assert set(walk.count(player.org).values()) == {0}
            walk.await_metadata(player)
            starts = walk.simulator.get("/_sim/triggers").json()["triggers"]
            assert {one["workflow"] for one in starts} == {"slack-channels", "slack-users", "slack-messages"}
            with held(tmp_path):
                write_status(tmp_path, {"urls": stack.urls, "processes": [], "operator": True})
                assert main(["status", "--state", str(tmp_path)]) == 0
            assert "delivery: shadow" in capsys.readouterr().out

"""docs/backup.md with every process: a backup, changes after it, a restore over a store that held data, a confirm."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.__main__ import main
from cli.options import SimulatorOptions, StackOptions
from cli.runfile import held, write_status
from cli.stack import Stack
from cli.walk import Player, Walk, players

OURS = ("store", "broker", "api", "worker", "sweep", "beat")


@contextmanager
def commands(stack: Stack) -> Iterator[None]:
    """What `./sluice` finds of an `up` that runs."""
    played = {name: stack.urls[name] for name in ("store", "broker", "mesh", "simulator")}
    with held(stack.state_dir):
        write_status(stack.state_dir, {"urls": stack.urls, "processes": [], "operator": True, "played": played})
        yield


def ended(walk: Walk, receipt: str) -> None:
    walk.until("a receipt", lambda: walk.api.get(f"/v1/receipts/{receipt}").json()["state"] == "delivered")


def erase(walk: Walk, player: Player, person: str) -> None:
    ended(walk, walk.api.delete(f"{player.path}/people/{person}").json()["receipt"])


def revise(walk: Walk, player: Player, channels: list[str]) -> None:
    seen = walk.api.get(f"{player.path}/allowlist").headers["ETag"]
    said = walk.api.put(f"{player.path}/allowlist", json={"channels": channels}, headers={"If-Match": seen}).json()
    ended(walk, said["receipt"])


def messages(walk: Walk, player: Player) -> list[dict[str, Any]]:
    return list(walk.pages(f"/v1/{player.org}/slack/message/records", "records"))


def users(walk: Walk, player: Player) -> set[str]:
    rows = walk.pages(f"/v1/{player.org}/slack/user/records", "records")
    return {row["user_id"] for row in rows if row["kind"] == "org"}


def page_of_users(stack: Stack, player: Player, *members: str) -> str:
    said = {"connection": player.connection, "run_id": "later", "cursor": "", "next_cursor": "", "has_more": False}
    secret = stack.secrets.webhook_secret.get_secret_value()
    answer = httpx.post(
        f"{stack.urls['api']}/v1/webhooks/slack/users",
        json=said | {"members": [{"id": one, "name": one.lower()} for one in members]},
        headers={"Authorization": f"Bearer {secret}"},
        trust_env=False,
    )
    assert answer.status_code == 202
    return str(answer.json()["receipt"])


def test_a_restore_over_a_store_with_data_finds_what_was_revoked_and_who_was_erased_since(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [player] = players(1)
    state, backup = tmp_path / "state", tmp_path / "a.rdb"
    simulator = SimulatorOptions(channels=5, messages=60)
    with Stack(state, StackOptions(simulator=simulator)) as stack:
        stack.start([name for name in stack.names if name != "flower"])
        operator, mesh = (one.get_secret_value() for one in (stack.secrets.operator_token, stack.secrets.mesh_token))
        with Walk(stack.urls, operator, mesh, print, patience=60) as walk:
            walk.register(player)
            walk.connect(player)
            walk.await_directory(player)
            kept, revoked = walk.channels(player)[:2]
            walk.allow(player, [kept, revoked])
            walk.until("the first pull", lambda: bool(walk.runs(player)))
            walk.await_covered([player])
            wrote = Counter(row["author_id"] for row in messages(walk, player) if row["author_kind"] == "user")
            (since, _), (before, _) = wrote.most_common(2)
            erase(walk, player, before)
            with commands(stack):
                assert main(["backup", str(backup), "--state", str(state)]) == 0

            written = walk.look(player)["metadata_at"]
            revise(walk, player, [kept])
            walk.until("Paragon's metadata", lambda: walk.look(player)["metadata_at"] > written)
            erase(walk, player, since)
            assert walk.api.put(f"{player.path}/people/{before}").status_code == 200
            walk.until("the fence of the readmission", lambda: walk.status()["backlog"] == 0)
            left = sorted(row["id"] for row in messages(walk, player))
            assert left

            stack.stop(OURS)
            assert main(["restore", str(backup), "--state", str(state)]) == 0
            assert len(list(state.glob("store.before-*/*"))) > 0
            stack.start(OURS)
            assert walk.status()["held"]["backup"]
            assert walk.api.get(f"{player.path}/people").json()["erased"].keys() == {before}
            late = page_of_users(stack, player, since, before, "UNEWCOMER")
            with commands(stack):
                capsys.readouterr()
                assert main(["restore", "--confirm", "--state", str(state)]) == 0
            said = capsys.readouterr().out
            assert f"{player.connection}: 1 channels taken off its list" in said
            assert f"{player.org}: 1 persons excluded again" in said
            assert f"{before} (team " in said
            assert "was let in again after the backup" in said

            walk.until("the held page", lambda: walk.api.get(f"/v1/receipts/{late}").json()["state"] != "waiting")
            walk.await_covered([player])
            assert walk.status()["held"] is None
            assert walk.api.get(f"/v1/receipts/{late}").json()["dropped"] == {"excluded.user": 2}
            assert "UNEWCOMER" in users(walk, player)
            assert not {since, before} & users(walk, player)
            assert sorted(row["id"] for row in messages(walk, player)) == left
            assert {row["channel"] for row in messages(walk, player)} == {kept}
            assert walk.api.get(f"{player.path}/people").json()["erased"].keys() == {since, before}

"""A channel that another company is let into, and one that gets another id, while everything runs."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.faults.passes import Pass, passing

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
NEW_ID = "C0000000NEW"


def change(running: Pass, path: str, channel: str, **more: Any) -> None:
    """Something happens to the channel in Slack, and the directory is read as it is daily."""
    body = {"connection": running.one.connection, "channel": channel, **more}
    for place in (path, "directory"):
        running.walk.simulator.post(f"/_sim/{place}", json=body).raise_for_status()


def paused(running: Pass) -> dict[str, tuple[str, str | None]]:
    rows = running.walk.look(running.one)["paused_channels"]
    return {row["channel"]: (row["reason"], row["new_id"]) for row in rows}


def kept(running: Pass) -> dict[str, int]:
    """Messages in the mesh by channel, with those of which only the id is left."""
    path = f"/v1/{running.one.org}/slack/message/records"
    return Counter(record["id"].split(":")[1] for record in running.walk.pages(path, "records", all="true"))


def test_nothing_of_a_paused_channel_passes_and_after_the_answer_nothing_is_missing(tmp_path: Path) -> None:
    with passing(tmp_path / "state", channels=6, messages=240, page_limit=5) as running:
        walk, one = running.walk, running.one
        walk.register(one)
        walk.connect(one)
        walk.await_directory(one)
        rows = walk.api.get(f"{one.path}/channels").json()["channels"]
        allowed = sorted(row["channel"] for row in rows if not row["is_ext_shared"])
        walk.allow(one, allowed)
        shared, moved, *rest = allowed
        change(running, "channels/share", shared)
        eventually(lambda: paused(running) == {shared: ("shared_externally", None)}, "the channel is paused")
        seen, whole = kept(running).get(shared, 0), running.in_slack(one)
        eventually(lambda: all(kept(running).get(one) == whole[one] for one in (moved, *rest)), "the others are read")
        dropped = "dropped.channel_paused.message"
        eventually(lambda: walk.status()["counters"].get(dropped, 0) > 0, "pages of it came, and were dropped")
        assert kept(running).get(shared, 0) == seen < whole[shared]

        assert walk.api.post(f"{one.path}/channels/{shared}/resume").status_code == 200
        eventually(lambda: kept(running).get(shared) == whole[shared], "all of it is read")
        running.finish()
        account = running.account()
        assert account.balanced, account

        change(running, "channels/id", moved, id=NEW_ID)
        eventually(lambda: paused(running) == {moved: ("id_changed", NEW_ID)}, "the new id is not followed")
        assert walk.api.post(f"{one.path}/channels/{moved}/resume").status_code == 409
        assert running.revise([NEW_ID, shared, *rest]).is_success
        eventually(lambda: kept(running).get(NEW_ID) == whole[moved], "the new id is read")
        running.finish()
        assert set(running.in_mesh(one)) == {NEW_ID, shared, *rest}
        assert paused(running) == {}

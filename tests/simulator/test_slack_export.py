"""A Slack export in Slack's own format becomes a workspace; anything else is one sentence."""

import asyncio
import json
from pathlib import Path

import pytest

from simulator.export import BadExport, read_export

SHARED = Path(__file__).parents[3] / "shared" / "slack" / "export"


def export(folder: Path, **files: object) -> Path:
    for name, value in files.items():
        path = folder / name.replace("__", "/")
        path = path.with_suffix(".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")
    return folder


def test_an_export_is_read_whole(tmp_path):
    parent = {"ts": "1700000000.000100", "text": "root", "user": "U1", "thread_ts": "1700000000.000100"}
    reply = {"ts": "1700090000.000200", "text": "reply", "user": "U2", "thread_ts": "1700000000.000100"}
    folder = export(
        tmp_path,
        channels=[{"id": "C1", "name": "general"}],
        groups=[{"id": "G1", "name": "secret"}],
        mpims=[{"id": "G2", "name": "mpdm-a--b-1"}],
        dms=[{"id": "D1", "members": ["U1", "U2"]}],
        users=[{"id": "U2", "team_id": "T9"}, {"id": "U1"}],
        general__day1=[parent, {"no": "ts"}, "junk"],
        general__day2=[reply, reply],
        secret__day1=[{"ts": "1700000001.000000", "text": "s", "team": "T1"}],
        D1__day1=[{"ts": "1700000002.000000", "text": "d", "team": "T1"}],
    )
    workspace = read_export(folder)
    assert {c.id: len(c.messages) for c in workspace.channels.values()} == {"C1": 2, "D1": 1, "G1": 1, "G2": 0}
    general = workspace.channel("C1")
    assert general.take("1700000000.000100")["reply_count"] == 1
    assert workspace.channel("G1").record["is_private"] is True
    assert workspace.channel("D1").record["is_im"] is True
    assert (workspace.team, [u["id"] for u in workspace.users]) == ("T1", ["U1", "U2"])
    assert general.canary is None


def test_a_reply_count_that_the_export_gives_is_kept(tmp_path):
    parent = {"ts": "1700000000.000100", "thread_ts": "1700000000.000100", "reply_count": 7}
    reply = {"ts": "1700000000.000200", "thread_ts": "1700000000.000100"}
    folder = export(tmp_path, channels=[{"id": "C1", "name": "general"}], general__d=[parent, reply])
    assert read_export(folder).channel("C1").take("1700000000.000100")["reply_count"] == 7


def test_a_team_is_derived_where_nothing_names_one(tmp_path):
    folder = export(tmp_path, channels=[{"id": "C1", "name": "general"}])
    assert read_export(folder).team == read_export(folder).team
    assert read_export(folder).team.startswith("T")


def test_a_channel_name_never_leads_out_of_the_folder(tmp_path):
    export(tmp_path, outside__day=[{"ts": "1700000000.000100", "text": "not ours"}])
    folder = export(tmp_path / "in", channels=[{"id": "C1", "name": "../outside"}])
    assert read_export(folder).messages() == 0


def test_what_is_no_export_is_one_sentence(tmp_path):
    with pytest.raises(BadExport, match="not a folder"):
        read_export(tmp_path / "nowhere")
    with pytest.raises(BadExport, match="no channels"):
        read_export(tmp_path)
    (tmp_path / "channels.json").write_text("{")
    with pytest.raises(BadExport, match="cannot be read as JSON"):
        read_export(tmp_path)
    (tmp_path / "channels.json").write_text("{}")
    with pytest.raises(BadExport, match="holds no list"):
        read_export(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared Slack export is not beside the project")
def test_the_shared_export_comes_through_the_workflows(bench):
    async def story():
        async with bench(workspace=SHARED) as b:
            connected = await b.connect()
            await b.trigger(connected["channels"])
            await b.idle()
            texts = {m["text"] for p in b.pages("messages") for m in p["messages"]}
            assert (connected["team"], len(connected["channels"]), len(texts)) == ("T0534672TWT", 4, 5)
            assert {row["canary"] for row in (await b.get("/_sim/canaries"))["canaries"]} == {None}

    asyncio.run(story())

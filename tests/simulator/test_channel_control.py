import asyncio

from simulator.slack.channel import Channel
from simulator.slack.workspace import Workspace
from tests.simulator.conftest import ROB


def test_a_channel_is_shared_and_unshared_and_the_next_directory_shows_it(bench):
    async def story():
        async with bench(channels=1, messages=2) as b:
            channel = (await b.connect())["channels"][0]
            place = {"connection": ROB, "channel": channel}
            await b.idle()
            for shared in (True, False):
                said = await b.http.post("/_sim/channels/share", json=place | {"shared": shared})
                assert said.json() == {"channel": channel, "is_ext_shared": shared}
                b.posted.clear()
                assert (await b.http.post("/_sim/directory", json={"connection": ROB})).status_code == 200
                await b.idle()
                [[record]] = [page["channels"] for page in b.pages("channels")]
                assert (record["is_ext_shared"], len(record["shared_team_ids"])) == (shared, 2 if shared else 1)
                assert len(b.pages("users")) == 1

    asyncio.run(story())


def test_a_channel_with_another_id_keeps_what_was_said_and_its_old_id_is_not_found(bench):
    async def story():
        async with bench(channels=3, messages=30) as b:
            old = (await b.connect())["channels"][1]
            before = (await b.slack("conversations.history", channel=old))["messages"]
            changed = {"connection": ROB, "channel": old, "id": "C0AAAAAAA1"}
            assert (await b.http.post("/_sim/channels/id", json=changed)).json() == {"channel": "C0AAAAAAA1"}
            assert (await b.slack("conversations.history", channel="C0AAAAAAA1"))["messages"] == before
            ids = [
                record["id"]
                for record in (await b.slack("conversations.list", types="public_channel,private_channel"))["channels"]
            ]
            assert (len(ids), ids == sorted(ids), old in ids) == (3, True, False)
            again = await b.http.post("/_sim/channels/id", json=changed)
            assert (again.status_code, again.json()["error"]) == (400, "there is a channel with this id")
            gone = await b.http.post("/_sim/channels/share", json={"connection": ROB, "channel": old})
            assert (gone.status_code, gone.json()) == (404, {"error": "channel_not_found"})

    asyncio.run(story())


def test_messages_that_name_their_channel_name_it_by_its_new_id():
    channel = Channel({"id": "C1"})
    for second, named in enumerate(({}, {"channel": "C1"}, {"channel": "C2"})):
        channel.add({"type": "message", "ts": f"170000000{second}.000100", **named})
    workspace = Workspace("T1", "one", [], {"C1": channel})
    workspace.change_id("C1", "C9")
    assert [message.get("channel") for message in channel.messages.values()] == [None, "C9", "C2"]


def test_what_cannot_be_is_refused(bench):
    async def story():
        async with bench(channels=1, messages=2) as b:
            channel = (await b.connect())["channels"][0]
            for path, body in (
                ("channels/share", {"connection": "nobody/org", "channel": channel}),
                ("channels/share", {"connection": ROB, "channel": channel, "shared": 1}),
                ("channels/id", {"connection": ROB, "channel": channel}),
                ("directory", {"connection": "nobody/org"}),
            ):
                assert (await b.http.post(f"/_sim/{path}", json=body)).status_code == 400, path

    asyncio.run(story())

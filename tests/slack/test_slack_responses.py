"""One response of every Slack call that Sluice reads, mapped whole (our own examples, in schematestdata/)."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.models import Message
from pipeline.slack.mapping import Names, map_channel, map_message, map_user, names_wanted

EXAMPLES = Path(__file__).parent / "schematestdata"
TEAM, CHANNEL, EPOCH = "T0SLUICE01", "C0GENERAL1", 1_700_010_000_000_000


def response(call: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EXAMPLES / f"{call}.json").read_text("utf-8"))
    assert loaded["ok"] is True
    return loaded


def mapped(call: str) -> dict[str, Message]:
    """The records of a page by the last digits of their ts."""
    raws = response(call)["messages"]
    names = Names(users={user.user_id or "": user.display_name or "" for user in members()})
    records = [map_message(raw, team=TEAM, channel=CHANNEL, epoch=EPOCH, names=names) for raw in raws]
    assert [record.ts for record in records if record] == [raw["ts"] for raw in raws]
    return {record.ts[-4:]: record for record in records if record}


def members() -> list[Any]:
    return [map_user(raw, team=TEAM, epoch=EPOCH) for raw in response("users.list")["members"]]


def test_auth_test_names_the_team_that_the_ids_are_built_with() -> None:
    answer = response("auth.test")
    user = map_user({"id": answer["user_id"], "name": answer["user"]}, team=answer["team_id"], epoch=EPOCH)
    assert user.id == "T0SLUICE01:U0ADA00001"


def test_every_kind_of_conversation_maps_with_its_own_flags_not_its_prefix() -> None:
    general, private, partner, im, mpim = (
        map_channel(raw, team=TEAM, epoch=EPOCH, allowed_by="u/o", allowed_at=7, list_version="3")
        for raw in response("conversations.list")["channels"]
    )
    assert (general.id, general.name, general.members, general.topic) == (
        "T0SLUICE01:C0GENERAL1",
        "general",
        3,
        "Locks &amp; gates",
    )
    assert (general.allowed_by, general.allowed_at, general.list_version) == ("u/o", 7, "3")
    assert general.version == f"{EPOCH:016d}{1700000000123:016d}"
    assert private.version == f"{EPOCH:016d}{0:016d}"
    assert (private.name, private.is_private, private.is_archived, private.members) == ("leitung-süd", True, True, None)
    assert private.created_at == 1_700_000_100_000_000
    assert (partner.is_shared, partner.is_ext_shared, partner.members) == (True, True, 2)
    assert (im.is_im, im.name, im.is_private) == (True, None, False)
    assert (mpim.is_mpim, mpim.is_private) == (True, True)


def test_members_get_the_name_that_slack_shows() -> None:
    ada, ben, cleo, bot = members()
    assert [user.display_name for user in (ada, ben, cleo, bot)] == ["ada.quay", "Ben Weir", "cleo", "Gatekeeper"]
    assert (ada.email, ada.tz, ada.tz_offset, ada.kind) == ("ada@tidewater.example", "Europe/Amsterdam", 3600, "org")
    assert (ben.is_guest, cleo.is_deactivated, bot.is_bot) == (True, True, True)
    assert ada.version == f"{EPOCH:016d}{1700000500:016d}"
    assert not any(user.deleted for user in (ada, ben, cleo, bot))


def test_a_page_of_history_maps_whole() -> None:
    page = mapped("conversations.history")
    parent, edited, join, app, hook = (page[ts] for ts in ("0100", "0200", "0300", "0400", "0500"))
    assert (parent.id, parent.lane, parent.reply_count) == ("T0SLUICE01:C0GENERAL1:1700001100.000100", "history", 2)
    assert (parent.text, parent.source_text) == ("The gate is open", "The gate is *open*")
    assert parent.sent_at == "2023-11-14T22:31:40.000100+00:00"
    assert (edited.text, edited.version) == ("a < b & c", f"{EPOCH:016d}{1700001250000000:016d}")
    assert (edited.edited_at, edited.reactions[0].users) == ("2023-11-14T22:34:10.000000+00:00", ["W0BEN00001"])
    assert (join.author_kind, join.author_id, join.text) == (
        "system",
        "W0BEN00001",
        "@Ben Weir has joined the channel",
    )
    assert (app.author_kind, app.author_id, app.author_name) == ("app", "U0BOT00001", "Gatekeeper")
    assert app.text == "Closing in 5 👋@ada.quay"
    assert (hook.author_kind, hook.author_id, hook.author_name) == ("bot", "B0HOOK0001", "tide-bot")
    assert (hook.text, hook.links) == ("High water\nat 12:00", ["https://tides.example"])


def test_a_page_of_history_keeps_files_and_references_and_drops_foreign_content() -> None:
    page = mapped("conversations.history")
    gone, share, files, shout = (page[ts] for ts in ("0600", "0700", "0800", "0900"))
    assert (gone.deleted, gone.text, gone.author_id, gone.lane) == (True, "", None, "history")
    assert [(ref.channel, ref.ts) for ref in share.references] == [("C0OTHER001", "1690000000.000100")]
    assert "another channel" not in share.model_dump_json()
    assert [(file.id, file.name, file.mode) for file in files.files] == [
        ("F0PLAN0001", "plan.pdf", "hosted"),
        ("F0OLD00001", None, "hidden_by_limit"),
    ]
    assert "not ours" not in files.model_dump_json()
    assert (shout.lane, shout.thread_ts) == ("history", "1700001100.000100")
    assert [(ref.channel, ref.ts) for ref in shout.references] == [(CHANNEL, "1700001100.000100")]
    assert "open" not in shout.model_dump_json()


def test_a_page_of_replies_puts_replies_into_their_lane_and_a_broadcast_into_the_history() -> None:
    page = mapped("conversations.replies")
    assert page["0110"].text == "Since noon?"
    assert [page[ts].lane for ts in ("0100", "0110", "0900")] == ["history", "thread:1700001100.000100", "history"]


@pytest.mark.parametrize("ts", ["0100", "0900"])
def test_a_message_is_the_same_record_however_it_was_read(ts: str) -> None:
    assert mapped("conversations.history")[ts] == mapped("conversations.replies")[ts]


def test_names_wanted_finds_authors_and_mentions_of_a_page() -> None:
    wanted = names_wanted(response("conversations.history")["messages"])
    assert {"U0ADA00001", "W0BEN00001", "U0BOT00001"} <= wanted

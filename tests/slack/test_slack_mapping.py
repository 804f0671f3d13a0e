"""Messages, one irregularity at a time: wrappers, identity, authors, foreign content, tolerance."""

from typing import Any

import pytest

from pipeline.errors import Rejected
from pipeline.models import Message
from pipeline.slack.mapping import Names, map_channel, map_message, map_user, names_wanted
from pipeline.slack.reasons import Reason

TS, LATER, EPOCH = "1681413317.397479", "1681413400.000001", 42
NAMES = Names(users={"U1": "Ada"}, channels={"C1": "general"})


def mapping_of(raw: object, channel: str = "C1") -> Message | None:
    return map_message(raw, team="T1", channel=channel, epoch=EPOCH, names=NAMES)


def mapped(**raw: Any) -> Message:
    record = mapping_of({"type": "message", "ts": TS, **raw})
    assert record is not None
    record.model_dump_json()
    return record


def reason(raw: object) -> str:
    with pytest.raises(Rejected) as refused:
        mapping_of(raw)
    assert refused.value.__context__ is None, "the cause would quote its input"
    return refused.value.reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, Reason.NOT_AN_OBJECT),
        ([], Reason.NOT_AN_OBJECT),
        ("text", Reason.NOT_AN_OBJECT),
        ({"text": "no identity", "channel": "C1"}, Reason.NO_TS),
        ({"ts": None}, Reason.NO_TS),
        ({"ts": 1681413317.397479}, Reason.BAD_TS),
        ({"ts": 1681413317}, Reason.BAD_TS),
        ({"ts": "yesterday"}, Reason.BAD_TS),
        ({"ts": "1681413317.397479\n"}, Reason.BAD_TS),
        ({"ts": "１６８１.0"}, Reason.BAD_TS),
        ({"ts": "1\ud800"}, Reason.BAD_TS),
        ({"ts": ["1"]}, Reason.BAD_TS),
        ({"ts": TS, "channel": "C2"}, Reason.CHANNEL_MISMATCH),
        ({"ts": TS, "channel": {"id": "C2"}}, Reason.CHANNEL_MISMATCH),
        ({"ts": TS, "channel": {"name": "general"}}, Reason.CHANNEL_MISMATCH),
        ({"ts": TS, "channel": 3}, Reason.CHANNEL_MISMATCH),
        ({"ts": TS, "channel": ["C1"]}, Reason.CHANNEL_MISMATCH),
        ({"ts": TS, "channel_id": "C2"}, Reason.CHANNEL_MISMATCH),
        ({"ts": TS, "channel": "C1", "channel_id": "C2"}, Reason.CHANNEL_MISMATCH),
        ({"ts": TS, "subtype": "tombstone", "channel": "C2"}, Reason.CHANNEL_MISMATCH),
        ({"ts": TS, "hidden": True, "channel": "C2"}, Reason.CHANNEL_MISMATCH),
        ({"channel": "C2"}, Reason.NO_TS),
        ({"subtype": "message_changed", "ts": TS}, Reason.NO_INNER),
        ({"subtype": "message_changed", "ts": TS, "message": {"text": "x"}}, Reason.NO_TS),
        ({"subtype": "message_changed", "channel": "C2", "message": {"ts": TS}}, Reason.CHANNEL_MISMATCH),
        ({"subtype": "message_changed", "message": {"ts": TS, "channel": "C2"}}, Reason.CHANNEL_MISMATCH),
        ({"subtype": "message_changed", "message": {"subtype": "message_changed"}}, Reason.NESTED_WRAPPER),
        ({"subtype": "message_changed", "message": {"ts": TS, "channel_id": "C2"}}, Reason.CHANNEL_MISMATCH),
        (
            {"subtype": "message_changed", "message": {"ts": TS}, "previous_message": {"channel": "C2"}},
            Reason.CHANNEL_MISMATCH,
        ),
        ({"subtype": "message_changed", "channel_id": "C2", "message": {"ts": TS}}, Reason.CHANNEL_MISMATCH),
        ({"subtype": "message_deleted", "ts": LATER, "channel_id": "C2", "deleted_ts": TS}, Reason.CHANNEL_MISMATCH),
        (
            {"subtype": "message_deleted", "ts": LATER, "previous_message": {"ts": TS, "channel": "C2"}},
            Reason.CHANNEL_MISMATCH,
        ),
        ({"subtype": "message_deleted", "ts": TS}, Reason.NO_TS),
        ({"subtype": "message_deleted", "deleted_ts": TS}, Reason.NO_TS),
        ({"subtype": "message_deleted", "ts": LATER, "deleted_ts": TS, "channel": "C2"}, Reason.CHANNEL_MISMATCH),
    ],
)
def test_only_a_missing_or_contradictory_identity_is_rejected(raw: object, expected: Reason) -> None:
    assert reason(raw) == expected


@pytest.mark.parametrize("build", [map_user, map_channel])
@pytest.mark.parametrize(
    ("raw", "expected"),
    [(3, "not_an_object"), ({}, "no_id"), ({"id": 3}, "bad_id"), ({"id": ""}, "bad_id"), ({"id": "U:1"}, "bad_id")],
)
def test_a_user_or_channel_without_an_id_is_rejected(build: Any, raw: object, expected: str) -> None:
    with pytest.raises(Rejected, match=expected):
        build(raw, team="T1", epoch=EPOCH)


@pytest.mark.parametrize("own", ["C1", {"id": "C1", "name": "general"}, "", None])
def test_a_message_that_names_its_own_channel_or_none_maps(own: Any) -> None:
    assert mapped(channel=own, channel_id=own, text="x").text == "x"
    assert mapping_of({"subtype": "message_changed", "channel": own, "message": {"ts": TS, "channel_id": own}})


def test_identity_and_version_come_from_the_ts_to_the_digit() -> None:
    record = mapped(user="U1", text="hi")
    assert (record.id, record.ts, record.ts_us) == (f"T1:C1:{TS}", TS, 1681413317397479)
    assert record.version == "0000000000000042" + "1681413317397479"
    assert record.sent_at == "2023-04-13T19:15:17.397479+00:00"


def test_an_edit_raises_the_version_and_an_empty_edited_does_not() -> None:
    assert mapped(edited={"ts": LATER}).version.endswith("1681413400000001")
    assert mapped(edited={}).version.endswith("1681413317397479")
    assert mapped(edited={"ts": 5, "user": None}).edited_at is None


def test_a_changed_message_is_its_new_state() -> None:
    wrapper = {"subtype": "message_changed", "ts": "9.9", "hidden": True, "channel": "C1"}
    new = {"ts": TS, "user": "U1", "text": "after", "edited": {"ts": LATER}}
    record = mapping_of({**wrapper, "message": new, "previous_message": {"ts": TS, "text": "before"}})
    assert record == mapped(user="U1", text="after", edited={"ts": LATER})


def test_a_changed_message_without_its_ts_has_the_one_of_its_previous_state() -> None:
    raw = {"subtype": "message_changed", "ts": LATER, "message": {"text": "x"}, "previous_message": {"ts": TS}}
    record = mapping_of(raw)
    assert record is not None
    assert record.ts == TS


def test_a_deletion_has_no_content_and_the_version_of_its_wrapper() -> None:
    previous = {"ts": TS, "user": "U1", "text": "secret", "thread_ts": "1.5", "files": [{"id": "F1", "name": "secret"}]}
    wrapper = {"subtype": "message_deleted", "ts": LATER, "event_ts": "2.000001", "deleted_ts": TS}
    record = mapping_of({**wrapper, "previous_message": previous})
    assert record is not None
    assert (record.id, record.deleted, record.lane) == (f"T1:C1:{TS}", True, "thread:1.5")
    assert record.version.endswith("1681413400000001")
    assert (record.text, record.source_text, record.author_id, record.files) == ("", "", None, [])
    assert "secret" not in record.model_dump_json()


def test_a_deletion_without_its_own_ts_has_the_one_of_its_event() -> None:
    raw = {"subtype": "message_deleted", "event_ts": LATER, "previous_message": {"ts": TS}}
    record = mapping_of(raw)
    assert record is not None
    assert (record.ts, record.version[16:]) == (TS, "1681413400000001")


def test_a_message_that_became_a_tombstone_is_a_deletion() -> None:
    inner = {"subtype": "tombstone", "ts": TS, "text": "This message was deleted.", "hidden": True}
    record = mapping_of({"subtype": "message_changed", "ts": LATER, "message": inner})
    assert record is not None
    assert (record.deleted, record.text) == (True, "")


@pytest.mark.parametrize("raw", [{"subtype": "message_replied"}, {"hidden": True, "subtype": "anything"}])
def test_notices_that_carry_nothing_are_no_records(raw: dict[str, Any]) -> None:
    assert mapping_of({"ts": TS, "text": "noise", **raw}) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"user": "U1"}, ("U1", "user", "Ada")),
        ({"user": "U9", "user_profile": {"display_name": "", "real_name": "Nine"}}, ("U9", "user", "Nine")),
        ({"user": "U9", "subtype": "never_heard_of"}, ("U9", "user", None)),
        ({"user": "U1", "subtype": "me_message"}, ("U1", "user", "Ada")),
        ({"bot_id": "B1", "subtype": "bot_message", "username": "hook"}, ("B1", "bot", "hook")),
        ({"user": "U9", "bot_id": "B1", "bot_profile": {"name": "App", "app_id": "A1"}}, ("U9", "app", "App")),
        ({"bot_id": "B1", "app_id": "A1"}, ("B1", "app", None)),
        ({"user": "USLACKBOT"}, ("USLACKBOT", "bot", None)),
        ({"user": "U1", "subtype": "channel_topic"}, ("U1", "system", "Ada")),
        ({"user": "U1", "subtype": "huddle_thread"}, ("U1", "system", "Ada")),
        ({"user": "U1", "subtype": "channel_canvas_updated"}, ("U1", "system", "Ada")),
        ({"user": "U1", "subtype": "reminder_add"}, ("U1", "system", "Ada")),
        ({"user": "U1", "subtype": "group_never_heard_of"}, ("U1", "system", "Ada")),
        ({"user": "USLACKBOT", "subtype": "slackbot_response"}, ("USLACKBOT", "bot", None)),
        (
            {"bot_id": "B1", "app_id": "A1", "bot_profile": {"name": "Flow", "is_workflow_bot": True}},
            ("B1", "app", "Flow"),
        ),
        ({"user": "", "username": "roach"}, (None, "bot", "roach")),
        ({"user": "U9", "user_profile": {"display_name": " ", "real_name": "Nine"}}, ("U9", "user", "Nine")),
        ({"subtype": "file_comment", "comment": {"user": "U1", "comment": "x"}}, ("U1", "user", "Ada")),
        ({}, (None, "system", None)),
    ],
)
def test_who_wrote_it(raw: dict[str, Any], expected: tuple[Any, ...]) -> None:
    record = mapped(**raw)
    assert (record.author_id, record.author_kind, record.author_name) == expected


def test_lanes_follow_the_thread_and_a_broadcast_stays_in_the_history() -> None:
    assert mapped(thread_ts=TS).lane == "history"
    assert mapped(thread_ts="1.000001").lane == "thread:1.000001"
    assert mapped(thread_ts="1.000001", subtype="thread_broadcast").lane == "history"
    assert mapped(thread_ts=7).lane == "history"


FOREIGN = [
    {"channel_id": "C2", "ts": LATER, "text": "canary"},
    {"channel_id": ["C2"], "text": "canary"},
    {"channel": "C2", "fallback": "canary"},
    {"from_url": "https://t.slack.com/archives/C2/p1681413400000001", "title": "canary"},
    {"is_share": True, "pretext": "canary"},
    {"is_msg_unfurl": True, "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "canary"}}]},
    {"message_blocks": [{"message": {"blocks": []}}], "fields": [{"title": "canary", "value": "canary"}]},
    {"channel_id": "C1", "from_url": "https://t.slack.com/archives/C2/p1681413400000001", "text": "canary"},
    {"original_url": "https://t.slack.com/archives/C2/p1681413400000001?thread_ts=1.2&cid=C2", "text": "canary"},
]


@pytest.mark.parametrize("attachment", FOREIGN)
def test_what_another_channel_said_is_withheld(attachment: dict[str, Any]) -> None:
    assert "canary" not in mapped(attachments=[attachment]).model_dump_json()


def test_a_withheld_message_leaves_where_it_is() -> None:
    by_id, by_address = mapped(attachments=[FOREIGN[0], FOREIGN[3]]).references
    assert (by_id.channel, by_id.ts) == (by_address.channel, by_address.ts) == ("C2", LATER)


def test_the_root_of_a_broadcast_is_a_reference_in_its_own_channel() -> None:
    here = mapped(subtype="thread_broadcast", thread_ts="1.000001", root={"ts": "1.000001", "text": "canary"})
    moved = mapped(subtype="thread_broadcast", thread_ts="1.000001", root={"channel": "C2", "text": "canary"})
    assert [(ref.channel, ref.ts) for ref in here.references] == [("C1", "1.000001")]
    assert [ref.channel for ref in moved.references] == ["C2"]
    assert "canary" not in here.model_dump_json() + moved.model_dump_json()


def test_attachments_of_this_channel_stand_in_for_an_empty_text() -> None:
    attachment = {"channel_id": "C1", "is_share": True, "text": "said *here*", "fields": [{"title": "a", "value": "b"}]}
    assert mapped(text="", attachments=[attachment]).text == "said here\na: b"
    assert mapped(text=None, attachments=[{"fallback": "only &amp; this"}]).text == "only & this"
    assert mapped(text="text", attachments=[attachment]).text == "text"


def test_blocks_stand_in_for_a_missing_text() -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "*Which* one, <@U1>?"}, "fields": [{"text": "a"}]}
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": "*Ask*"}}, section, {"type": "divider"}]
    record = mapped(blocks=blocks)
    assert record.text == "*Ask*\nWhich one, @Ada?\na"
    assert record.mentions.users == ["U1"]


def test_rich_text_stands_in_for_a_missing_text_with_its_structure() -> None:
    def section(*elements: dict[str, Any], kind: str = "rich_text_section") -> dict[str, Any]:
        return {"type": kind, "elements": list(elements)}

    def words(text: str) -> dict[str, Any]:
        return {"type": "text", "text": text, "style": {"bold": True}}

    inline = section(
        words("Hi "),
        {"type": "user", "user_id": "U1"},
        words(" in "),
        {"type": "channel", "channel_id": "C1"},
        words(", "),
        {"type": "link", "url": "https://a.b", "text": "see"},
        {"type": "emoji", "name": "+1", "unicode": "1f44d"},
        {"type": "emoji", "name": "own"},
        {"type": "broadcast", "range": "here"},
        {"type": "usergroup", "usergroup_id": "S1"},
        {"type": "date", "timestamp": 1, "fallback": "today"},
        {"type": "color", "value": "#fff"},
        {"type": "unheard_of", "text": "kept"},
    )
    listed = {"type": "rich_text_list", "style": "ordered", "indent": 1, "offset": 2, "elements": [section(words("x"))]}
    quote = section(words("q1\nq2"), kind="rich_text_quote")
    code = section(words("a &amp; *b*"), kind="rich_text_preformatted")
    record = mapped(text="", blocks=[{"type": "rich_text", "elements": [inline, listed, quote, code]}])
    assert record.text.split("\n") == [
        "Hi @Ada in #general, see👍:own:@here@S1today#fffkept",
        "  3. x",
        "> q1",
        "> q2",
        "a &amp; *b*",
    ]
    assert (record.links, record.mentions.groups, record.mentions.broadcasts) == (["https://a.b"], ["S1"], ["here"])


def test_files_keep_their_metadata_and_one_that_lives_elsewhere_only_its_id_and_type() -> None:
    here, elsewhere, old = (
        {"id": "F1", "name": "a.png", "filetype": "png", "channels": ["C2", "C1"], "size": 3},
        {"id": "F2", "name": "canary", "title": "canary", "filetype": "png", "channels": ["C2"]},
        {"id": "F3", "name": "old.txt"},
    )
    record = mapped(files=[here, elsewhere, None])
    assert [(file.id, file.name, file.size) for file in record.files] == [("F1", "a.png", 3), ("F2", None, None)]
    assert [file.name for file in mapped(file=old).files] == ["old.txt"]


WRONG: list[Any] = [
    None,
    7,
    -(10**300),
    float("nan"),
    float("inf"),
    True,
    "\ud800\0",
    [],
    [[None]],
    {},
    {"a": {"b": 1}},
]
OPTIONAL = [
    *("type", "subtype", "user", "bot_id", "app_id", "username", "bot_profile", "user_profile", "text", "thread_ts"),
    *("edited", "hidden", "reply_count", "latest_reply", "reactions", "files", "file", "blocks", "attachments"),
    *("comment", "root", "message", "previous_message"),
]


@pytest.mark.parametrize("field", OPTIONAL)
def test_a_wrong_type_in_an_optional_field_costs_that_field_only(field: str) -> None:
    for wrong in WRONG:
        record = mapping_of({"type": "message", "ts": TS, "user": "U1", "text": "kept", field: wrong})
        if record is None:
            assert (field, wrong) == ("hidden", True)
            continue
        record.model_dump_json()
        assert record.text == "kept" or field == "text"


def test_one_bad_reaction_costs_that_reaction_only() -> None:
    reactions = [{"name": "a", "count": 2, "users": ["U1", 3]}, {"count": 1}, "x", {"name": "b", "users": ["U1"]}]
    record = mapped(reactions=reactions)
    assert [(r.name, r.count, r.users) for r in record.reactions] == [("a", 2, ["U1"]), ("b", 1, ["U1"])]


@pytest.mark.parametrize("count", [10**300, -(10**300), 2.0, True, "3"])
def test_a_count_is_a_whole_number_that_every_reader_can_hold(count: Any) -> None:
    assert mapped(reply_count=count).reply_count is None


def test_a_name_of_the_directory_is_cleaned_like_any_text() -> None:
    names = Names(users={"U1": "A\ud800d\0a"}, channels={"C1": "\x1bgen"})
    raw = {"ts": TS, "user": "U1", "text": "<@U1> in <#C1>"}
    record = map_message(raw, team="T1", channel="C1", epoch=1, names=names)
    assert record is not None
    assert (record.text, record.author_name) == ("@A�da in #gen", "A�da")


def test_an_old_private_group_is_private_and_the_version_is_its_updated_as_it_is() -> None:
    group = map_channel({"id": "G1", "is_group": True, "updated": 1569952911815}, team="T1", epoch=EPOCH)
    assert (group.is_private, group.version) == (True, f"{EPOCH:016d}{1569952911815:016d}")
    assert map_channel({"id": "G1", "updated": 1.5}, team="T1", epoch=EPOCH).version.endswith("0" * 16)
    assert map_user({"id": "U1", "updated": True}, team="T1", epoch=EPOCH).version.endswith("0" * 16)
    assert len(map_user({"id": "U1", "updated": 10**40}, team="T1", epoch=EPOCH).version) == 32


def test_names_wanted_asks_only_for_what_looks_like_an_id() -> None:
    hostile = [{"user": "U\ud800"}, {"user": "U1:x"}, {"user": "U" * 99}, {"user": ""}, {"user": ["U1"]}]
    blocks = [{"user_id": "a b", "channel_id": {"x": 1}, "text": "<@nobody here>"}]
    assert names_wanted([*hostile, {"blocks": blocks}, {"message": {"user": "*"}}]) == set()


def test_names_wanted_looks_wherever_a_text_may_come_from() -> None:
    blocks = [{"elements": [{"elements": [{"type": "user", "user_id": "U3"}]}]}]
    raws = [
        {"user": "U1", "text": "<@U2|x> in <#C1>", "blocks": blocks},
        {"message": {"text": "<@U4>"}},
        {"attachments": [{"text": "<@U5>"}], "text": None},
        None,
    ]
    assert names_wanted(raws) == {"U1", "U2", "U3", "C1", "U4", "U5"}


def test_a_label_of_who_was_erased_stands_in_no_text_and_every_other_stays_as_slack_has_it() -> None:
    source = "ask <@U9|Rob Root>, <@U1|ada>, `<@U9|Rob Root>` *now* <@U9> <#C9|U9> <@U9|"
    kept = "ask <@U9>, <@U1|ada>, `<@U9>` *now* <@U9> <#C9|U9> <@U9|"
    names = Names(users={"U1": "Ada", "U9": "U9"})
    block = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [_mention("U9")]}]}
    raw = {"ts": TS, "text": source, "blocks": [block], "attachments": [{"text": "<@U\x009|Rob Root>"}]}
    record = map_message(raw, team="T1", channel="C1", epoch=EPOCH, names=names)
    assert record is not None
    assert record.source_text == kept
    assert "Rob Root" not in record.model_dump_json()
    assert mapped(text=source).source_text == source, "nobody was erased"
    described = {"value": "lead: <@U\x009|Rob Root>"}
    channel = map_channel({"id": "C1", "topic": described, "purpose": described}, team="T1", epoch=EPOCH, names=names)
    assert (channel.topic, channel.purpose) == ("lead: <@U9>", "lead: <@U9>")


def _mention(user: str) -> dict[str, str]:
    return {"type": "user", "user_id": user}

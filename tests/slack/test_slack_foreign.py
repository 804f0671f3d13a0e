"""What another channel said goes no further than the mapping: canary text, wherever Slack or a stranger may put it."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models import Message
from pipeline.slack.census import Census
from pipeline.slack.mapping import Names, map_message

CANARY, HERE, THERE = "kanarienvogel", "1681413317.397479", "1681413400.000001"
LINK = "https://t.slack.com/archives/C2/p1681413400000001"
UNHURRIED = settings(deadline=None)  # the machine is shared
SAID = [{"type": "section", "text": {"type": "plain_text", "text": CANARY}}]
SECTION = {"type": "rich_text_section", "elements": [{"type": "text", "text": CANARY}]}
RICH: list[dict[str, Any]] = [{"type": "rich_text", "elements": [SECTION]}]


def mapped(**raw: Any) -> tuple[Message, Census]:
    census = Census()
    record = map_message({"ts": HERE, **raw}, team="T1", channel="C1", epoch=1, names=Names(), census=census)
    assert record is not None
    return record, census


WITHHELD = [
    ({"channel_id": "C2", "ts": THERE, "text": CANARY}, [("C2", THERE)]),
    ({"channel_id": "C2", "ts": 1681413400.000001, "text": CANARY, "fallback": CANARY}, [("C2", None)]),
    ({"channel": "C2", "title": CANARY, "ts": THERE}, [("C2", THERE)]),
    ({"channel": {"id": "C2"}, "title": CANARY}, [("C2", None)]),
    ({"from_url": LINK, "title": CANARY}, [("C2", THERE)]),
    ({"original_url": f"{LINK}?thread_ts=1.2&cid=C2", "text": CANARY}, [("C2", THERE)]),
    ({"from_url": "https://t.enterprise.slack.com/archives/C2", "text": CANARY}, [("C2", None)]),
    ({"channel_id": "C1", "from_url": LINK, "text": CANARY}, [("C2", THERE)]),
    ({"channel_id": "C2", "from_url": LINK, "text": CANARY}, [("C2", THERE)]),
    ({"from_url": "https://app.slack.com/client/T1/C2/thread/C2-1.2", "text": CANARY}, [("C2", None)]),
    ({"title_link": LINK, "title": CANARY}, [("C2", THERE)]),
    ({"author_link": LINK, "text": CANARY, "channel_id": "C1"}, [("C2", THERE)]),
    ({"is_thread_root_unfurl": True, "text": CANARY}, []),
    ({"is_share": True, "pretext": CANARY}, []),
    ({"is_msg_unfurl": True, "blocks": SAID}, []),
    ({"is_msg_unfurl": "true", "text": CANARY}, []),
    ({"message_blocks": [{"message": {"blocks": RICH}}], "fields": [{"title": CANARY, "value": CANARY}]}, []),
    (
        {"channel_id": "C1", "text": CANARY, "message_blocks": [{"channel": "C2", "ts": THERE, "message": {}}]},
        [("C2", THERE)],
    ),
    ({"text": CANARY, "blocks": [{"type": "section", "text": {"channel_id": "C2"}}]}, [("C2", None)]),
    ({"text": CANARY, "files": [{"channel": "C2", "ts": THERE}]}, [("C2", THERE)]),
    ({"type": "channel", "channel_id": "C2", "text": CANARY}, [("C2", None)]),
    ({"channel_id": 3, "text": CANARY}, []),
    ({"channel_id": "", "text": CANARY}, []),
    ({"channel": [], "text": CANARY}, []),
]


@pytest.mark.parametrize(("attachment", "references"), WITHHELD)
@pytest.mark.parametrize("text", ["", "own words"])
def test_a_foreign_attachment_leaves_a_reference_and_a_count(
    attachment: dict[str, Any], references: list[tuple[str, str | None]], text: str
) -> None:
    record, census = mapped(text=text, attachments=[attachment])
    assert CANARY not in record.model_dump_json()
    assert record.text == text
    assert [(one.channel, one.ts) for one in record.references] == references
    assert {key: count for key, count in census.counts.items() if key[0] == "withheld"} == {
        ("withheld", "attachment"): 1
    }
    assert record.withheld == 1


@pytest.mark.parametrize(
    "attachment",
    [
        {"text": "own"},
        {"channel_id": "C1", "is_share": True, "text": "own"},
        {"channel": {"id": "C1"}, "is_msg_unfurl": True, "text": "own"},
        {"from_url": LINK.replace("C2", "C1"), "is_msg_unfurl": True, "text": "own"},
        {"from_url": "https://lists.example/archives/C2", "text": "own"},
        {"fallback": "own", "message_blocks": []},
        {"text": "own", "title_link": "https://t.slack.com/archives/C2"},
        {"text": "own", "from_url": "https://app.slack.com/client/T1/C1", "is_share": True},
    ],
)
def test_an_attachment_of_this_channel_or_of_none_is_read(attachment: dict[str, Any]) -> None:
    record, census = mapped(text="", attachments=[attachment])
    assert (record.text, record.references, dict(census.counts)) == ("own", [], {})


def test_of_a_link_to_another_channels_message_the_address_is_all() -> None:
    link = {"type": "link", "url": LINK, "text": CANARY}
    blocks = [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [link]}]}]
    source = {"type": "url", "url": LINK, "text": CANARY}
    for raw in (
        {"text": f"<{LINK}|{CANARY}>"},
        {"text": f"<{CANARY}|{LINK}>"},
        {"blocks": blocks},
        {"blocks": [{"type": "task_card", "sources": [source]}]},
    ):
        record, _ = mapped(**raw)
        assert (record.text, record.links) == (LINK, [LINK])
        assert CANARY not in record.model_dump_json()


def test_only_labels_of_other_channels_messages_leave_the_source_text() -> None:
    own, elsewhere = LINK.replace("C2", "C1"), "https://a.example/archives/x"
    kept = f"<@U1|Ada> <{own}|above> <{elsewhere}|list> a &lt;{LINK}|b&gt;"
    assert mapped(text=f"{kept} <{LINK}|{CANARY}>")[0].source_text == f"{kept} <{LINK}>"


def test_a_date_that_links_to_another_channels_message_is_its_address() -> None:
    date = {"type": "date", "timestamp": 1, "url": LINK, "fallback": CANARY}
    blocks = [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [date]}]}]
    for raw in ({"text": f"<!date^1^{{date}}^{LINK}|{CANARY}>"}, {"blocks": blocks}):
        assert mapped(**raw)[0].text == LINK
        assert CANARY not in mapped(**raw)[0].model_dump_json()


def test_a_mention_of_a_channel_in_an_attachments_blocks_is_no_foreign_content() -> None:
    elements = [{"type": "text", "text": "see "}, {"type": "channel", "channel_id": "C2", "style": {"bold": True}}]
    rich = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}
    record, _ = mapped(text="", attachments=[{"blocks": [rich]}])
    assert (record.text, record.references) == ("see #C2", [])


@pytest.mark.parametrize(
    "block",
    [
        {"type": "section", "channel_id": "C2", "text": {"type": "mrkdwn", "text": CANARY}},
        {"type": "section", "text": {"type": "mrkdwn", "text": CANARY}, "accessory": {"channel": "C2"}},
        {"type": "unheard_of", "text": CANARY, "message": {"channel": {"id": "C2"}}},
        {"type": "channel", "channel_id": "C2", "text": CANARY},
        {"type": "rich_text", "channel": "C2", "elements": RICH[0]["elements"]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "channel_id": "C2", "elements": [
            {"type": "text", "text": CANARY}]}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "text", "text": CANARY, "channel_id": "C2"}]}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "unheard_of", "text": CANARY, "channel_id": "C2"}]}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "channel", "text": CANARY, "channel_id": "c 2"}]}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "unheard_of", "text": CANARY, "of": [{"message": {"channel": "C2"}}]}]}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "of": {"channel": "C2"}, "elements": [
            {"type": "text", "text": CANARY}]}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_list", "elements": [
            {"type": "rich_text_list", "channel": "C2", "elements": RICH[0]["elements"]}]}]},
    ],
)  # fmt: skip
def test_a_block_that_names_another_channel_is_withheld(block: dict[str, Any]) -> None:
    record, census = mapped(text="", blocks=[block])
    assert CANARY not in record.model_dump_json()
    assert record.withheld == census.counts[("withheld", "block")]


def test_what_lies_too_deep_to_be_looked_at_is_withheld() -> None:
    deep: Any = {"channel_id": "C2"}
    for _ in range(100):
        deep = {"elements": [deep]}
    block = {"type": "section", "text": {"type": "mrkdwn", "text": CANARY}, "accessory": deep}
    record, census = mapped(attachments=[{"text": CANARY, "actions": deep}], blocks=[block])
    assert CANARY not in record.model_dump_json()
    assert dict(census.counts) == {("withheld", "attachment"): 1, ("withheld", "block"): 1}


@pytest.mark.parametrize(
    ("root", "reference"),
    [
        ({"ts": "1.000001", "text": CANARY}, ("C1", "1.000002")),
        ({"channel": "C2", "text": CANARY}, ("C2", "1.000002")),
        ({"channel_id": "C3", "blocks": RICH}, ("C3", "1.000002")),
        ({}, ("C1", "1.000002")),
    ],
)
def test_a_root_is_a_reference(root: dict[str, Any], reference: tuple[str, str]) -> None:
    record, census = mapped(subtype="thread_broadcast", thread_ts="1.000002", root=root)
    assert [(one.channel, one.ts) for one in record.references] == [reference]
    assert CANARY not in record.model_dump_json()
    assert census.counts[("withheld", "root")] == 1


@pytest.mark.parametrize(
    "where",
    [
        {"channels": ["C2"]},
        {"groups": ["G2"], "ims": []},
        {"channels": "C2"},
        {"channels": [["C1"]]},
        {"shares": {"private": {"C2": [{"ts": THERE}]}}},
        {"shares": {"public": "C2"}},
        {"shares": 7},
        {"channel_id": "C2"},
        {"channels": ["C1"], "channel": {"id": "C2"}},
    ],
)
def test_a_file_that_lives_elsewhere_keeps_its_id_and_type(where: dict[str, Any]) -> None:
    content = {"name": CANARY, "title": CANARY, "preview": CANARY, "size": 9, "initial_comment": {"comment": CANARY}}
    record, census = mapped(text="", files=[{"id": "F1", "mimetype": "text/plain", **content, **where}])
    assert record.files[0].model_dump(exclude_none=True) == {"id": "F1", "mimetype": "text/plain"}
    assert CANARY not in record.model_dump_json()
    assert dict(census.counts) == {("withheld", "file"): 1}
    assert record.withheld == 1


@pytest.mark.parametrize("where", [{"channels": ["C2"]}, {"channel_id": "C2"}])
def test_a_comment_goes_the_way_of_its_file(where: dict[str, Any]) -> None:
    record, _ = mapped(subtype="file_comment", comment={"comment": CANARY}, file={"id": "F1", **where})
    assert CANARY not in record.model_dump_json()


def test_a_comment_that_names_another_channel_is_not_read() -> None:
    assert mapped(subtype="file_comment", comment={"comment": CANARY, "channel": "C2"})[0].text == ""


@pytest.mark.parametrize(
    "where", [{}, {"channels": ["C2", "C1"]}, {"channels": [], "shares": {"public": {"C1": []}, "private": {"G2": []}}}]
)
def test_a_file_of_this_channel_keeps_its_name_and_its_comment_is_text(where: dict[str, Any]) -> None:
    record, _ = mapped(file={"id": "F1", "name": "a.txt", "initial_comment": {"comment": "see *this*"}, **where})
    assert (record.text, record.files[0].name) == ("see this", "a.txt")


def test_what_a_file_holds_is_never_read() -> None:
    file = {"id": "F1", "preview": CANARY, "plain_text": CANARY, "simplified_html": CANARY, "url_private": CANARY}
    assert CANARY not in mapped(files=[file], text="")[0].model_dump_json()


KEYS = [
    *("text", "fallback", "pretext", "title", "fields", "value", "blocks", "elements", "message_blocks", "message"),
    *("author_name", "footer", "files", "name", "attachments", "ts", "thread_ts", "reactions", "user", "type", "rows"),
    *("title_link", "url", "alt_text", "label", "comment", "initial_comment", "fallback", "unicode", "users"),
]
KINDS = ["rich_text", "rich_text_section", "text", "link", "section", "mrkdwn", "plain_text", "table", "channel"]
leaves = st.just(CANARY) | st.just(f"<@U1|{CANARY}> *{CANARY}*") | st.sampled_from(KINDS)
canaries = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
)
objects = st.dictionaries(st.sampled_from(KEYS), canaries)
foreign = st.sampled_from(["C2", 3, "", ["C1"], {"id": "C2"}])
marks = st.sampled_from([{"channel_id": "C2"}, {"channel": {"id": "C2"}}, {"is_share": True}, {"channel_id": 3}])


@UNHURRIED
@given(objects, objects, marks, st.sampled_from(["", "own words"]))
def test_what_another_channel_said_never_appears(
    share: dict[str, Any], root: dict[str, Any], mark: dict[str, Any], text: str
) -> None:
    record, _ = mapped(text=text, attachments=[{**share, **mark}], root=root)
    assert record.text == text
    assert CANARY not in record.model_dump_json()


def holders(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from holders(inner)


@UNHURRIED
@given(objects, st.data(), foreign, st.sampled_from(["channel_id", "channel"]))
def test_an_id_of_another_channel_anywhere_inside_an_attachment_withholds_it(
    share: dict[str, Any], data: st.DataObject, named: Any, key: str
) -> None:
    marked = copy.deepcopy(share)
    holder = data.draw(st.sampled_from(list(holders(marked))))
    holder[key] = named
    mention = holder is not marked and holder.get("type") == "channel" and set(holder) <= {"type", key, "style"}
    record, _ = mapped(text="", attachments=[marked])
    assert mention or CANARY not in record.model_dump_json()


@UNHURRIED
@given(objects, st.sampled_from(["section", "unheard_of", "rich_text", "table"]), foreign)
def test_a_block_that_says_whose_it_is_never_appears(block: dict[str, Any], kind: str, named: Any) -> None:
    record, _ = mapped(text="", blocks=[{**block, "type": kind, "channel_id": named}])
    assert (record.text, CANARY in record.model_dump_json()) == ("", False)

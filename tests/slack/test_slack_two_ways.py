"""A message that a person wrote says the same in `text` and in its rich_text blocks: both ways give the same words."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models import Message
from pipeline.slack.mapping import Names, map_message
from tests.slack.as_slack_writes import GLYPHS, mrkdwn

SHARED = Path(__file__).parents[3] / "shared/slack"
UNHURRIED = settings(deadline=None)  # the machine is shared
NAMES = Names(users={"U1": "Ada Quay"}, channels={"C1": "general"})
EMOJI = {":sluice-wave:": "\N{WAVING HAND SIGN}"}
_MARKS = str.maketrans(dict.fromkeys("*_~`>|\ufe0e" + GLYPHS))
_ITEM = re.compile(r"^[^\S\n]*(?:[0-9]+|[a-z]+)\.[^\S\n]", re.MULTILINE)


def words(text: str) -> list[str]:
    """The words without marks: styles, quotes, bullets, and the numbers of items, which Slack writes as 1, a, i."""
    for name, character in EMOJI.items():
        text = text.replace(name, character)
    return _ITEM.sub("", text.translate(_MARKS)).split()


def both(text: str, blocks: Any) -> tuple[Message, Message]:
    """The record by its blocks and the record by its text alone."""
    records = [
        map_message({"ts": "1.000001", "text": text, **more}, team="T1", channel="C1", epoch=1, names=NAMES)
        for more in ({"blocks": blocks}, {})
    ]
    assert records[0] is not None
    assert records[1] is not None
    return records[0], records[1]


def rich_messages(value: Any) -> Iterator[tuple[str, Any]]:
    """Text and blocks of every message with both, wrapped and nested ones too."""
    if isinstance(value, dict):
        blocks = value.get("blocks")
        if value.get("text") and isinstance(blocks, list) and any(block["type"] == "rich_text" for block in blocks):
            yield value["text"], blocks
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from rich_messages(inner)


def shared() -> list[Any]:
    if not SHARED.exists():
        pytest.skip("the real Slack data is not beside this checkout (../shared/slack)")
    lines = [(SHARED / name).read_text("utf-8") for name in ("messages.jsonl", "text_blocks_pairs.jsonl")]
    days = [json.loads(path.read_text("utf-8")) for path in sorted((SHARED / "export").glob("*/*.json"))]
    return [json.loads(line) for text in lines for line in text.splitlines()] + days


def test_every_real_message_reads_the_same_both_ways() -> None:
    pairs = list(rich_messages(shared()))
    altered = [pair for pair in pairs if pair[0] == "edited message"]
    read = [both(text, blocks) for text, blocks in pairs if text != "edited message"]
    assert len(read) >= 50
    assert {words(both(*pair)[0].text) == ["hi!"] for pair in altered} == {True}, "altered by hand: blocks say hi!"
    for by_blocks, by_text in read:
        assert words(by_blocks.text) == words(by_text.text)
        assert (by_blocks.mentions, by_blocks.links) == (by_text.mentions, by_text.links)


spoken = st.text(
    st.sampled_from("ab Z9é日😀.,:;!?'\"()[]{}/#@%^+=-*_~`<>&|\\\n\t\u00a0\u200b"), min_size=1, max_size=10
)
MESSAGE = "https://t.slack.com/archives/C2/p1681413400000001"
address = st.sampled_from(["https://a.b/c_d?x=1&y=*2*", "mailto:ada@quay.nl", "tel:+31", "https://a.b", MESSAGE])
styles = st.fixed_dictionaries({}, optional=dict.fromkeys(("bold", "italic", "strike", "code"), st.just(True)))


def element(kind: str, required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), **required}, optional={"style": styles, **optional})


elements = st.lists(
    element("text", {"text": spoken})
    | element("link", {"url": address}, text=spoken)
    | element("user", {"user_id": st.sampled_from(["U1", "W9"])})
    | element("channel", {"channel_id": st.sampled_from(["C1", "C9"])})
    | element("usergroup", {"usergroup_id": st.sampled_from(["S1", "S2"])})
    | element("broadcast", {"range": st.sampled_from(["here", "channel", "everyone"])})
    | element("emoji", {"name": st.just("sluice-wave"), "unicode": st.just("1f44b")})
    | element("emoji", {"name": st.sampled_from(["+1", "own"])}, skin_tone=st.integers(2, 6))
    | element("color", {"value": st.just("#a0b1c2")})
    | element(
        "date",
        {"timestamp": st.integers(1, 2 * 10**9), "format": st.just("{date_num}")},
        url=address,
        fallback=spoken,
    ),
    min_size=1,
    max_size=4,
)
texts = st.lists(element("text", {"text": spoken}), min_size=1, max_size=2)
section = st.fixed_dictionaries({"type": st.just("rich_text_section"), "elements": elements})
parts = (
    section
    | st.fixed_dictionaries({"type": st.just("rich_text_quote"), "elements": elements})
    | st.fixed_dictionaries({"type": st.just("rich_text_preformatted"), "elements": texts})
    | st.fixed_dictionaries(
        {
            "type": st.just("rich_text_list"),
            "style": st.sampled_from(["bullet", "ordered"]),
            "indent": st.integers(0, 2),
            "elements": st.lists(section, min_size=1, max_size=3),
        },
        optional={"offset": st.integers(0, 5), "border": st.sampled_from([0, 1])},
    )
)
rich_texts = st.fixed_dictionaries({"type": st.just("rich_text"), "elements": st.lists(parts, min_size=1, max_size=4)})


@settings(UNHURRIED, max_examples=300)
@given(rich_texts)
def test_what_slack_writes_of_any_rich_text_reads_the_same_both_ways(block: dict[str, Any]) -> None:
    by_blocks, by_text = both(mrkdwn(block), [block])
    assert words(by_blocks.text) == words(by_text.text)
    assert (by_blocks.mentions, by_blocks.links) == (by_text.mentions, by_text.links)


def test_the_comparison_sees_a_missing_word() -> None:
    assert words("1. *one*\n• two") == ["one", "two"] != words("> one")

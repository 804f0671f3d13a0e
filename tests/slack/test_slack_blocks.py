"""Blocks and what stands beside them: which of them is the text, and what odd shapes cost."""

from typing import Any

import pytest

from pipeline.models import Message
from pipeline.slack.census import Census
from pipeline.slack.mapping import Names, map_message

NAMES = Names(users={"U1": "Ada"}, channels={"C1": "general"})
Json = dict[str, Any]


def mapped(**raw: Any) -> Message:
    record = map_message({"ts": "1.000001", **raw}, team="T1", channel="C1", epoch=1, names=NAMES, census=Census())
    assert record is not None
    record.model_dump_json()
    return record


def words(text: str, **style: bool) -> Json:
    return {"type": "text", "text": text, "style": style}


def rich(*parts: Json) -> list[Json]:
    return [{"type": "rich_text", "elements": list(parts)}]


def section(*elements: Json, kind: str = "rich_text_section", **more: Any) -> Json:
    return {"type": kind, "elements": list(elements), **more}


def text_of(*elements: Json) -> str:
    return mapped(blocks=rich(section(*elements))).text


def mrkdwn(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_rich_text_wins_over_a_text_that_differs() -> None:
    record = mapped(text="edited message", blocks=rich(section(words("hi!"))))
    assert (record.text, record.source_text) == ("hi!", "edited message")


def test_a_text_wins_over_blocks_that_say_no_more_than_it_does() -> None:
    assert mapped(text="*Which one?* Pick: a or b", blocks=[mrkdwn("_Which_ one?"), mrkdwn("Pick:")]).text == (
        "Which one? Pick: a or b"
    )


def test_blocks_win_over_a_text_that_leaves_a_word_of_theirs_out() -> None:
    record = mapped(text="Build failed", blocks=[mrkdwn("*Build* failed"), mrkdwn("on <https://ci.example|main>")])
    assert (record.text, record.source_text, record.links) == (
        "Build failed\non main",
        "Build failed",
        ["https://ci.example"],
    )


def test_what_cannot_be_read_in_rich_text_leaves_the_text_to_say_it() -> None:
    unheard = {"type": "salesforce_record", "record_id": "r1"}
    assert (
        mapped(text="see Deal 7 now", blocks=rich(section(words("see "), unheard, words(" now")))).text
        == "see Deal 7 now"
    )
    assert mapped(text="summary", blocks=rich(section(words("all the words "), unheard))).text == "all the words "
    assert mapped(text="", blocks=rich(section(words("all that is "), unheard))).text == "all that is "


def test_only_controls_beside_a_text_leave_the_text() -> None:
    button = {"type": "button", "text": {"type": "plain_text", "text": "Go"}, "url": "https://a.example"}
    menu = {"type": "static_select", "placeholder": {"type": "plain_text", "text": "Pick"}}
    record = mapped(text="Approve?", blocks=[{"type": "actions", "elements": [button, menu]}])
    assert (record.text, record.links) == ("Approve?", ["https://a.example"])


def test_attachments_stand_in_where_blocks_hold_no_text() -> None:
    assert mapped(text=" ", blocks=[{"type": "divider"}], attachments=[{"text": "said *so*"}]).text == "said so"


@pytest.mark.parametrize("blank", ["", " ", "\n\u00a0\n", "\0"])
def test_blanks_are_no_text_wherever_they_stand(blank: str) -> None:
    blocks, attachment = rich(section(words(blank))), {"text": "said"}
    assert mapped(text=blank, blocks=blocks, attachments=[attachment]).text == "said"
    assert mapped(text="words", blocks=blocks).text == "words"


def test_only_emoji_are_a_text() -> None:
    wave = {"type": "emoji", "name": "wave", "skin_tone": 3, "unicode": "1f44b-1f3fc"}
    assert (
        text_of(wave, {"type": "emoji", "name": "own"})
        == "\N{WAVING HAND SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-3}:own:"
    )
    assert text_of({"type": "emoji", "name": "wave", "skin_tone": 3}) == ":wave::skin-tone-3:"


@pytest.mark.parametrize("unicode", ["", "zz", "-", "110000", "1f44b-", 7, None, ["1f44b"], "d800-", "0"])
def test_an_emoji_without_right_code_points_keeps_its_name(unicode: Any) -> None:
    assert text_of({"type": "emoji", "name": "wave", "unicode": unicode}) == ":wave:"


def test_sections_bring_their_own_line_ends_or_not() -> None:
    listed = section(section(words("a")), kind="rich_text_list", style="bullet")
    code = section(words("x\ny"), kind="rich_text_preformatted")
    for between in ("so:", "so:\n"):
        assert mapped(blocks=rich(section(words(between)), listed, code, section(words("end\n")))).text == (
            "so:\n• a\nx\ny\nend"
        )


def test_lists_nest_by_indent_or_by_nesting_and_stand_in_quotes() -> None:
    inner = section(section(words("b")), kind="rich_text_list", style="ordered", offset=4)
    outer = section(section(words("a")), inner, section(words("c")), kind="rich_text_list", style="ordered")
    assert mapped(blocks=rich(outer)).text == "1. a\n  5. b\n2. c"
    quoted = section(section(words("a")), kind="rich_text_list", style="bullet", indent=1, border=1)
    assert mapped(blocks=rich(quoted)).text == ">   • a"


@pytest.mark.parametrize("number", [None, -1, 2.5, "3", True, 10**30])
def test_an_absurd_indent_or_offset_counts_as_none(number: Any) -> None:
    listed = section(section(words("a")), kind="rich_text_list", style="ordered", indent=number, offset=number)
    assert mapped(blocks=rich(listed)).text == "1. a"


def test_inline_elements_read_as_their_mrkdwn_does() -> None:
    assert (
        text_of(
            *({"type": "user", "user_id": "U1"}, words(" "), {"type": "user", "user_id": "W9"}, words(" ")),
            *({"type": "channel", "channel_id": "C1"}, words(" "), {"type": "usergroup", "usergroup_id": "S1"}),
            *(words(" "), {"type": "broadcast", "range": "here"}, words(" "), {"type": "team", "team_id": "T2"}),
            *(
                words(" "),
                {"type": "link", "url": "mailto:a@b.example"},
                words(" "),
                {"type": "color", "value": "#fff"},
            ),
            *(words(" "), {"type": "date", "timestamp": 1720710212, "fallback": "noon", "url": "https://a.example"}),
        )
        == "@Ada @W9 #general @S1 @here @T2 a@b.example #fff noon"
    )


@pytest.mark.parametrize(
    "kind", ["user", "channel", "usergroup", "broadcast", "link", "date", "color", "emoji", "team", "x"]
)
def test_an_element_without_its_value_says_nothing(kind: str) -> None:
    assert text_of(words("a"), {"type": kind}, words("b")) == "ab"


def test_titles_that_a_program_wrote_are_links_beside_a_text_and_a_previews_is_not() -> None:
    bots = {"title": "Run 7", "title_link": "https://ci.example/7"}
    preview = {"title": "Page", "title_link": "https://page.example", "from_url": "https://page.example"}
    record = mapped(text="done, see <https://page.example>", attachments=[bots, preview])
    assert record.links == ["https://page.example", "https://ci.example/7"]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "image", "title": {"type": "plain_text", "text": "A &amp; B"}, "alt_text": "x"}, "A & B"),
        ({"type": "image", "alt_text": "a cat"}, "a cat"),
        ({"type": "video", "title": {"type": "plain_text", "text": "Film"}, "title_url": "https://v.example"}, "Film"),
        ({"type": "input", "label": {"type": "plain_text", "text": "Why?"}, "element": {"type": "x"}}, "Why?"),
        ({"type": "call", "call": {"v1": {"name": "Daily", "join_url": "https://c.example"}}}, "Daily"),
        ({"type": "container", "title": "Box", "child_blocks": [mrkdwn("*in* it")]}, "Box\nin it"),
        ({"type": "carousel", "elements": [{"type": "card", "title": {"type": "mrkdwn", "text": "*c*"}}]}, "c"),
        ({"type": "task_card", "title": "t", "output": rich(section(words("o")))[0]}, "t\no"),
        ({"type": "data_table", "caption": "n", "rows": [[{"type": "raw_number", "value": 1.5}]]}, "n\n1.5"),
        (
            {"type": "markdown", "text": "> *a* \\*b\\* ![pic](https://p.example)\n```py\nx = **y**\n```"},
            "> a *b* pic\nx = **y**",
        ),
        ({"type": "markdown", "text": "[**bold** a_b](https://a.example) ~~no~~ *a _b_*"}, "bold a_b no a b"),
        ({"type": "markdown", "text": "snake_case __init__.py 2 * 3 <@U1>"}, "snake_case init.py 2 * 3 @Ada"),
        ({"type": "section", "text": {"type": "plain_text", "text": "*a* &lt;b&gt; <@U1>"}}, "*a* <b> @Ada"),
        ({"type": "divider", "text": "never shown"}, ""),
        ({"type": "file", "external_id": "x", "source": "remote"}, ""),
        ({"text": {"type": "mrkdwn", "text": "no *type*"}}, "no type"),
        ({"type": ["section"], "text": "odd"}, "odd"),
    ],
)
def test_each_kind_of_block_is_read_as_it_is_shown(block: Json, text: str) -> None:
    assert mapped(text="", blocks=[block]).text == text


@pytest.mark.parametrize(("levels", "text"), [(4, "bottom"), (1000, "")])
def test_blocks_are_followed_deeper_than_slack_nests_and_no_further(levels: int, text: str) -> None:
    part, item, block = words("bottom"), section(words("bottom")), mrkdwn("bottom")
    for _ in range(levels):
        part = section(part)
        item = section(item, kind="rich_text_list")
        block = {"type": "container", "child_blocks": [block]}
    assert [mapped(text="", blocks=blocks).text for blocks in (rich(part), [block])] == [text, text]
    assert mapped(text="", blocks=rich(item)).text.strip(" •\n") == text
    assert mapped(text="beside", blocks=rich(part)).text == (text or "beside")


MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "raw",
    [
        {"text": "t", "blocks": rich(section(*[words("a")] * 50_000))},
        {"text": "t", "blocks": rich(*[section(words("\n" * 40), kind="rich_text_quote")] * 20_000)},
        {"text": "<@U|" * 200_000, "blocks": rich(section(words("x")))},
        {"text": "<!subteam^S|a>" * 70_000, "blocks": rich(section(words("x")))},
        {
            "blocks": [
                {"type": "markdown", "text": mark * (MEGABYTE // len(mark))} for mark in ("*", "[a](", "_a ", "`")
            ]
        },
        {
            "blocks": [
                {"type": "markdown", "text": mark * (MEGABYTE // len(mark))} for mark in ("```\n", "- ", "#", "\\[")
            ]
        },
        {"blocks": [{"type": f"new_{number}", "text": "a"} for number in range(20_000)]},
        {"attachments": [{"from_url": "https://a/archives/" * 50_000, "text": "<@U1>" * 200_000}]},
        {"attachments": [{"fields": [{"title": "a", "value": "b"}] * 30_000}]},
        {"files": [{"id": "F1", "channels": ["C2"] * 100_000}]},
    ],
)
def test_a_hostile_megabyte_maps_in_linear_time(raw: Json) -> None:
    """No clock: one that cost the square of its length would run into the suite's own limit many times over."""
    mapped(**raw)

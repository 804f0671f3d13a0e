"""mrkdwn to plain text: the rules, one by one, and no quadratic surprises (docs/slack-text.md has them too)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.slack.names import Names
from pipeline.slack.text import render

UNHURRIED = settings(deadline=None)  # the machine is shared
NAMES = Names(users={"U1": "Ada Quay", "U2": "*not bold* &amp; <@U1>"}, channels={"C1": "general"})

RULES = [
    ("no markup at all: a_b, 3 > 2", "no markup at all: a_b, 3 > 2"),
    ("Hi <@U1>!", "Hi @Ada Quay!"),
    ("Hi <@U1|someone>", "Hi @Ada Quay"),
    ("Hi <@U9|nine>", "Hi @nine"),
    ("Hi <@U9>", "Hi @U9"),
    ("Hi <@U2>", "Hi @*not bold* &amp; <@U1>"),
    ("in <#C1>", "in #general"),
    ("in <#C9|other>", "in #other"),
    ("in <#C9>", "in #C9"),
    ("in <#C9|>", "in #C9"),
    ("<!here> <!channel> <!everyone> <!here|@here>", "@here @channel @everyone @here"),
    ("<!subteam^S1|@ops> <!subteam^S2>", "@ops @S2"),
    ("<!date^1392734382^{date_num}^https://x.y|18 Feb>", "18 Feb"),
    ("<!date^1392734382^{date_num}>", "1392734382"),
    ("<!unknown|label> <!unknown>", "label @unknown"),
    ("<https://a.b/?x=1&amp;y=2>", "https://a.b/?x=1&y=2"),
    ("<https://a.b|here>", "here"),
    ("<mailto:ada@quay.nl|Ada> <mailto:ada@quay.nl> <tel:+31>", "Ada ada@quay.nl +31"),
    ("a <b> c <> < d >", "a <b> c <> < d >"),
    ("*bold* _it_ ~gone~ `code` *_~all~_*", "bold it gone code all"),
    ("*bold <@U1> and `x*y`*", "bold @Ada Quay and x*y"),
    ("snake_case_name 2*3*4 a ~ b ~", "snake_case_name 2*3*4 a ~ b ~"),
    ("*two\nlines*", "*two\nlines*"),
    ("`*kept* &lt; <https://a.b|a.b>`", "*kept* < a.b"),
    ("`<https://a.b|a`b>` <b>", "a`b <b>"),
    ("a:```\nb\n```.", "a:\nb\n."),
    ("```\nif a &lt; b:\n  _x_ = 1\n```", "if a < b:\n  _x_ = 1"),
    ("&amp;lt; &amp;amp; &lt;@U1&gt; &quot;", "&lt; &amp; <@U1> &quot;"),
    ("&gt; one\n&gt;two\nthree", "> one\n> two\nthree"),
    ("said:\n&gt;&gt;&gt; one\ntwo", "said:\n> one\n> two"),
    (":wave: :+1::skin-tone-2:", ":wave: :+1::skin-tone-2:"),
    ("nul\0, bell\a, csi\x9b, cr\r\nend, tab\t.", "nul, bell, csi, cr\nend, tab\t."),
    ("half \ud83d of a pair <@U1|\udc4b>", "half � of a pair @Ada Quay"),
    ("😀 日本語 \u00a0", "😀 日本語 \u00a0"),
]


@pytest.mark.parametrize(("source", "text"), RULES)
def test_mrkdwn_reads_as_a_person_reads_it(source: str, text: str) -> None:
    assert render(source, NAMES).text == text


def test_mentions_and_links_are_collected_once_and_in_order() -> None:
    source = "<@U2> <@U1> <@U2> <#C9> <!subteam^S1> <!here> <https://a.b|x> `<http://c.d>` <https://a.b> <mailto:e@f>"
    found = render(source, NAMES)
    assert (found.mentions.users, found.mentions.channels) == (["U2", "U1"], ["C9"])
    assert (found.mentions.groups, found.mentions.broadcasts) == (["S1"], ["here"])
    assert found.links == ["https://a.b", "http://c.d", "mailto:e@f"]


@pytest.mark.parametrize(
    "evil",
    [
        "`",
        "```",
        " *a",
        "<",
        "` ",
        "``` ",
        " ```a`",
        "_*~",
        "&gt;",
        "\n&gt;&gt;&gt; a",
        "<@U1",
        " _a* ~b",
        "&amp;",
        "<a|",
        "`<",
        "`<a`>",
        "```<a```> ",
        "<!date^1^",
    ],
)
def test_a_hostile_megabyte_is_read_in_linear_time(evil: str) -> None:
    """No clock: one that cost the square of its length would run into the suite's own limit many times over."""
    render(evil * (1_000_000 // len(evil)), NAMES)


TOKENS = st.sampled_from(["<@U1>", "<#C1|x>", "<https://a.b|c>", "`", "```", "*", "_", "~", "&amp;", "&gt;", "\n", " "])


@UNHURRIED
@given(st.lists(st.one_of(TOKENS, st.text(st.characters(codec=None), max_size=5))).map("".join))
def test_any_text_renders_to_encodable_text_and_the_same_each_time(source: str) -> None:
    rendered = render(source, NAMES)
    rendered.text.encode("utf-8")
    assert "\0" not in rendered.text
    assert render(source, NAMES) == rendered


@UNHURRIED
@given(st.text(st.characters(exclude_characters="<>&*_~`", exclude_categories=["Cc", "Cs"])))
def test_text_without_markup_is_left_alone(source: str) -> None:
    assert render(source, NAMES).text == source


@UNHURRIED
@given(st.text(st.characters(exclude_characters="*_~`", exclude_categories=["Cc", "Cs"])))
def test_what_slack_escapes_is_unescaped_exactly_once(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if not escaped.startswith("&gt;"):  # a quote gains its blank
        assert render(escaped, NAMES).text == text

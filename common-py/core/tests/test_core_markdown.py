import re
import time

import pytest
from common_core import markdown
from common_core.markdown import Rendered, plain, render
from hypothesis import given, settings
from hypothesis import strategies as st

UNHURRIED = settings(deadline=None)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("# One #\n\nTwo\n===", "One\n\nTwo"),
        ("*a* **b** ~~c~~ _d_ `e*f*`", "a b c d e*f*"),
        ("soft\nhard  \nslash\\\nend", "soft\nhard\nslash\nend"),
        ("7. a\n9. b\n1. c", "7. a\n8. b\n9. c"),
        ("0) a", "0. a"),
        ("- a\n- b", "• a\n• b"),
        ("- a\n\n- b", "• a\n\n• b"),
        ("- a\n  1. b\n     - c\n- d", "• a\n  1. b\n     • c\n• d"),
        ("- a\n\n  more\n- [ ] b", "• a\n\n  more\n\n• [ ] b"),
        ("-\n- b", "•\n• b"),
        ("> a\n>\n> > b", "> a\n>\n> > b"),
        ("> - a\n>   - b", "> • a\n>   • b"),
        ("```py\nif x:\n\n    *y*\n```", "if x:\n\n    *y*"),
        ("a\n\n    code <b>\n", "a\n\ncode <b>"),
        ("- a\n\n      x\n\n      y", "• a\n\n  x\n\n  y"),
        ("a\n\n***\n\nb", "a\n\n---\n\nb"),
        ("|a|b|\n|-|:-:|\n|1|\n||*2*|", "a | b\n1 |\n | 2"),
        ("&lt;&amp;lt;&copy;&#x41;", "<&lt;©A"),
        ("<b>x</b> List<String> <!-- c -->", "<b>x</b> List<String> <!-- c -->"),
        ("<div>\n*x*\n</div>", "<div>\nx\n</div>"),
        (r"\*not\* a \_mark\_", "*not* a _mark_"),
        ("a\r\nb", "a\nb"),
        ("[only]: /a-definition", ""),
        ("", ""),
    ],
)
def test_the_structure_stays_and_the_marks_go(source: str, text: str) -> None:
    assert plain(source) == text


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("[a *b*](http://x 'title')", Rendered("a b", ("http://x",))),
        ("[](http://x)", Rendered("http://x", ("http://x",))),
        ("<http://x> <a@b.c>", Rendered("http://x a@b.c", ("http://x", "mailto:a@b.c"))),
        ("[r] [s][r]\n\n[r]: </a b>", Rendered("r s", ("/a b",))),
        ("![cat *x*](i.png)", Rendered("cat x", ("i.png",))),
        ("a![](i.png)b", Rendered("ab", ("i.png",))),
        ("[![logo](l.png)](http://x)", Rendered("logo", ("http://x", "l.png"))),
        ("[ä](http://x/ä?a=1&amp;b=%20)", Rendered("ä", ("http://x/ä?a=1&b=%20",))),
        ("[x](b) [y](a) [z](b)", Rendered("x y z", ("b", "a"))),
        ("|[a](u)|\n|-|", Rendered("a", ("u",))),
        ("[a](javascript:x)", Rendered("[a](javascript:x)", ())),
        ("`[a](b)`", Rendered("[a](b)", ())),
        ("[empty]()", Rendered("empty", ())),
    ],
)
def test_a_link_is_its_label_and_its_address_is_listed_as_written(source: str, rendered: Rendered) -> None:
    assert render(source) == rendered


def documents() -> st.SearchStrategy[list[str]]:
    """Lines of a document whose words are told apart later: paragraphs, lists, quotes, code, tables, nested."""
    word = st.sampled_from(["w", "*w*", "**w**", "`w`", "[w](u)", "![w](u)", "~~w~~", "w\\\nw"])
    line = st.lists(word, min_size=1, max_size=3).map(" ".join)
    leaf = st.one_of(
        line.map(lambda text: text.split("\n")),
        line.map(lambda text: ["## " + text.replace("\\\n", "")]),
        st.just(["```", "w", "", "  w", "```"]),
        st.just(["| w | w |", "|---|---|", "| w | w |"]),
    )

    def wrapped(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
        blocks = st.lists(inner, min_size=1, max_size=3).map(lambda some: [line for one in some for line in [*one, ""]])
        quoted = blocks.map(lambda lines: ["> " + line for line in lines])
        marks = st.sampled_from(["- ", "3. ", "10) "])
        items = st.tuples(marks, blocks).map(
            lambda pair: [(" " * len(pair[0]) if at else pair[0]) + line for at, line in enumerate(pair[1])]
        )
        return quoted | items | blocks

    return st.recursive(leaf, wrapped, max_leaves=8)


@UNHURRIED
@given(documents())
def test_every_word_survives_in_its_order(lines: list[str]) -> None:
    numbers = iter(range(10_000))
    source = re.sub("w", lambda _: f"w{next(numbers)}", "\n".join(lines))
    assert re.findall(r"w\d+", plain(source)) == re.findall(r"w\d+", source)


@UNHURRIED
@given(st.lists(st.from_regex(r"[a-zA-ZäßжかきहिА]{1,8}", fullmatch=True), min_size=1))
def test_a_text_without_marks_is_itself(words: list[str]) -> None:
    text = " ".join(words)
    assert render(text) == Rendered(text, ())


@UNHURRIED
@given(st.text() | st.text("[]()!*_`~<>&|-:#\n \t\\1.a\x00\ud800", max_size=60))
def test_no_text_raises(source: str) -> None:
    rendered = render(source)
    assert all(rendered.links)


@pytest.mark.parametrize("depth", [15, 10_000])
@pytest.mark.parametrize("mark", ["> ", "- ", "1. ", "> - "])
def test_depth_loses_no_text(mark: str, depth: int) -> None:
    assert "w7" in plain(mark * depth + "w7\n\nw8")
    assert "w8" in plain(mark * depth + "w7\n\nw8")


def test_what_is_too_deep_or_too_long_is_as_it_was_written() -> None:
    deep, long = "> " * 60 + "[a](b)", "[a](b) " * (markdown.LONGEST // 7 + 1)
    assert (render(deep), render(long)) == (Rendered(deep, ()), Rendered(long, ()))


@pytest.mark.parametrize(
    "piece", ["[", "![", "[a](", "*a ", "_a**", "`a", "<a:", "&", "~~a", "- ", ">", "|", "- a\n", "a\n:-\n", "![a](b"]
)
def test_a_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    started = time.monotonic()
    plain(piece * (20_000 // len(piece)))
    assert time.monotonic() - started < 5  # 0.5 s at the worst where it was written; what is quadratic takes minutes


def test_nested_images_end() -> None:
    assert "a" in plain("![" * 3000 + "a" + "](x)" * 3000)

"""docs/slack-text.md says what the code does: every example runs, and its table of vectors is made here."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.slack.mapping import Names, map_message
from pipeline.slack.text import render

PAGE = Path(__file__).parents[2] / "docs/slack-text.md"
VECTORS = Path(__file__).parents[3] / "shared/slack/vectors.jsonl"
NAMES = Names(users={"U1": "Ada Quay", "U2": "Ben"}, channels={"C1": "general"})
TABLE = "| Project | Case | Result | Our rule |\n|---|---|---|---|\n"

PLAIN = "Marks, quotes, code, lists: marks go; Links and dates: a link is its label"
CHANNEL = "Mentions: a channel is its name"
LINK = "Links and dates: a link is its label"
QUOTE = "Marks, quotes, code, lists: a quoted line begins with `> `"
LABEL = "Mentions: a person is `@` and the label, as it is"
EDGE = "Marks, quotes, code, lists: styles nest, so that one may end before a `_`"
TYPOGRAPHY = "Characters: typography is content"
OUR_RULE = {
    "mixed": PLAIN,
    "chan label keeps id": CHANNEL,
    "inverted link token": LINK,
    "label is a url": LINK,
    "Should parse quote text": QUOTE,
    "Should parse quote located in second line": QUOTE,
    "Should parse multiline quote": QUOTE,
    'Should parse "&gt;&gt;&gt;" as quoted "&gt;&gt;"': QUOTE,
    "Should parse slack message": LABEL,
    "#34 / parses bold formatting properly with various punctuation suffixes": EDGE,
    "unescapes a double smart quote": TYPOGRAPHY,
    "unescapes a single smart quote": TYPOGRAPHY,
}


def examples() -> list[tuple[str, str]]:
    fences = re.findall(r"^```examples\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [tuple(line.split(" → ")) for fence in fences for line in fence.splitlines()]  # type: ignore[misc]


@pytest.mark.parametrize(("sent", "read"), examples())
def test_every_example_of_the_page_is_true(sent: str, read: str) -> None:
    raw, expected = json.loads(sent), json.loads(read)
    parts = {"text": raw} if isinstance(raw, str) else raw
    record = map_message({"ts": "9.000001", **parts}, team="T1", channel="C1", epoch=1, names=NAMES)
    assert record is not None
    mapped = json.loads(record.model_dump_json())
    assert "secret" not in str(mapped)
    assert_holds(mapped, {"text": expected} if isinstance(expected, str) else expected)


def assert_holds(value: Any, expected: Any) -> None:
    """Equal, but that objects may hold more than the example names."""
    if isinstance(expected, dict):
        for name, part in expected.items():
            assert_holds(value[name], part)
    elif isinstance(expected, list) and expected and isinstance(expected[0], dict):
        assert len(value) == len(expected)
        for one, part in zip(value, expected, strict=True):
            assert_holds(one, part)
    else:
        assert value == expected


def agrees(text: str, expected: Any) -> bool:
    if isinstance(expected, dict) and "flattened" in expected:
        expected = expected["flattened"]
    if isinstance(expected, dict):
        unwanted = expected.get("not_contains", [])
        return all(part in text for part in expected["contains"]) and not any(part in text for part in unwanted)
    return bool(text == expected)


def row(vector: dict[str, Any]) -> str:
    if agrees(render(vector["input"], Names()).text, vector["expected"]):
        result, rule = "same", ""
    else:
        rule = OUR_RULE.get(vector["name"], "")
        result = "differs" if rule else "wrong"
    name = re.sub(r"([`|*_<\[])", r"\\\1", vector["name"].replace("&", "&amp;"))
    return f"| {vector['source']} | {name} | {result} | {rule} |"


def test_the_pages_table_is_what_the_vectors_say_and_none_is_wrong() -> None:
    if not VECTORS.exists():
        pytest.skip("the vectors of other projects are not beside this checkout (../shared/slack)")
    rows = [row(json.loads(line)) for line in VECTORS.read_text("utf-8").splitlines()]
    results = [line.split(" | ")[-2] for line in rows]
    counts = {result: results.count(result) for result in ("same", "differs", "wrong")}
    said = (
        f"{len(rows)} cases: {counts['same']} same, {counts['differs']} differ by a rule, {counts['wrong']} wrong.\n\n"
    )
    made = said + TABLE + "\n".join(rows) + "\n"
    assert counts["wrong"] == 0
    assert made in PAGE.read_text("utf-8"), f"the page's table should be:\n{made}"


def test_every_rule_that_explains_a_case_is_in_the_section_that_it_names() -> None:
    sections = set(re.findall(r"^## (.+)$", PAGE.read_text("utf-8"), re.MULTILINE))
    assert {
        part.partition(": ")[0] for rule in OUR_RULE.values() for part in rule.split("; ") if ": " in part
    } <= sections


def test_a_case_that_no_rule_explains_is_called_wrong() -> None:
    case = {"source": "s", "name": "n", "input": "*a*", "expected": "*a*"}
    assert row(case) == "| s | n | wrong |  |"

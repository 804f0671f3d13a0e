"""The census: what is not known is read as far as possible and counted by name, and no content gets into a name."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Rejected
from pipeline.slack.census import MOST, OTHER, Census
from pipeline.slack.known import ELEMENTS, EVENT_PREFIXES, EVENTS, SUBTYPES
from pipeline.slack.mapping import Names, map_channel, map_message, map_user

SHARED = Path(__file__).parents[3] / "shared/slack"
EXAMPLES = Path(__file__).parent / "schematestdata"
UNHURRIED = settings(deadline=None)  # the machine is shared


def census_of(**raw: Any) -> dict[tuple[str, str], int]:
    census = Census()
    map_message({"ts": "1.000001", **raw}, team="T1", channel="C1", epoch=1, names=Names(), census=census)
    return dict(census.counts)


def test_what_is_known_costs_the_census_nothing() -> None:
    rich = {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}],
    }
    assert (
        census_of(type="message", user="U1", text="x", blocks=[rich, {"type": "divider"}], subtype="me_message") == {}
    )


@pytest.mark.parametrize(
    ("raw", "counted"),
    [
        ({"subtype": "brand_new"}, ("subtype", "brand_new")),
        ({"brand_new": {"text": "x"}}, ("field", "message.brand_new")),
        ({"attachments": [{"brand_new": 1}]}, ("field", "attachment.brand_new")),
        ({"blocks": [{"type": "brand_new"}]}, ("block", "brand_new")),
        ({"blocks": [{"type": "section", "accessory": {"type": "brand_new"}}]}, ("element", "brand_new")),
        ({"blocks": [{"type": "rich_text", "elements": [{"type": "rich_text_new"}]}]}, ("element", "rich_text_new")),
        ({"attachments": [{"channel_id": "C2"}]}, ("withheld", "attachment")),
        ({"blocks": [{"type": "section", "channel_id": "C2"}]}, ("withheld", "block")),
        ({"files": [{"channels": ["C2"]}]}, ("withheld", "file")),
        ({"root": {"text": "x"}}, ("withheld", "root")),
        ({"subtype": ["list"]}, ("subtype", OTHER)),
    ],
)
def test_each_thing_that_is_not_known_is_counted_once(raw: dict[str, Any], counted: tuple[str, str]) -> None:
    assert census_of(**raw) == {counted: 1}


def test_a_wrapper_and_the_state_inside_are_both_counted() -> None:
    inner = {"ts": "1.000001", "subtype": "brand_new", "new_field": 1}
    counted = census_of(subtype="message_changed", message=inner, other_field=1)
    assert counted == {
        ("field", "message.other_field"): 1,
        ("field", "message.new_field"): 1,
        ("subtype", "brand_new"): 1,
    }


def test_users_and_channels_are_counted_too() -> None:
    census = Census()
    map_user({"id": "U1", "new_field": 1}, team="T1", epoch=1, census=census)
    map_channel({"id": "C1", "new_field": 1}, team="T1", epoch=1, census=census)
    assert set(census.counts) == {("field", "user.new_field"), ("field", "channel.new_field")}


def test_a_census_changes_no_record() -> None:
    raw = {"ts": "1.000001", "text": "x", "subtype": "brand_new", "blocks": [{"type": "brand_new", "text": "y"}]}
    records = [
        map_message(raw, team="T1", channel="C1", epoch=1, names=Names(), census=census) for census in (None, Census())
    ]
    assert records[0] == records[1]


@pytest.mark.parametrize(
    "name",
    [
        *("John", "john smith", "a@b.example", "U0ADA00001", "tel_31612345678", "i_think_that_we_should_sell", "süd"),
        *(
            "_",
            "a__b",
            "a" * 17,
            "x_" * 3 + "y_z",
            "",
            "4111111111111111",
            "message.message.text",
            "a\n",
            None,
            7,
            ["a"],
        ),
    ],
)
def test_a_name_that_could_be_content_is_other(name: Any) -> None:
    census = Census()
    census.add("block", name)
    assert dict(census.counts) == {("block", OTHER): 1}


def test_the_number_of_names_is_bounded_and_no_count_is_lost() -> None:
    census = Census()
    for number in range(1000):
        census.add("field", f"message.n{number}")
    assert len(census.counts) == MOST + 1
    assert census.counts[("field", OTHER)] == 1000 - MOST
    assert census.counts.total() == 1000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
)


@UNHURRIED
@given(
    st.dictionaries(st.sampled_from(["subtype", "blocks", "attachments", "type"]) | st.text(max_size=30), json_values)
)
def test_no_name_is_longer_or_stranger_than_slacks_own(raw: dict[str, Any]) -> None:
    try:
        counted = census_of(**{name: value for name, value in raw.items() if name != "ts"})
    except Rejected:
        return
    assert all(len(name) <= 75 and name.replace("_", "").replace(".", "").isalnum() for _, name in counted)
    assert all(name.isascii() and name == name.lower() for _, name in counted)


def test_the_closed_lists_are_consistent() -> None:
    assert EVENTS < SUBTYPES
    assert not [name for name in SUBTYPES - EVENTS if name.startswith(EVENT_PREFIXES)]
    census = Census()
    for name in SUBTYPES | ELEMENTS:
        census.add("subtype", name)
    assert ("subtype", OTHER) not in census.counts, "the census's alphabet fits Slack's own names"


def shared(name: str) -> list[Any]:
    if not SHARED.exists():
        pytest.skip("the real Slack data is not beside this checkout (../shared/slack)")
    return [json.loads(line)["object"] for line in (SHARED / name).read_text("utf-8").splitlines()]


def test_real_messages_users_and_channels_hold_nothing_that_is_not_known() -> None:
    census = Census()
    for raw in shared("messages.jsonl"):
        channel = raw["channel"] if isinstance(raw.get("channel"), str) else raw.get("channel", {}).get("id", "C1")
        map_message(raw, team="T1", channel=channel, epoch=1, names=Names(), census=census)
    for raw in shared("users.jsonl"):
        map_user(raw, team="T1", epoch=1, census=census)
    for raw in shared("channels.jsonl"):
        map_channel(raw, team="T1", epoch=1, census=census)
    assert {key: count for key, count in census.counts.items() if key[0] != "withheld"} == {}
    assert census.counts[("withheld", "root")] == 2

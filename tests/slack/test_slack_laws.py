"""Laws of the mapping, over arbitrary JSON and over mutated messages that look real."""

import copy
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Rejected
from pipeline.models import Internal, Message
from pipeline.rules.versions import us_ts
from pipeline.slack.mapping import Census, Names, map_channel, map_message, map_user, names_wanted
from pipeline.slack.reasons import Reason

SHARED = Path(__file__).parents[3] / "shared/slack"
EXAMPLES = Path(__file__).parent / "schematestdata"
PAGE = Path(__file__).parents[2] / "docs/slack-text.md"
UNHURRIED = settings(deadline=None)  # the machine is shared

any_text = st.text(st.characters(codec=None), max_size=12)  # lone surrogates included
scalars = st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.just(10**400)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4), max_leaves=12
)
timestamps = st.integers(0, 10**16 - 1).map(us_ts)


@cache
def real_objects() -> list[Any]:
    """Slack's answers, and the examples of docs/slack-text.md, which show every kind of block."""
    pages = [json.loads(path.read_text("utf-8")) for path in sorted(EXAMPLES.glob("*.json"))]
    objects = [item for page in pages for key in ("messages", "members", "channels") for item in page.get(key, [])]
    lines = [line.split(" → ")[0] for line in PAGE.read_text("utf-8").splitlines() if line.startswith('{"')]
    return objects + [{"ts": "1700001100.000100", **json.loads(line)} for line in lines]


@cache
def real_values() -> list[Any]:
    """What stands anywhere in them: right values for wrong places."""
    return [holder[key] for raw in real_objects() for holder, key in places(raw)]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A real-looking object of which some values, anywhere, were replaced by arbitrary or by misplaced JSON."""
    value = copy.deepcopy(draw(st.sampled_from(real_objects())))
    for _ in range(draw(st.integers(1, 4))):
        holder, key = draw(st.sampled_from(list(places(value))))
        holder[key] = draw(json_values | st.sampled_from(real_values()).map(copy.deepcopy))
    return value


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from places(inner)


def outcome(raw: object, names: Names = Names()) -> list[Internal | str | None]:  # noqa: B008 - frozen
    """What the three mappings make of one object: a record, None, or a reason of the closed list."""
    results: list[Internal | str | None] = []
    census = Census()
    for build in (
        lambda: map_message(raw, team="T1", channel="C1", epoch=1, names=names, census=census),
        lambda: map_user(raw, team="T1", epoch=1, census=census),
        lambda: map_channel(raw, team="T1", epoch=1, census=census),
    ):
        try:
            record = build()
        except Rejected as refused:
            results.append(Reason(refused.reason))
        else:
            if record is not None:
                assert type(record).model_validate_json(record.model_dump_json()) == record
            results.append(record)
    assert all(name.isascii() for _, name in census.counts)
    return results


@UNHURRIED
@given(json_values)
def test_arbitrary_json_maps_or_is_rejected_by_a_listed_reason(raw: object) -> None:
    outcome(raw)
    names_wanted([raw])


@settings(UNHURRIED, max_examples=300)
@given(mutated(), st.dictionaries(any_text, any_text, max_size=2))
def test_mutated_real_objects_map_or_are_rejected_and_always_the_same_way(raw: Any, names: dict[str, str]) -> None:
    before = repr(raw)
    known = Names(users={"U0ADA00001": "\ud800\0", **names}, channels=names)
    assert outcome(raw, known) == outcome(raw, known)
    assert repr(raw) == before, "the input was changed"
    names_wanted([raw])


TOKENS = ["<@U9|Nine>", "<@U\x009|Nine>", "`<#C9|nine>`", "[a](<@U9>)", "&lt;<@U9>", "<@U9|<@U8>"]
mentions = st.sampled_from(TOKENS) | st.sampled_from(
    [
        {"type": "user", "user_id": "U9"},
        {"type": "channel", "channel_id": "C9"},
        {"comment": "<@U9|Nine>", "user": "U7"},
    ]
)


@settings(UNHURRIED, max_examples=300)
@given(mutated(), st.data())
def test_whoever_a_record_names_was_asked_for(raw: Any, data: st.DataObject) -> None:
    """Else an erased person would be called by a label."""
    spots = [(holder, key) for holder, key in places(raw) if key not in ("ts", "type", "channel", "id")]
    for _ in range(3):
        holder, key = data.draw(st.sampled_from(spots))
        holder[key] = data.draw(mentions)
    try:
        record = map_message(raw, team="T1", channel="C1", epoch=1, names=Names())
    except Rejected:
        return
    if record is not None:
        asked = names_wanted([raw])
        assert asked >= {*record.mentions.users, *record.mentions.channels}
        assert record.author_kind != "user" or record.author_id in asked


@UNHURRIED
@given(timestamps, timestamps)
def test_ts_survives_to_the_digit(ts: str, edited: str) -> None:
    record = map_message({"ts": ts, "edited": {"ts": edited}}, team="T1", channel="C1", epoch=7, names=Names())
    assert isinstance(record, Message)
    assert (record.ts, record.id) == (ts, f"T1:C1:{ts}")
    assert us_ts(record.ts_us) == ts
    assert us_ts(int(record.version[16:])) == edited


@UNHURRIED
@given(st.from_regex(r"[0-9]{1,10}(\.[0-9]{0,6})?", fullmatch=True).filter(str.isascii))
def test_an_odd_ts_is_kept_as_it_was_written(ts: str) -> None:
    record = map_message({"ts": ts}, team="T1", channel="C1", epoch=7, names=Names())
    assert isinstance(record, Message)
    assert (record.ts, record.id) == (ts, f"T1:C1:{ts}")


def test_deeply_nested_json_is_no_accident() -> None:
    deep: Any = json.loads('{"elements": [' * 300 + "]}" * 300)
    deep["type"] = "rich_text"
    raw = {"ts": "1.000001", "blocks": [deep], "attachments": [{"blocks": [deep], "fields": deep}], "reactions": deep}
    assert outcome(raw)[0] is not None
    names_wanted([raw])


def shared_objects(name: str) -> list[Any]:
    if not SHARED.exists():
        pytest.skip("the real Slack data is not beside this checkout (../shared/slack)")
    return [json.loads(line)["object"] for line in (SHARED / name).read_text("utf-8").splitlines()]


def own_channel(raw: dict[str, Any]) -> str:
    named = raw.get("channel")
    return named if isinstance(named, str) else named["id"] if isinstance(named, dict) else "C1"


def test_every_real_message_maps() -> None:
    records = [
        map_message(raw, team="T1", channel=own_channel(raw), epoch=1, names=Names())
        for raw in shared_objects("messages.jsonl")
    ]
    assert len(records) == 97
    assert all(record is not None for record in records)
    assert sum(record.deleted for record in records if record) == 1


def test_every_real_user_and_channel_maps() -> None:
    users = [map_user(raw, team="T1", epoch=1) for raw in shared_objects("users.jsonl")]
    channels = [map_channel(raw, team="T1", epoch=1) for raw in shared_objects("channels.jsonl")]
    assert (len(users), len(channels)) == (7, 64)
    assert all(user.display_name for user in users)


def test_a_whole_export_maps() -> None:
    channels = {raw["name"]: raw["id"] for raw in export("channels.json")}
    assert all(map_channel(raw, team="T1", epoch=1) for raw in export("channels.json"))
    assert all(map_user(raw, team="T1", epoch=1) for raw in export("users.json"))
    for name, channel in channels.items():
        for day in sorted((SHARED / "export" / name).glob("*.json")):
            for raw in json.loads(day.read_text("utf-8")):
                record = map_message(raw, team="T1", channel=channel, epoch=1, names=Names())
                assert record is not None
                assert record.text


def export(name: str) -> list[Any]:
    if not SHARED.exists():
        pytest.skip("the real Slack data is not beside this checkout (../shared/slack)")
    loaded: list[Any] = json.loads((SHARED / "export" / name).read_text("utf-8"))
    return loaded


def test_real_messages_with_shuffled_parts_still_map_or_have_a_reason() -> None:
    raws = shared_objects("messages.jsonl")
    shuffle = random.Random(7)
    for raw in raws:
        other = shuffle.choice(raws)
        keys = list(raw)
        shuffle.shuffle(keys)
        outcome({key: other.get(key, raw[key]) for key in keys})

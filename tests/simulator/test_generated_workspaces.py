"""Generated workspaces: the same from the same seed, and as irregular as real ones."""

import dataclasses
import json

import pytest

from simulator.config import DAY, SimulatorConfig, default_anchor
from simulator.generate.workspace import generate
from simulator.slack.paging import micros

ANCHOR = 1_760_000_000 // DAY * DAY
CONFIG = SimulatorConfig("", "p", connections=2, channels=9, messages=3000, seed=7, anchor=ANCHOR)


@pytest.fixture(scope="module")
def workspace():
    return generate(CONFIG, 0)


def everything(config, index=0):
    made = generate(config, index)
    channels = [[c.record, c.canary, c.messages] for c in made.channels.values()]
    return json.dumps([made.team, made.users, channels])


def messages_of(workspace):
    return [m for c in workspace.channels.values() for m in c.messages.values()]


def test_the_same_seed_gives_the_same_workspace_and_another_gives_another():
    small = dataclasses.replace(CONFIG, messages=200)
    assert everything(small) == everything(small)
    assert everything(small) != everything(dataclasses.replace(small, seed=8))
    assert everything(small) != everything(small, 1)


def test_counts_are_what_was_asked_for(workspace):
    assert (workspace.messages(), len(workspace.channels)) == (3000, 9)
    assert all(channel.messages for channel in workspace.channels.values())
    assert list(workspace.channels) == sorted(workspace.channels)


@pytest.mark.parametrize(("channels", "messages"), [(1, 1), (3, 0), (40, 10), (1, 2000)])
def test_any_size_can_be_made(channels, messages):
    made = generate(dataclasses.replace(CONFIG, channels=channels, messages=messages), 0)
    assert (len(made.channels), made.messages()) == (channels, messages)


def has_no_words(message):
    """What Slack says itself in place of what was there."""
    return message.get("subtype") in ("tombstone", "ekm_access_denied") or "is_hidden_by_limit" in message


def test_every_message_carries_its_channels_canary_and_canaries_are_unique(workspace):
    canaries = [channel.canary for channel in workspace.channels.values()]
    assert len(set(canaries)) == len(canaries)
    for channel in workspace.channels.values():
        messages = [message for message in channel.messages.values() if not has_no_words(message)]
        assert all(channel.canary in json.dumps(message) for message in messages)
        texts = [message["text"] for message in messages if message.get("text")]
        assert all(channel.canary in text for text in texts)
        assert len(messages) > 0.95 * len(channel.messages)


def test_a_foreign_canary_shows_only_where_another_channels_message_or_file_is_shared(workspace):
    forms = set()
    for channel in workspace.channels.values():
        others = {c.canary: c.id for c in workspace.channels.values() if c is not channel}
        for message in channel.messages.values():
            shown = json.dumps({**message, "root": None})
            for word in (word for word in others if word in shown):
                parts = {part: json.dumps(message.get(part)) for part in ("attachments", "files")}
                forms |= {part for part, held in parts.items() if word in held}
                assert all(others[word] in held for held in parts.values() if word in held)
                assert word not in json.dumps({**message, "root": None, "attachments": None, "files": None})
    assert forms == {"attachments", "files"}


def test_time_stamps_have_six_digits_and_lie_in_the_thirty_days_before_the_anchor(workspace):
    for channel in workspace.channels.values():
        for us, message in channel.messages.items():
            assert len(message["ts"].partition(".")[2]) == 6
            assert (ANCHOR - 30 * DAY) * 1_000_000 <= us == micros(message["ts"]) < ANCHOR * 1_000_000


def test_the_default_anchor_is_a_midnight_at_least_ten_minutes_ago():
    import time

    assert default_anchor() % DAY == 0
    assert default_anchor() <= time.time() - 600


def test_parents_count_their_replies(workspace):
    threads = 0
    for channel in workspace.channels.values():
        for parent in channel.threads():
            message = channel.messages[parent]
            replies = [m for m in channel.messages.values() if m.get("thread_ts") == message["ts"] != m["ts"]]
            assert message["reply_count"] == len(replies)
            assert message["latest_reply"] == max(m["ts"] for m in replies)
            assert message["thread_ts"] == message["ts"]
            threads += 1
    assert threads > 100


def test_messages_have_the_shapes_that_real_ones_have(workspace):
    messages = messages_of(workspace)
    subtypes = {m.get("subtype") for m in messages}
    assert {
        None,
        "",
        "bot_message",
        "channel_join",
        "thread_broadcast",
        "huddle_thread",
        "subtype_of_tomorrow",
    } <= subtypes
    shapes = {
        "edited": lambda m: "edited" in m,
        "edited by nobody": lambda m: "edited" in m and "user" not in m["edited"],
        "bot and user without subtype": lambda m: "bot_id" in m and "user" in m and "subtype" not in m,
        "neither text nor null": lambda m: "text" not in m,
        "text null": lambda m: m.get("text", "") is None,
        "empty text with blocks": lambda m: m.get("text") == "" and "blocks" in m,
        "no type": lambda m: "type" not in m,
        "files": lambda m: "files" in m,
        "file stub": lambda m: any(f["mode"] == "hidden_by_limit" for f in m.get("files", [])),
        "old file": lambda m: "file" in m,
        "reactions": lambda m: "reactions" in m,
        "escapes": lambda m: "&lt;" in (m.get("text") or ""),
        "beyond the basic plane": lambda m: any(ord(c) > 0xFFFF for c in m.get("text") or ""),
        "right to left": lambda m: any("\u0590" <= c <= "\u06ff" for c in m.get("text") or ""),
        "long": lambda m: len(m.get("text") or "") > 4000,
        "shared from elsewhere": lambda m: any(a.get("is_msg_unfurl") for a in m.get("attachments", [])),
    }
    missing = [name for name, shape in shapes.items() if not any(map(shape, messages))]
    assert missing == []


def test_users_and_channels_are_as_irregular_as_real_ones(workspace):
    users, records = workspace.users, [c.record for c in workspace.channels.values()]
    assert any(u.get("deleted") and "real_name" not in u for u in users)
    assert any(u.get("is_ultra_restricted") for u in users)
    assert any(u["id"].startswith("W") and "enterprise_user" in u for u in users)
    assert {json.dumps(u["profile"].get("fields")) for u in users} == {"null", "{}", "[]"}
    assert any("updated" not in u for u in users)
    assert any(not u["real_name"].isascii() for u in users if "real_name" in u)
    assert {bool(r["is_private"]) for r in records} == {bool(r["is_archived"]) for r in records} == {True, False}
    assert any(r["is_ext_shared"] and len(r["shared_team_ids"]) == 2 for r in records)
    assert any(isinstance(r["created"], str) and r["members"] is None for r in records)
    assert any("updated" not in r for r in records)
    assert any(r["id"].startswith("G") for r in records)

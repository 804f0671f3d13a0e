"""Every shape that Slack is known to send is generated, and the mapping makes of each what it should."""

import dataclasses
import json
import re
from collections import Counter

import pytest

from pipeline.errors import Rejected
from pipeline.slack.census import Census
from pipeline.slack.directory import map_channel, map_user
from pipeline.slack.known import SUBTYPES
from pipeline.slack.mapping import map_message
from pipeline.slack.names import Names
from simulator.config import DAY, SimulatorConfig
from simulator.generate.rich import text_of
from simulator.generate.workspace import generate
from tests.slack.as_slack_writes import mrkdwn

CONFIG = SimulatorConfig("", "p", channels=8, messages=3000, anchor=1_760_000_000 // DAY * DAY)
SEEDS = range(1, 5)


@pytest.fixture(scope="module")
def workspaces():
    return [generate(dataclasses.replace(CONFIG, seed=seed), 0) for seed in SEEDS]


@pytest.fixture(scope="module")
def messages(workspaces):
    """(channel, message) of everything that was said."""
    return [(c, m) for w in workspaces for c in w.channels.values() for m in c.messages.values()]


def test_every_known_subtype_appears_and_one_that_nobody_knows(messages):
    seen = {message.get("subtype") for _, message in messages}
    assert seen - {None, ""} == SUBTYPES | {"subtype_of_tomorrow"}


def test_everything_maps_or_is_a_notice(messages):
    outcomes = Counter()
    for channel, message in messages:
        record = map_message(message, team="T1", channel=channel.id, epoch=1, names=Names())
        if record is None:
            outcomes["notice"] += 1
            assert message["subtype"] == "message_replied"
        else:
            outcomes["deleted" if record.deleted else "living"] += 1
            gone = message.get("subtype") in ("tombstone", "message_deleted")
            assert record.deleted == gone
    assert min(outcomes.values()) > 0
    assert outcomes["living"] > 0.97 * outcomes.total()


def test_the_same_message_twice_in_one_channel_is_never_generated(messages):
    """What a wrapper tells of is a message of its own: else the account would hold two states of one record."""
    ids = Counter()
    for channel, message in messages:
        try:
            record = map_message(message, team="T1", channel=channel.id, epoch=1, names=Names())
        except Rejected:
            continue
        ids[record.id if record else message["ts"]] += 1
    assert max(ids.values()) == 1


def test_no_word_of_another_channel_is_in_a_record_and_most_of_its_own_are(workspaces):
    withheld = Census()
    for workspace in workspaces:
        canaries = {channel.canary for channel in workspace.channels.values()}
        for channel in workspace.channels.values():
            for message in channel.messages.values():
                record = map_message(message, team="T1", channel=channel.id, epoch=1, names=Names(), census=withheld)
                shown = record.model_dump_json() if record else ""
                assert not [word for word in canaries - {channel.canary} if word in shown], message.get("subtype")
    kinds = {name for kind, name in withheld.counts if kind == "withheld"}
    assert {"attachment", "file", "root"} <= kinds


def test_text_and_rich_text_agree_as_slack_writes_them(messages):
    rich = [
        m for _, m in messages if "client_msg_id" in m and m.get("blocks") and m["blocks"][0]["type"] == "rich_text"
    ]
    foreseen = [m for m in rich if "element_of_tomorrow" in json.dumps(m["blocks"])]
    kinds = Counter()
    for message in rich:
        parts = message["blocks"][0]["elements"]
        kinds.update(part["type"] for part in parts)
        assert message["text"] == text_of(parts)
        if message not in foreseen:
            assert undecorated(message["text"]) == undecorated(mrkdwn(message["blocks"][0]))
    assert foreseen
    assert kinds.keys() == {"rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"}


def undecorated(text: str) -> str:
    """Without the labels, by which Slack's older and newer texts differ, and without the shape of a bullet."""
    return re.sub(r"<([#!][^|>]+)\|[^>]*>", r"<\1>", text).replace("▪\ufe0e", "▪")


def test_proportions_are_those_of_a_channel_that_people_use(messages):
    subtypes = Counter(message.get("subtype") or "" for _, message in messages)
    total = len(messages)
    assert subtypes[""] > 0.75 * total
    assert 0.02 < subtypes["channel_join"] / total < 0.05
    assert 0.04 < subtypes["bot_message"] / total < 0.12
    assert sum(number for name, number in subtypes.items() if name.startswith("message_")) < 0.01 * total
    assert 0.2 < sum("thread_ts" in m and m["thread_ts"] != m["ts"] for _, m in messages) / total < 0.4


def test_files_blocks_and_people_come_in_every_form(workspaces, messages):
    files = [file for _, message in messages for file in message.get("files", [])]
    assert {"hosted", "hidden_by_limit", "tombstone", "external", "file_access", "quip", "list", "snippet"} <= {
        file["mode"] for file in files
    }
    blocks = {block["type"] for _, message in messages for block in message.get("blocks", [])}
    assert {"rich_text", "section", "header", "context", "actions", "divider", "table"} <= blocks
    assert any("metadata" in message for _, message in messages)
    assert any("room" in message for _, message in messages)
    assert any("is_hidden_by_limit" in message for _, message in messages)
    assert any(m.get("subtype") == "tombstone" and m.get("reply_count") for _, m in messages)
    users = [user for workspace in workspaces for user in workspace.users]
    for flag in ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger", "is_workflow_bot",
                 "is_forgotten", "is_invited_user", "enterprise_user"):  # fmt: skip
        assert any(user.get(flag) for user in users), flag
    for workspace in workspaces:
        assert all(map_user(user, team=workspace.team, epoch=1) for user in workspace.users)
        assert all(map_channel(c.record, team=workspace.team, epoch=1) for c in workspace.channels.values())


def test_a_channel_counts_the_messages_that_leave_a_record(workspaces):
    for channel in (channel for workspace in workspaces for channel in workspace.channels.values()):
        messages = channel.messages.values()
        mapped = [map_message(m, team="T1", channel=channel.id, epoch=1, names=Names()) for m in messages]
        assert channel.records() == len([record for record in mapped if record])

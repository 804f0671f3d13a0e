"""The channels of a generated team: public, private, archived, shared; with the irregular fields of real ones."""

import random
from typing import Any

from simulator.generate.ids import slack_id
from simulator.generate.words import CHANNEL_NAMES, TOPICS

Json = dict[str, Any]


def rooms(rng: random.Random, team: str, members: list[str], count: int, anchor: int) -> list[Json]:
    """`count` channel records, sorted by id, as `conversations.list` shows them."""
    made = [_room(rng, team, members, index, anchor) for index in range(count)]
    return sorted(made, key=lambda record: str(record["id"]))


def _room(rng: random.Random, team: str, members: list[str], index: int, anchor: int) -> Json:
    name = CHANNEL_NAMES[index % len(CHANNEL_NAMES)]
    if index >= len(CHANNEL_NAMES):
        name = f"{name}-{index // len(CHANNEL_NAMES) + 1}"
    created = anchor - rng.randrange(4_000_000, 90_000_000)
    creator = rng.choice(members)
    record: Json = {
        "id": slack_id(rng, "C"),
        "name": name,
        "is_channel": True,
        "is_group": False,
        "is_im": False,
        "is_mpim": False,
        "is_private": False,
        "created": created,
        "is_archived": False,
        "is_general": index == 0,
        "unlinked": 0,
        "name_normalized": name,
        "is_shared": False,
        "is_org_shared": False,
        "is_ext_shared": False,
        "is_pending_ext_shared": False,
        "pending_shared": [],
        "context_team_id": team,
        "updated": (created + rng.randrange(1_000_000)) * 1000 + rng.randrange(1000),
        "parent_conversation": None,
        "creator": creator,
        "shared_team_ids": [team],
        "pending_connected_team_ids": [],
        "is_member": True,
        "topic": {"value": rng.choice(TOPICS), "creator": creator, "last_set": created},
        "purpose": {"value": rng.choice(TOPICS), "creator": "", "last_set": 0},
        "previous_names": [],
        "num_members": rng.randrange(2, 20),
    }
    return _peculiar(rng, record, index)


def _peculiar(rng: random.Random, record: Json, index: int) -> Json:
    if index % 4 == 3:
        record.update(is_private=True)
    if index % 8 == 7:
        record.update(id=slack_id(rng, "G"), is_channel=False, is_group=True)
    if index % 6 == 4:
        record.update(is_archived=True, previous_names=["old-" + str(record["name"])])
    if index % 5 == 2:
        record.update(is_shared=True, is_ext_shared=True, conversation_host_id=record["context_team_id"])
        record["shared_team_ids"] = [record["context_team_id"], slack_id(rng, "T")]
    if index % 7 == 5:
        record.update(created=str(record["created"]), priority=0.5, members=None)
    if index % 9 == 6:
        record.pop("updated")
    return record

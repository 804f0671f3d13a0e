"""What people do in a workspace while it is read: edit, delete, reply to old threads, rename, change a channel's id."""

import random
import time
from collections.abc import Callable
from typing import Any, Final

from simulator.faults import Faults
from simulator.slack.changes import edit, free_ts, marked, write
from simulator.slack.channel import Channel, is_reply, ts_of
from simulator.slack.workspace import Workspace

Json = dict[str, Any]

_MOST_WRITTEN: Final = 300
"""Seconds after the anchor that new messages are spread over: Sluice leaves the last two minutes to settle, and what is
written in this very second would be out of reach of any window of a short demonstration."""


class Life:
    """Draws who is struck; `anchor` is the unix second that the generated history ends with."""

    def __init__(self, faults: Faults, rng: random.Random, anchor: int) -> None:
        self._faults, self._random, self._anchor = faults, rng, anchor
        self._number = 0
        self._acts: dict[str, Callable[[Channel, list[Json]], bool]] = {
            "edit": self._edit,
            "delete": self._delete,
            "late_reply": self._reply,
        }

    def happen(self, fault: str, channels: list[Channel]) -> None:
        """The fault strikes in one of these channels, if one of them has a message that it can strike."""
        self._number += 1
        for channel in self._random.sample(channels, len(channels)):
            ordinary = [message for _, message in sorted(channel.messages.items()) if is_ordinary(message)]
            if ordinary and self._acts[fault](channel, ordinary):
                self._faults.struck(fault)
                return

    def rename(self, workspace: Workspace, read: list[str]) -> bool:
        """Two users and the last channel that is read get other names."""
        people = [user for user in workspace.users if not user.get("deleted") and user["id"] != "USLACKBOT"]
        for user in self._random.sample(people, min(2, len(people))):
            _call(user, f"renamed{self._random.randrange(1000)}")
        for name in read[-1:]:
            record = workspace.channels[name].record
            record.update(name=f"{record['name']}-renamed", name_normalized=f"{record['name']}-renamed")
            record["updated"] = time.time_ns() // 1_000_000
        self._faults.struck("rename")
        return True

    def change_id(self, workspace: Workspace, read: list[str]) -> bool:
        """The first channel that is read gets another id, where it is not the only one."""
        if len(read) < 2:
            return False
        workspace.change_id(read[0], f"{read[0]}X")
        self._faults.struck("id_change")
        return True

    def _edit(self, channel: Channel, ordinary: list[Json]) -> bool:
        message = self._random.choice(ordinary)
        edit(channel, ts_of(message), f"Edit number {self._number}", str(message["user"]), int(time.time()))
        return True

    def _delete(self, channel: Channel, ordinary: list[Json]) -> bool:
        """Replies, parents and others in turn, as far as there are any."""
        parents = [message for message in ordinary if message.get("reply_count")]
        replies = [message for message in ordinary if is_reply(message)]
        kinds = [parents, replies, ordinary]
        channel.remove(ts_of(self._random.choice(kinds[self._number % 3] or ordinary)))
        return True

    def _reply(self, channel: Channel, ordinary: list[Json]) -> bool:
        """A reply to an old thread, or the first one to an old message."""
        roots = [message for message in ordinary if not is_reply(message)]
        if not roots:
            return False
        parents = [message for message in roots if message.get("reply_count")]
        parent = self._random.choice(parents or roots) if self._number % 2 else self._random.choice(roots)
        us = self._anchor * 1_000_000 + self._random.randrange(_MOST_WRITTEN * 1_000_000)
        text = marked(f"Late reply number {self._number}", channel)
        write(channel, {"type": "message", "user": parent["user"], "text": text, "ts": free_ts(channel, us),
                        "thread_ts": ts_of(parent)})  # fmt: skip
        return True


def is_ordinary(message: Json) -> bool:
    """A message of a person's, as it can be edited and deleted."""
    return bool(message.get("user")) and not message.get("subtype") and not message.get("hidden")


def _call(user: Json, name: str) -> None:
    """Another name, in every field that holds one."""
    user["name"] = name
    for fields in (user, user.get("profile")):
        for field in ("real_name", "display_name", "real_name_normalized", "display_name_normalized"):
            if isinstance(fields, dict) and fields.get(field):
                fields[field] = name
    user["updated"] = int(time.time())

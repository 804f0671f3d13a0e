"""What was said in one channel: roots and threads in time order, edits, reactions, broadcasts, deleted parents."""

import random
from typing import Any

from simulator.generate.cast import Cast
from simulator.generate.files import with_file
from simulator.generate.machines import new_bot
from simulator.generate.shapes import STATES, WEIGHTS, Shape, many_scripts, markup, mention, muttered, plain
from simulator.generate.words import EMOJI
from simulator.generate.written import addressed, listed, styled
from simulator.slack.channel import Channel, ts_of
from simulator.slack.paging import micros, stamp

Json = dict[str, Any]

SPAN = 30 * 86_400 * 1_000_000  # Microseconds that a generated history covers.
OPEN_THREADS = 6
_SHARE_OF_STATES = sum(STATES.values()) / (sum(STATES.values()) + sum(WEIGHTS.values()))
REPLIES: dict[Shape, int] = {plain: 50, many_scripts: 15, markup: 10, mention: 8, styled: 6, addressed: 3, listed: 2,
                             with_file: 3, new_bot: 2, muttered: 1}  # fmt: skip
"""How often a reply has which shape, in a hundred."""


def fill(channel: Channel, cast: Cast, count: int, anchor: int) -> None:
    """Put `count` messages, replies included, into an empty channel; all older than `anchor` (unix seconds)."""
    threads: list[Json] = []
    for us in _times(cast.rng, count, anchor):
        if threads and cast.rng.random() < 0.3:
            channel.add(_reply(cast, str(channel.canary), us, cast.rng.choice(threads)))
        else:
            root = _root(cast, str(channel.canary), us)
            channel.add(root)
            threads = _opened(cast.rng, threads, root)
    for parent in channel.threads():
        channel.count_replies(parent)
        if cast.rng.random() < 0.03:
            channel.remove(stamp(parent))
    _show_roots(channel)


def _times(rng: random.Random, count: int, anchor: int) -> list[int]:
    end = anchor * 1_000_000
    return sorted(rng.sample(range(end - SPAN, end), count))


def _opened(rng: random.Random, threads: list[Json], root: Json) -> list[Json]:
    """A new root may become a thread; the oldest open thread makes room. What is hidden gets no answers."""
    if not root.get("hidden") and (not threads or rng.random() < 0.15):
        return [*threads, root][-OPEN_THREADS:]
    return threads


def _root(cast: Cast, canary: str, us: int) -> Json:
    if cast.rng.random() < _SHARE_OF_STATES:
        state = cast.rng.choices(list(STATES), list(STATES.values()))[0]
        return {**state(cast, canary, us), "ts": stamp(us)}
    shape = cast.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    return _decorated(cast, {**shape(cast, canary), "ts": stamp(us)})


def _reply(cast: Cast, canary: str, us: int, parent: Json) -> Json:
    shape = cast.rng.choices(list(REPLIES), list(REPLIES.values()))[0]
    message = {**shape(cast, canary), "ts": stamp(us), "thread_ts": ts_of(parent)}
    if "user" in parent:
        message["parent_user_id"] = parent["user"]
    if "subtype" not in message and cast.rng.random() < 0.06:
        message.update(subtype="thread_broadcast", root={})
    return _decorated(cast, message)


def _decorated(cast: Cast, message: Json) -> Json:
    if cast.rng.random() < 0.06 and "client_msg_id" in message:
        message["edited"] = _edited(cast, message)
    if cast.rng.random() < 0.1:
        users = [cast.user()]
        message["reactions"] = [{"name": cast.rng.choice(EMOJI), "users": users, "count": 1}]
    return message


def _edited(cast: Cast, message: Json) -> Json:
    """Slack rounds the edit's time to the second; its author may be missing."""
    second = micros(ts_of(message)) // 1_000_000 + cast.rng.randrange(2, 500)
    edited = {"ts": f"{second}.000000"}
    return edited if cast.rng.random() < 0.1 else {"user": message["user"], **edited}


def _show_roots(channel: Channel) -> None:
    """A broadcast shows its parent as it is now."""
    for message in channel.messages.values():
        if message.get("subtype") == "thread_broadcast":
            message["root"] = dict(channel.take(str(message["thread_ts"])))

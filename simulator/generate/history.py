"""What was said in one channel: roots and threads in time order, edits, reactions, broadcasts."""

import random
from typing import Any

from simulator.generate.cast import Cast
from simulator.generate.shapes import WEIGHTS, said
from simulator.generate.words import EMOJI, PLAIN
from simulator.slack.channel import Channel, ts_of
from simulator.slack.paging import micros, stamp

Json = dict[str, Any]

SPAN = 30 * 86_400 * 1_000_000  # Microseconds that a generated history covers.
OPEN_THREADS = 6
_SHAPES, _FREQUENCIES = list(WEIGHTS), list(WEIGHTS.values())


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
    _show_roots(channel)


def _times(rng: random.Random, count: int, anchor: int) -> list[int]:
    end = anchor * 1_000_000
    return sorted(rng.sample(range(end - SPAN, end), count))


def _opened(rng: random.Random, threads: list[Json], root: Json) -> list[Json]:
    """A new root may become a thread; the oldest open thread makes room."""
    if not threads or rng.random() < 0.15:
        return [*threads, root][-OPEN_THREADS:]
    return threads


def _root(cast: Cast, canary: str, us: int) -> Json:
    shape = cast.rng.choices(_SHAPES, _FREQUENCIES)[0]
    return _decorated(cast, {**shape(cast, canary), "ts": stamp(us)})


def _reply(cast: Cast, canary: str, us: int, parent: Json) -> Json:
    message = said(cast, f"{cast.rng.choice(PLAIN)} {canary}")
    message.update(ts=stamp(us), thread_ts=ts_of(parent))
    if "user" in parent:
        message["parent_user_id"] = parent["user"]
    if cast.rng.random() < 0.06:
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

"""What people do in a channel: write, reply, edit, delete. Each leaves the channel as Slack would show it."""

from typing import Any

from simulator.slack.channel import Channel, is_reply
from simulator.slack.paging import FOREVER, micros, stamp

Json = dict[str, Any]


def write(channel: Channel, message: Json) -> None:
    """Put a message in; a reply counts on its parent. Raises `SlackError` for a parent or a `ts` that cannot be."""
    thread = message.get("thread_ts")
    if thread:
        channel.take(str(thread))
    channel.add(message)
    if is_reply(message):
        channel.count_replies(micros(str(thread)))


def edit(channel: Channel, ts: str, text: str, by: str, second: int) -> Json:
    """Same `ts`, new text, `edited`, whose time Slack rounds to the second. Raises `SlackError`."""
    message = channel.take(ts)
    message["text"] = marked(text, channel)
    message["edited"] = {"user": message.get("user") or by, "ts": f"{second}.000000"}
    message.pop("blocks", None)
    channel.messages[micros(ts)] = message  # an export's messages are read anew each time
    return message


def marked(text: str, channel: Channel) -> str:
    """With the word that tells a generated channel's messages from all others."""
    return f"{text} {channel.canary}" if channel.canary else text


def free_ts(channel: Channel, us: int) -> str:
    """The first `ts` from `us` (microseconds) on that nothing in the channel has."""
    while us in channel.messages:
        us += 1
    return stamp(us)


def shown(channel: Channel) -> dict[str, str]:
    """`ts` → text of every message that somebody who reads all of the channel's history and threads gets to see.

    A `message_changed` shows the message that it wraps; tombstones, deletions and hidden notices show none.
    """
    history = channel.newest(0, FOREVER, len(channel.messages)).keys
    threads = [key for key in history if channel.messages[key].get("reply_count")]
    keys = dict.fromkeys([*history, *(reply for parent in threads for reply in channel.thread(parent))])
    found: dict[str, str] = {}
    for key in keys:
        message = channel.messages[key]
        if message.get("subtype") == "message_changed":
            message = message["message"]
        elif message.get("hidden") or message.get("subtype") in ("tombstone", "message_deleted", "message_replied"):
            continue
        found[str(message["ts"])] = str(message.get("text") or "")
    return found

"""One channel and everything that was said in it, in memory."""

from bisect import bisect_left, insort
from collections.abc import MutableMapping, Sequence
from typing import Any

from simulator.slack.paging import SlackError, Slice, bounds, micros, newest_first, oldest_first

Json = dict[str, Any]

NOTICE = "message_replied"
"""The subtype of what stands in a history and is no message, in no state."""


def ts_of(message: Json) -> str:
    """A message's `ts` as a string; old exports hold numbers."""
    return str(message.get("ts", ""))


def is_reply(message: Json) -> bool:
    """True for a message that lives in a thread and is not its parent."""
    thread = message.get("thread_ts")
    return bool(thread) and str(thread) != ts_of(message)


def thread_fields(parent: Json, replies: Sequence[Json]) -> Json:
    """What Slack shows of a thread on its parent; nothing where there are no replies."""
    if not replies:
        return {}
    users = list(dict.fromkeys(str(reply.get("user") or reply.get("bot_id")) for reply in replies))
    return {
        "thread_ts": ts_of(parent),
        "reply_count": len(replies),
        "reply_users_count": len(users),
        "latest_reply": ts_of(replies[-1]),
        "reply_users": users[:5],
        "is_locked": False,
        "subscribed": False,
    }


class Channel:
    """Messages by microsecond; history and threads are sorted lists of the same keys."""

    def __init__(self, record: Json, canary: str | None = None) -> None:
        self.record = record
        self.canary = canary
        self.messages: MutableMapping[int, Json] = {}
        self._history: list[int] = []
        self._threads: dict[int, list[int]] = {}

    @property
    def id(self) -> str:
        """Slack's channel id."""
        return str(self.record["id"])

    def counts(self) -> Json:
        """How many messages in all, how many of them in history, how many threads."""
        return {"messages": len(self.messages), "history": len(self._history), "threads": len(self._threads)}

    def records(self) -> int:
        """How many messages there are or, as what is left of them says, were. Looks at each."""
        return sum(1 for message in self.messages.values() if message.get("subtype") != NOTICE)

    def add(self, message: Json) -> None:
        """Put a message in. Raises `SlackError("ts_taken")` where its `ts` is in use."""
        key = micros(ts_of(message))
        if key in self.messages:
            raise SlackError("ts_taken")
        self.messages[key] = message
        if not is_reply(message) or message.get("subtype") == "thread_broadcast":
            insort(self._history, key)
        if is_reply(message):
            insort(self._threads.setdefault(micros(str(message["thread_ts"])), []), key)

    def count_replies(self, parent: int) -> None:
        """Set on the parent what Slack shows of its thread."""
        message = self.messages.get(parent)
        if message is None:
            return
        for name in ("reply_count", "reply_users_count", "reply_users", "latest_reply", "thread_ts"):
            message.pop(name, None)
        message.update(thread_fields(message, [self.messages[reply] for reply in self.thread(parent)]))
        self.messages[parent] = message

    def thread(self, parent: int) -> Sequence[int]:
        """The keys of a parent's replies, oldest first."""
        return self._threads.get(parent, [])

    def threads(self) -> list[int]:
        """The parents of all threads."""
        return list(self._threads)

    def take(self, ts: str) -> Json:
        """The message with this `ts`. Raises `SlackError("message_not_found")`."""
        message = self.messages.get(micros(ts, "message_not_found"))
        if message is None:
            raise SlackError("message_not_found")
        return message

    def remove(self, ts: str) -> None:
        """Delete as Slack does: gone, but a parent with replies leaves a tombstone."""
        message, key = self.take(ts), micros(ts)
        if self.thread(key):
            self._entomb(key, message)
            return
        del self.messages[key]
        _discard(self._history, key)
        if is_reply(message):
            parent = micros(str(message["thread_ts"]))
            _discard(self._threads.get(parent, []), key)
            if not self._threads.get(parent):
                self._threads.pop(parent, None)
            self.count_replies(parent)

    def _entomb(self, key: int, message: Json) -> None:
        kept: Json = {name: message[name] for name in ("ts", "thread_ts", "team") if name in message}
        words: Json = {"type": "message", "subtype": "tombstone", "user": "USLACKBOT", "hidden": True}
        self.messages[key] = {**words, "text": "This message was deleted.", **kept}
        self.count_replies(key)

    def history(self, oldest: str, latest: str, *, inclusive: bool, limit: int, start: str) -> Slice:
        """A page of history, newest first, from the `ts` a cursor points at ("" = the top)."""
        low, high = bounds(oldest, latest, inclusive=inclusive)
        if start:
            high = min(high, micros(start, "invalid_cursor"))
        return self.newest(low, high, limit)

    def newest(self, low: int, high: int, limit: int) -> Slice:
        """A page of history between two keys."""
        return newest_first(self._history, low, high, limit)

    def replies(self, parent: str, oldest: str, latest: str, *, inclusive: bool, limit: int, start: str) -> Slice:
        """A page of a thread, oldest first; the parent leads the first page whatever the bounds say."""
        key = micros(parent, "thread_not_found")
        if key not in self.messages:
            raise SlackError("thread_not_found")
        low, high = bounds(oldest, latest, inclusive=inclusive)
        found = self.thread(key)
        if start:
            return oldest_first(found, max(low, micros(start, "invalid_cursor")), high, limit)
        room = limit - 1
        page = oldest_first(found, low, high, room) if room else _nothing_yet(found, low, high)
        return Slice([key, *page.keys], page.next_key)


def _nothing_yet(keys: Sequence[int], low: int, high: int) -> Slice:
    first = oldest_first(keys, low, high, 1).keys
    return Slice([], first[0] if first else None)


def _discard(keys: list[int], key: int) -> None:
    at = bisect_left(keys, key)
    if at < len(keys) and keys[at] == key:
        del keys[at]

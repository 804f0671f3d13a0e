"""A channel of a zipped export: what the zip holds, and over it whatever was written, edited or deleted since."""

import heapq
import json
from collections.abc import Iterator, MutableMapping, Sequence
from itertools import islice, takewhile
from typing import Any

from simulator.export_days import Days
from simulator.slack.channel import Channel, is_reply, thread_fields
from simulator.slack.paging import Slice, micros

Json = dict[str, Any]


class Overlaid(MutableMapping[int, Json]):
    """The messages of a channel by microsecond. What is put in or taken out stays beside the zip, in memory."""

    def __init__(self, days: Days) -> None:
        self.days = days
        self.gone: set[int] = set()
        self._over: dict[int, Json] = {}
        self._new: set[int] = set()

    def __getitem__(self, key: int) -> Json:
        if key in self._over:
            return self._over[key]
        raw = None if key in self.gone else self.days.raw(key)
        if raw is None:
            raise KeyError(key)
        message: Json = json.loads(raw)
        if not message.get("reply_count"):  # older exports do not say what hangs below a parent
            message.update(thread_fields(message, self._replies(key)))
        return message

    def _replies(self, parent: int) -> list[Json]:
        raws = [self.days.raw(key) for key in self.days.replies(parent) if key not in self.gone]
        return [json.loads(raw) for raw in raws if raw is not None]

    def __setitem__(self, key: int, message: Json) -> None:
        if key in self.gone or self.days.raw(key) is None:
            self._new.add(key)
        self._over[key] = message

    def __delitem__(self, key: int) -> None:
        if key not in self:
            raise KeyError(key)
        self._over.pop(key, None)
        if key in self._new:
            self._new.discard(key)
        else:
            self.gone.add(key)

    def __contains__(self, key: object) -> bool:
        if key in self._over:
            return True
        return isinstance(key, int) and key not in self.gone and self.days.raw(key) is not None

    def __iter__(self) -> Iterator[int]:
        kept = (key for key in self.days.keys() if key not in self.gone)  # noqa: SIM118 - Days is no mapping
        return heapq.merge(kept, sorted(self._new))

    def __len__(self) -> int:
        return self.days.index.counts[0] - len(self.gone) + len(self._new)


class ExportedChannel(Channel):
    """As a channel in memory, of which the zip is the greater part; the base class holds what was added since."""

    def __init__(self, record: Json, days: Days) -> None:
        super().__init__(record)
        self.days = days
        self.overlaid = Overlaid(days)
        self.messages = self.overlaid
        self._gone_of_history = 0

    def counts(self) -> Json:
        """As a channel in memory has them."""
        history = self.days.index.counts[1] - self._gone_of_history + len(self._history)
        return {"messages": len(self.messages), "history": history, "threads": len(self.threads())}

    def take(self, ts: str) -> Json:
        """The message, from now on in memory: whoever takes it may change it."""
        message = super().take(ts)
        self.messages[micros(ts)] = message
        return message

    def threads(self) -> list[int]:
        """The parents of all threads that have a reply left."""
        exported = [parent for parent in self.days.index.parents if self.thread(parent)]
        return list(dict.fromkeys([*exported, *super().threads()]))

    def thread(self, parent: int) -> Sequence[int]:
        """The zip's and our own, in one order."""
        kept = [key for key in self.days.replies(parent) if key not in self.overlaid.gone]
        own = super().thread(parent)
        return sorted([*kept, *own]) if own else kept

    def remove(self, ts: str) -> None:
        """Delete as Slack does."""
        key = micros(ts, "message_not_found")
        message, was_new = self.take(ts), self._is_new(key)
        super().remove(ts)
        in_history = not is_reply(message) or message.get("subtype") == "thread_broadcast"
        self._gone_of_history += in_history and not was_new and key not in self.messages

    def newest(self, low: int, high: int, limit: int) -> Slice:
        """A page of history: the days are opened from `high` down, as far as the page reaches."""
        kept = (key for key in self.days.history(high) if key not in self.overlaid.gone)
        own = (key for key in reversed(self._history) if key <= high)
        keys = list(islice(takewhile(lambda key: key >= low, heapq.merge(kept, own, reverse=True)), limit + 1))
        return Slice(keys[:limit], keys[limit] if len(keys) > limit else None)

    def _is_new(self, key: int) -> bool:
        return key in self._history or any(key in keys for keys in self._threads.values())

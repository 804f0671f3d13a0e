"""A channel's messages as Slack would show them for a run: history newest first, threads oldest first, pages of two."""

from dataclasses import dataclass, field
from typing import Any

from pulls_world import Pulls, page
from sluice import Sluice, now_us

from pipeline.rules.versions import ts_us, us_ts
from pipeline.rules.windows import DAY_US, HOUR_US
from pipeline.store.runs import Attempt

Json = dict[str, Any]
PAGE = 2
TODAY = now_us()


@dataclass
class Channel:
    """Messages by `ts`. What is deleted is gone, as in Slack; a parent with replies leaves a tombstone."""

    id: str
    messages: dict[str, Json] = field(default_factory=dict)

    def post(self, ts: str, text: str = "", *, thread: str = "", broadcast: bool = False) -> str:
        self.messages[ts] = {"type": "message", "user": "U1", "ts": ts, "text": text or f"text {ts}"}
        if thread:
            self.messages[ts] |= {"thread_ts": thread} | ({"subtype": "thread_broadcast"} if broadcast else {})
        return ts

    def edit(self, ts: str, text: str, at: str) -> None:
        self.messages[ts] |= {"text": text, "edited": {"user": "U1", "ts": at}}

    def delete(self, ts: str) -> None:
        if self.replies(ts):
            kept = {
                "type": "message",
                "subtype": "tombstone",
                "user": "USLACKBOT",
                "ts": ts,
                "text": "gone",
                "hidden": True,
            }
            self.messages[ts] = kept
        else:
            del self.messages[ts]

    def replies(self, ts: str) -> list[str]:
        return sorted(one for one, said in self.messages.items() if said.get("thread_ts") == ts != one)

    def shown(self, ts: str) -> Json:
        """As an answer holds it: a parent tells of its thread."""
        said, replies = dict(self.messages[ts]), self.replies(ts)
        if replies:
            said |= {"thread_ts": ts, "reply_count": len(replies), "latest_reply": replies[-1]}
        return said

    def history(self, oldest: int, latest: int) -> list[Json]:
        return [
            self.shown(ts)
            for ts, said in sorted(self.messages.items(), reverse=True)
            if oldest < ts_us(ts) <= latest
            if said.get("thread_ts") in (None, ts) or said.get("subtype") == "thread_broadcast"
        ]

    def thread(self, ts: str, latest: int) -> list[Json]:
        replies = [one for one in self.replies(ts) if ts_us(one) <= latest]
        return [self.shown(one) for one in (ts, *replies) if one in self.messages]

    def truth(self) -> dict[str, str]:
        """`ts` → text of what is there."""
        return {ts: said["text"] for ts, said in self.messages.items() if said.get("subtype") != "tombstone"}


def pages(channel: Channel, attempt: Attempt) -> list[Json]:
    """What the workflow posts for one channel of a run."""
    run = attempt.run
    if run.thread_ts:
        return _cut(channel, channel.thread(run.thread_ts, run.latest), thread_ts=run.thread_ts)
    shown = channel.history(run.oldest, run.latest)
    made = _cut(channel, shown)
    for parent in shown if run.replies else ():
        if parent.get("reply_count"):
            made += _cut(channel, channel.thread(parent["ts"], run.latest), thread_ts=parent["ts"])
    return made


def _cut(channel: Channel, messages: list[Json], **said: Any) -> list[Json]:
    cursors = ["", *(f"c{number}" for number in range(1, -(-len(messages) // PAGE)))]
    return [
        page(
            channel.id,
            cursor=cursor,
            next_cursor=cursors[number + 1] if number + 1 < len(cursors) else "",
            has_more=number + 1 < len(cursors),
            messages=messages[number * PAGE : (number + 1) * PAGE],
            **said,
        )
        for number, cursor in enumerate(cursors)
    ]


def delivered(sluice: Sluice, channel: str) -> dict[str, str]:
    """`ts` → text of the channel in the mesh."""
    found = sluice.live().values()
    return {one["ts"]: one["text"] for one in found if one["channel"] == channel and not one["deleted"]}


def yesterday(second: int, days: int = 1) -> str:
    """A `ts` in the middle of a day past."""
    return us_ts((TODAY // DAY_US - days) * DAY_US + 12 * HOUR_US + second * 1_000_000)


def tomorrow(days: int = 1) -> int:
    return TODAY + days * DAY_US


def settle(pulls: Pulls, *channels: Channel, at: int | None = None) -> list[str]:
    """Ask for whatever is wanted at that time, answer it from Slack, until nothing is wanted; the kinds asked for."""
    kinds, at = [], at or TODAY
    known = {channel.id: channel for channel in channels}
    for _ in range(60):
        names = pulls.plan(at=at)
        if not names:
            return kinds
        for name in names:
            attempt = pulls.ask(name)
            kinds.append(attempt.run.kind)
            pulls.answer(attempt, *(one for channel in attempt.channels for one in pages(known[channel], attempt)))
            pulls.looked(at=now_us() + 1_000_000)
    raise AssertionError("the plans never end")

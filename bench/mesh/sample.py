"""The records that are sent: the size and shape of a delivered Slack message."""

import random

from pydantic import BaseModel

BATCH = 2_000
_draw = random.Random(8675)
_WORDS = ["".join(_draw.choices("etaoinshrdlucmfw", k=_draw.randint(2, 9))) for _ in range(3_000)]
"""A vocabulary of some size: ten words would compress to nothing, and flatter the codings."""


class Message(BaseModel):
    """As `message` of Sluice's own models, the fields that a fence looks at included."""

    id: str
    version: str
    deleted: bool = False
    team: str = "T0001"
    channel: str
    ts: str
    ts_us: int
    author_id: str
    author_kind: str = "user"
    text: str
    source_text: str
    sent_at: str = "2026-01-01T00:00:00Z"
    lane: str = "history"
    thread_ts: str | None = None
    reactions: list[dict[str, str | int]] = []
    mentions: list[str] = []


def message(number: int) -> Message:
    """The `number`th message: no two have the same id or the same text."""
    moment = 1_700_000_000_000_000 + number * 1_000_003
    ts = f"{moment // 1_000_000}.{moment % 1_000_000:06d}"
    channel = f"C{number % 40:04d}"
    words = random.Random(number).choices(_WORDS, k=6 + number % 25)
    text = " ".join([*words, str(number)])
    return Message(
        id=f"T0001:{channel}:{ts}",
        version=f"{moment:016d}{moment:016d}",
        channel=channel,
        ts=ts,
        ts_us=moment,
        author_id=f"U{number % 250:04d}",
        text=text,
        source_text=text,
        reactions=[{"name": "eyes", "count": number % 5}],
        mentions=[f"U{number % 97:04d}"],
    )


def ndjson(start: int) -> bytes:
    """The batch that begins with message `start`, as it goes over the wire before compression."""
    return b"".join(message(number).model_dump_json().encode() + b"\n" for number in range(start, start + BATCH))

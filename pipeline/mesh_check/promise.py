"""A promise that Sluice relies on, as records to send and what must be there in the end. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.models import Internal, Message, Retraction
from pipeline.rules.versions import epoch_digits, us_ts, version

Group = Literal["delivery", "order", "revocation"]
TEAM = "TSCRATCH"
_STEPS = 100
"""Epochs that one check uses: what comes after them is newer than anything that it sent."""

Sends = Sequence[tuple[str, Sequence[Internal]]]
Ends = dict[tuple[str, str], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Promise:
    """`sends` go out in order, one call each. `ends` says what is there then: fields of a record, or None for none."""

    name: str
    group: Group
    kept: str
    broken: str
    sends: Sends
    ends: Ends

    @property
    def models(self) -> set[str]:
        """The models that are sent."""
        return {model for model, _ in self.sends}

    def remains(self, epoch: int) -> Iterator[tuple[str, list[Internal]]]:
        """Deletions of everything that was sent, newer than all of it."""
        for model in sorted(self.models - {"retraction"}):
            sent = {record.id: record for name, records in self.sends if name == model for record in records}
            update = {"version": version(epoch + _STEPS), "deleted": True}
            yield model, [record.model_copy(update=update) for record in sent.values()]


def message(channel: str, at: int, epoch: int, text: str = "", **said: Any) -> Message:
    """A message of a scratch channel, read at `epoch`; `at` is its time in microseconds."""
    ts = us_ts(at)
    fields = {"lane": "history", "source_text": text, "sent_at": "2026-01-01T00:00:00.000000+00:00", **said}
    return Message(
        id=f"{TEAM}:{channel}:{ts}",
        version=version(epoch, at),
        team=TEAM,
        channel=channel,
        ts=ts,
        ts_us=at,
        text=text,
        **fields,
    )


def fence(name: str, below: int, target: str = "message", **said: Any) -> Retraction:
    """A retraction in a scratch channel; `match`, `after`, `until` narrow it."""
    match = {"team": TEAM, "channel": name} | said.pop("match", {})
    scope = ":".join([target, *match.values(), *(str(bound) for bound in said.values())])
    return Retraction(
        id=scope,
        version=version(below),
        target=target,
        match=match,
        below=epoch_digits(below),
        reason="mesh_check",
        **said,
    )


def there(*records: Internal, **said: Any) -> Ends:
    """These records are there, with these versions and fields."""
    return {(record.model, record.id): {"version": record.version, **said} for record in records}


def gone(*records: Internal) -> Ends:
    """These records are not there."""
    return {(record.model, record.id): None for record in records}

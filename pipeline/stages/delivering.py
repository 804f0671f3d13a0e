"""deliver: records to the mesh, in large batches however small the callbacks are, each held against the list again."""

from collections.abc import Iterator
from itertools import groupby

from pipeline.batch import Batch, Dead, Mapped, Work
from pipeline.delivery import MOST_RECORDS
from pipeline.errors import Unavailable
from pipeline.models import AllowedSlackChannel, Internal, Message
from pipeline.rules.allowlist import Allowed
from pipeline.rules.exclusion import person_of
from pipeline.stages.stores import Stores
from pipeline.store.allowlists import allowed_record
from pipeline.store.pauses import PausedError

BUDGET_US = 60 * 1_000_000

_Sent = tuple[Work, Mapped]


def deliver_records(stores: Stores, batch: Batch) -> Batch:
    """The batch with outcomes. An outage holds back the entries that it concerns; the others go on.

    A mesh that is only slow must not keep a batch from ever ending: past the budget, whatever has not begun is held
    and comes again. The entry that came first runs to its end, however long that takes.
    """
    until = stores.now_us() + BUDGET_US
    first = next(iter(batch.live()), None)
    away: dict[str, Unavailable] = {}
    for (org, model), slice_ in _slices(batch):
        if stores.now_us() > until and all(work is not first for work, _ in slice_):
            away.setdefault(org, Unavailable("mesh slow"))
        if batch.known is not None and org not in away and stores.pauses.of(batch.known.connection):
            away[org] = PausedError()
        if org not in away:
            try:
                _send(stores, batch, org, model, slice_)
            except Unavailable as outage:
                away[org] = outage
        if org in away:
            for work, _ in slice_:
                work.held = away[org]
    return batch


def _slices(batch: Batch) -> Iterator[tuple[tuple[str, str], list[_Sent]]]:
    """At most one mesh batch each, of one organisation and model; retractions first, since they end things."""
    everything = [(work, mapped) for work in batch.live() for mapped in work.mapped]
    everything.sort(key=_order)
    for place, group in groupby(everything, key=lambda sent: _order(sent)[1:]):
        members = list(group)
        for i in range(0, len(members), MOST_RECORDS):
            yield (place[0], place[1]), members[i : i + MOST_RECORDS]


def _order(sent: _Sent) -> tuple[bool, str, str]:
    work, mapped = sent
    return mapped.record.model != "retraction", work.org, mapped.record.model


def _send(stores: Stores, batch: Batch, org: str, model: str, waiting: list[_Sent]) -> None:
    """One call of the mesh. The allowlist is read just before it: revocation wins the race or is fenced behind it."""
    lists: dict[str, Allowed] = {}
    excluded = stores.people.excluded(org)
    passing: list[tuple[Work, Mapped, Internal]] = []
    for work, mapped in waiting:
        record = None
        if person_of(mapped.record) in excluded:
            work.dropped[f"excluded.{model}"] += 1
        elif (record := _admitted(stores, batch, org, mapped.record, lists)) is None:
            work.dropped[f"{_refusal(mapped.record, lists)}.{model}"] += 1
        if record is not None:
            passing.append((work, mapped, record))
    refused = stores.mesh.send(org, model, [record for _, _, record in passing]) if passing else {}
    for index, (work, mapped, record) in enumerate(passing):
        if index in refused:
            work.dead.append(Dead(f"mesh_{refused[index]}", mapped.raw, model, record.id, record.version))
        else:
            work.delivered[model] += 1


def _admitted(stores: Stores, batch: Batch, org: str, record: Internal, lists: dict[str, Allowed]) -> Internal | None:
    """The record as it may go out, or None. A channel's own record says who allowed it and when.

    What admit kept back stays so: a pause that its own page caused is not written yet.
    """
    if not isinstance(record, Message | AllowedSlackChannel):
        return record
    if record.team not in lists:
        lists[record.team] = stores.allowlists.admissible(org, record.team).without(batch.allowed.kept_back)
    if isinstance(record, AllowedSlackChannel) and stores.allowlists.refuses(record):
        lists[record.team] = lists[record.team].without({record.channel: "direct_message"})
    allowed = lists[record.team]
    if not allowed.admits(record.channel):
        return None
    if isinstance(record, AllowedSlackChannel) and record.allowed_by is None:
        first = allowed.first(record.channel)
        return record if first is None else allowed_record(record, *first, int(record.version[:16]))
    return record


def _refusal(record: Internal, lists: dict[str, Allowed]) -> str:
    assert isinstance(record, Message | AllowedSlackChannel)  # noqa: S101 - nothing else is refused
    return lists[record.team].refusal(record.channel)

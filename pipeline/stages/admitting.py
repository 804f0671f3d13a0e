"""admit: fail closed. What the list does not plainly allow is counted, dropped, and nothing of it is kept."""

from pipeline.batch import Batch, Work
from pipeline.rules.allowlist import Allowed
from pipeline.stages.stores import Stores


def admit_records(stores: Stores, batch: Batch) -> Batch:
    """The batch without the messages of channels that are not allowed now. The list is read once, after the take.

    Channels and users pass: the first are held against the list one by one before they are sent, and the directory
    (sealed, for the picker) knows them all; the second need no list once their team is registered. Whoever was erased
    is read here too; only a mapped record tells for certain whose it is.
    """
    works = batch.live()
    if batch.known is None or not works:
        return batch
    batch.allowed = stores.allowlists.effective(works[0].org, batch.team)
    batch.excluded = stores.people.excluded(works[0].org)
    for work in works:
        _admit(work, batch.allowed)
    return batch


def _admit(work: Work, allowed: Allowed) -> None:
    envelope = work.envelope
    if envelope is None or envelope.kind != "messages" or allowed.admits(envelope.channel):
        return
    work.dropped[f"{allowed.refusal(envelope.channel)}.message"] += len(work.raw)
    work.raw = []

"""admit: fail closed. What the list does not plainly allow is counted, dropped, and nothing of it is kept."""

from collections.abc import Iterator
from contextlib import suppress

from pipeline.batch import Batch, Work
from pipeline.belonging import hold_to_team
from pipeline.errors import Rejected
from pipeline.models import AllowedSlackChannel
from pipeline.rules.allowlist import Allowed, DropReason
from pipeline.rules.identity import Evidence
from pipeline.slack.directory import earlier_names, map_channel
from pipeline.slack.notices import channel_notice
from pipeline.stages.stores import Stores


def admit_records(stores: Stores, batch: Batch) -> Batch:
    """The batch without the messages of channels that are not allowed now. The list is read once, after the take.

    Channels and users pass, if they can be of the connection's team: the first are held against the list one by one
    before they are sent, and the directory (sealed, for the picker) knows them all; the second need no list once their
    team is registered. Whoever was erased is read here too; only a mapped record tells for certain whose it is.

    What a page of this very batch tells of a channel (another id, another company, a direct message) keeps it back at
    once; settle writes the pause.
    """
    if batch.known is not None:
        hold_to_team(stores, batch.live(), batch.team)
    works = batch.live()
    if batch.known is None or not works:
        return batch
    org, shown = works[0].org, list(_channels(works, batch.team))
    seen, earlier = [record for record, _ in shown], {record.channel: names for record, names in shown}
    pages = {work.envelope.channel or "" for work in works if work.envelope and work.envelope.kind == "messages"}
    batch.allowed = stores.allowlists.admissible(org, batch.team, pages)
    notices = list(_notices(works, batch.team))
    batch.judged = stores.channel_pauses.judge(org, batch.team, batch.allowed, notices, seen, earlier)
    reasons: dict[str, DropReason] = {one.channel: "channel_paused" for one in batch.judged.judgement.pauses}
    reasons |= {record.channel: "direct_message" for record in seen if stores.allowlists.refuses(record)}
    batch.allowed = batch.allowed.without(reasons)
    batch.excluded = stores.people.excluded(org)
    for work in works:
        _admit(work, batch.allowed)
    return batch


def _channels(works: list[Work], team: str) -> Iterator[tuple[AllowedSlackChannel, frozenset[str]]]:
    """The channels that the directory pages show, with their earlier names; map says of each by itself what is wrong
    with it.
    """
    for work in works:
        for raw in work.raw if work.header.kind == "channels" else ():
            with suppress(Rejected):
                yield map_channel(raw, team=team, epoch=work.epoch), earlier_names(raw)


def _notices(works: list[Work], team: str) -> Iterator[Evidence]:
    for work in works:
        for raw in work.raw if work.header.kind == "messages" else ():
            channel = (work.envelope.channel if work.envelope else None) or ""
            if notice := channel_notice(raw, team=team, channel=channel):
                yield notice


def _admit(work: Work, allowed: Allowed) -> None:
    envelope = work.envelope
    if envelope is None or envelope.kind != "messages" or allowed.admits(envelope.channel):
        return
    work.dropped[f"{allowed.refusal(envelope.channel)}.message"] += len(work.raw)
    work.raw = []

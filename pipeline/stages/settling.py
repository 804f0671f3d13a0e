"""settle: one script ends the entries: ledger page, directory, dead letters, counters and receipts with them."""

import json
import logging
from collections import Counter
from collections.abc import Callable
from functools import cache

from pipeline.batch import Batch, Dead, Work
from pipeline.belonging import of_another_team
from pipeline.envelope import Envelope
from pipeline.errors import Refused, Rejected
from pipeline.models import AllowedSlackChannel, Retraction, User
from pipeline.revocations import revocation
from pipeline.rules.coverage import Flaw, page_facts
from pipeline.rules.regimes import Page
from pipeline.rules.versions import ts_us
from pipeline.stages.stores import Stores
from pipeline.store import census, counters, receipts, removals
from pipeline.store.dead_letters import DeadLetter, bury, bury_sealed
from pipeline.store.inbox import Inbox, Taken
from pipeline.store.keys import Keys
from pipeline.store.pauses import PausedError
from pipeline.store.runs import Run
from pipeline.store.scripts import Changes

FindRun = Callable[[str], Run | None]
_log = logging.getLogger(__name__)


def settle_entries(stores: Stores, inbox: Inbox, batch: Batch) -> Counter[str]:
    """End what nobody's outage holds back, and park the member for the rest; counts for the task's result.

    Purged entries are settled apart: they must not be kept back by a generation that moved on meanwhile.
    """
    now = stores.now_us()
    done: Counter[str] = Counter()
    free = [work for work in batch.works if work.held is None]
    for works, generation in (
        ([work for work in free if work.purged], None),
        ([work for work in free if not work.purged], batch.known.generation if batch.known else None),
    ):
        if works:
            done += _settle(stores, inbox, batch, works, generation, now)
    held = next((work.held for work in batch.works if work.held is not None), None)
    if held is not None:
        if isinstance(held, Refused):
            _log.error("delivery.refused", extra={"member": batch.taken.member, "kind": held.what})
        inbox.park(batch.taken.member, held.retry_after)
        if isinstance(held, PausedError):
            stores.pauses.parked(batch.taken.member)
        done["held"] += len(batch.works) - len(free)
    return done


def _settle(
    stores: Stores, inbox: Inbox, batch: Batch, works: list[Work], generation: int | None, now: int
) -> Counter[str]:
    changes = inbox.changes(batch.taken.member)
    counts: Counter[str] = Counter()
    find = cache(stores.ledger.get)  # a batch is mostly pages of one run
    for work in works:
        _write(stores, changes, inbox.keys, batch, work, find, now)
        counts += _counts(work, stores.mesh.outcome)
    if batch.judged is not None and generation is not None:
        stores.channel_pauses.write(changes, stores.events, batch.judged, now)
    counters.add(changes, inbox.keys, counts)
    census.add(stores.client, changes, inbox.keys, _unknown(works))
    removals.add(stores.client, changes, inbox.keys, works[0].org, "waiting", _removed(batch, works))
    part = Taken(batch.taken.member, [work.stored for work in works], batch.taken.alone, batch.taken.crashes)
    said = inbox.settle(part, generation, changes)
    return counts if said == "settled" else Counter({said: len(works)})


def _unknown(works: list[Work]) -> Counter[tuple[str, str]]:
    """What the pages held that this version does not know; of pages that are held back it is counted when they come."""
    found: Counter[tuple[str, str]] = Counter()
    for work in works:
        found.update(work.census.counts)
    return found


def _removed(batch: Batch, works: list[Work]) -> Counter[str]:
    """What a list that was narrowed, or a disconnect, kept from the mesh: records of a channel, callbacks of a
    connection.
    """
    found: Counter[str] = Counter()
    for work in works:
        if work.purged:
            found[work.header.connection] += 1
        elif channel := _channel(work):
            dropped = (work.dropped[f"{reason}.message"] for reason in ("not_allowed", "no_list"))
            found[f"{batch.team}|{channel}"] += sum(dropped)
    return +found


def _write(stores: Stores, changes: Changes, keys: Keys, batch: Batch, work: Work, find: FindRun, now: int) -> None:
    if work.live:
        for record in work.directory:
            if isinstance(record, AllowedSlackChannel | User):
                stores.directory.put(changes, work.org, record)
        _forget(stores, changes, work)
        if work.envelope is not None and work.header.kind != "messages":
            _directory_page(stores, changes, keys, work, work.envelope)
        elif work.envelope is not None:
            _page(stores, changes, keys, batch, work, work.envelope, find(work.header.run or ""))
    _tell(stores, changes, keys, work, now)
    _bury(stores, changes, keys, work, now)
    facts = {"kind": work.header.kind, "connection": work.header.connection, "at": work.header.received_at}
    counts = {"delivered": work.delivered.total(), "dropped": dict(work.dropped), "dead": len(work.dead)}
    if work.header.receipt:
        receipts.record(changes, keys, work.header.receipt, _state(work), **facts, **counts, settled_at=now)


def _forget(stores: Stores, changes: Changes, work: Work) -> None:
    """Drop the names of the erased once more: a page that was under way may have brought them back meanwhile."""
    for mapped in work.mapped:
        fence = mapped.record
        if isinstance(fence, Retraction) and "user_id" in fence.match:
            stores.directory.forget(changes, work.org, fence.match["team"], fence.match["user_id"])


def _tell(stores: Stores, changes: Changes, keys: Keys, work: Work, now: int) -> None:
    """Tell the core service of a revocation that is in the mesh: all of it, and not only counted."""
    if work.header.kind != "effect" or not work.live or work.dead or stores.mesh.outcome != "delivered":
        return
    records = [mapped.record for mapped in work.mapped]
    done = revocation(work.header.connection, work.header.receipt, records, now)
    if done is not None:
        stores.events.append(changes, keys, done)


def _state(work: Work) -> str:
    """How a callback ends."""
    if work.purged:
        return "purged"
    if work.sealed_death or work.dead:
        return "dead"
    return "nothing_allowed" if work.dropped and not work.delivered else "delivered"


def _counts(work: Work, outcome: str) -> Counter[str]:
    counts = Counter({f"settled.{_state(work)}": 1, f"callbacks.{work.header.kind}": 1})
    counts.update({f"dropped.{reason}": number for reason, number in work.dropped.items()})
    counts.update({f"{outcome}.{model}": number for model, number in work.delivered.items()})
    for dead in work.dead:
        counts[f"dead.{dead.reason}"] += 1
    if work.sealed_death:
        counts[f"dead.{work.sealed_death}"] += 1
    if work.envelope is not None and work.envelope.gap:
        counts["gaps"] += 1
    return counts


def _bury(stores: Stores, changes: Changes, keys: Keys, work: Work, now: int) -> None:
    header = work.header
    if work.sealed_death:
        _log.error("entry.dead", extra={"receipt": header.receipt, "reason": work.sealed_death, "shard": keys.shard})
        letter = DeadLetter(
            header.receipt, header.connection, work.sealed_death, now, generation=header.generation, epoch=work.epoch
        )
        bury_sealed(changes, keys, letter, work.stored.header, work.stored.sealed)
    for dead in work.dead:
        if dead.model == "retraction":
            _log.error("retraction.dead", extra={"receipt": header.receipt, "reason": dead.reason})
        named = (dead.model, dead.id, dead.version, header.generation, _channel(work), work.epoch)
        letter = DeadLetter(header.receipt, header.connection, dead.reason, now, *named)
        bury(changes, keys, stores.vault, letter, _raw(dead))


def _channel(work: Work) -> str | None:
    """The channel whose messages it holds, where it said."""
    return work.envelope.channel if work.envelope is not None and work.header.kind == "messages" else None


def _raw(dead: Dead) -> bytes:
    """The raw record, ASCII-escaped so that half a surrogate pair survives."""
    return json.dumps(dead.raw, default=lambda _: None).encode()


def _directory_page(stores: Stores, changes: Changes, keys: Keys, work: Work, envelope: Envelope) -> None:
    """A page of an execution that has no name can be chained to no other: it proves nothing but a snapshot."""
    if not (envelope.run_id or envelope.snapshot):
        return
    gap = envelope.gap or of_another_team(work)
    stores.directory_runs.page(
        changes,
        keys,
        work.header.connection,
        work.header.generation,
        work.header.kind,
        envelope.run_id or work.header.receipt,
        cursor=None if gap else envelope.cursor,
        next_cursor=envelope.next_cursor,
        has_more=envelope.has_more,
        snapshot=bool(envelope.snapshot) and not gap,
    )


def _page(
    stores: Stores,
    changes: Changes,
    keys: Keys,
    batch: Batch,
    work: Work,
    envelope: Envelope,
    run: Run | None,
) -> None:
    """Write what this page proves into the ledger of its run, if anybody still wants to know."""
    if run is None or not run.open or run.connection != work.header.connection or work.header.attempt is None:
        return
    if not envelope.thread_ts:
        page = Page(envelope.error, envelope.count, bool(envelope.has_more), run.limit)
        stores.rates.note(changes, work.org, run.team, page)
    facts = _facts(work, envelope) if _proves(batch, work, envelope, run) else []
    stores.ledger.page(changes, keys, run, work.header.attempt, facts, len(work.dead))


def _proves(batch: Batch, work: Work, envelope: Envelope, run: Run) -> bool:
    """A page that was dropped, is a gap, names no lane, or is older than the channel's last allow proves nothing."""
    if envelope.thread_ts is None or not _spans(envelope, run):
        return False
    since = batch.allowed.since(envelope.channel or "", work.header.connection)
    dropped = any(not reason.startswith(("notice.", "excluded.")) for reason in work.dropped)
    gap = envelope.gap and not _no_such_thread(envelope)
    return not gap and not dropped and since is not None and work.epoch >= since


def _no_such_thread(envelope: Envelope) -> bool:
    """Whether Slack refused a page because there is no such thread any more: that is an answer, and the last one."""
    return bool(envelope.thread_ts) and envelope.error == "thread_not_found"


def _spans(envelope: Envelope, run: Run) -> bool:
    """Whether the page was asked for the whole of the run's window, as far as it says with which bounds."""
    try:
        early = envelope.thread_ts or envelope.oldest is None or ts_us(envelope.oldest) <= run.oldest + 1
        return bool(early) and (envelope.latest is None or ts_us(envelope.latest) >= run.latest)
    except Rejected:
        return False


def _flaws(work: Work, envelope: Envelope) -> list[Flaw]:
    """What keeps the page from proving that a message is gone."""
    flaws: list[Flaw] = ["limited"] if envelope.is_limited else []
    return [*flaws, "dead"] if work.dead else flaws


def _facts(work: Work, envelope: Envelope) -> list[str]:
    return page_facts(
        envelope.channel or "",
        envelope.thread_ts or "",
        cursor=envelope.cursor,
        next_cursor=envelope.next_cursor,
        has_more=envelope.has_more,
        shows=work.shows,
        flaws=_flaws(work, envelope),
        missing=_no_such_thread(envelope),
    )

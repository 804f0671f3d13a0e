"""open: read the clear headers, set aside what an older generation left, unseal the rest."""

from dataclasses import replace

from pipeline.batch import Batch, Work
from pipeline.errors import Rejected, Unavailable
from pipeline.rules.versions import epoch_of_entry
from pipeline.stages.stores import Stores
from pipeline.store.connections import Registration
from pipeline.store.entries import SCHEMA, Header, open_entry, read_header
from pipeline.store.inbox import CRASHES_BEFORE_DEATH, Stored, Taken
from pipeline.store.keys import effects_of, is_effects
from pipeline.store.pauses import PausedError

MOST_PLAIN_BYTES = 16 * 1024 * 1024
"""In one batch, unless a single entry is larger."""


def open_entries(stores: Stores, taken: Taken) -> Batch:
    """The batch with plain payloads. Entries of an older generation stay sealed and end as purged.

    A key that the ring lacks holds back what it sealed, a pause everything but what is purged. Raises `Unavailable`
    where the team cannot be found out yet.
    """
    known = None if is_effects(taken.member) else _known(stores, taken.member)
    batch = Batch(taken, known, [_work(taken, stored) for stored in taken.entries])
    paused = known is not None and bool(stores.pauses.of(known.connection))
    opened = 0
    for number, work in enumerate(batch.works):
        if opened > MOST_PLAIN_BYTES:
            # What compresses a thousandfold waits for the next take: memory is bounded by what is in clear.
            batch.works = batch.works[:number]
            break
        if not work.live:
            continue
        if known is not None and _outdated(work.header, known):
            work.purged = True
        elif paused:
            work.held = PausedError()
        elif taken.crashes >= CRASHES_BEFORE_DEATH:
            work.die("crashes")
        else:
            _open(stores, work)
            opened += len(work.plain)
    if known is not None and known.team is None and batch.live():
        batch.known = replace(known, team=_fix_team(stores, known))
    return batch


def _known(stores: Stores, connection: str) -> Registration:
    """A connection without a registration is treated as one that was disconnected."""
    found = stores.connections.get(connection)
    return found or Registration(connection, 0, False, None, 0, 0, None, None, None)


def _outdated(header: Header, known: Registration) -> bool:
    return not known.live or header.generation < known.generation


def _work(taken: Taken, stored: Stored) -> Work:
    """One entry; a header that cannot be read, or that names another connection, is a death of its own."""
    try:
        header = read_header(stored.header)
    except Rejected as error:
        work = Work(stored, _nobody(taken), 0)
        work.die(error.reason)
        return work
    work = Work(stored, header, header.epoch if header.epoch is not None else epoch_of_entry(stored.id))
    if header.schema != SCHEMA:
        work.die("unknown_schema")
    elif taken.member not in (header.connection, effects_of(work.org)):
        work.die("moved")
    return work


def _nobody(taken: Taken) -> Header:
    connection = f"unknown/{taken.member}" if is_effects(taken.member) else taken.member
    return Header("", "unknown", connection, 0, None, None, None, 0, SCHEMA, "")


def _open(stores: Stores, work: Work) -> None:
    try:
        work.plain = open_entry(stores.vault, work.header, work.stored.header, work.stored.sealed)
    except Rejected as error:
        work.die(error.reason)
    except Unavailable as outage:
        work.held = outage


def _fix_team(stores: Stores, known: Registration) -> str:
    """Whoever says no (Paragon, or a team fixed meanwhile), the entries are good and wait for a person."""
    try:
        team = stores.find_team(known.connection)
        stores.connections.fix_team(known.connection, team, known.generation)
    except Rejected as refusal:
        raise Unavailable(refusal.reason, retry_after=300.0) from refusal
    return team

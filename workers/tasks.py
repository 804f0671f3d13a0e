"""Celery tasks: decode and one call. Messages carry a shard number, an id or a slot, never data.

Results are counts or a word, readable in Flower. The broker is not trusted: what is no shard, id or slot of ours is
`refused` before the store is asked. Outages of others are results too; whatever fails otherwise is a bug and is loud.
"""

import logging
from typing import Any

from celery import Celery, shared_task
from celery.signals import worker_process_init

from pipeline import flow
from pipeline.errors import Rejected, Unavailable
from pipeline.store.durability import NotDurableError
from pipeline.store.events import item
from pipeline.store.purging import purge
from pipeline.store.shard import late
from pipeline.store.upkeep import upkeep as keep_up
from settings import Settings, SettingsError
from workers import deathsig, lifecycle
from workers.names import DISPATCH, DRAIN, LOOK, PATCH_METADATA, TELL, TRIGGER, UPKEEP

REFUSED = "refused"
UNAVAILABLE = "unavailable"
_SEND_EXPIRES_SECONDS = 60
_LONGEST_ID = 1024

_process: lifecycle.Process | None = None
_log = logging.getLogger(__name__)


@worker_process_init.connect
def _begin(**_: Any) -> None:
    """Connect after the fork, and die with the parent: an orphan would go on draining unseen."""
    global _process
    deathsig.die_with_parent()
    try:
        _process = lifecycle.start(Settings.load("worker"))
    except (NotDurableError, SettingsError) as error:
        _log.error("start.refused", extra={"says": str(error)})  # Celery logs what is raised without its text
        raise


def process() -> lifecycle.Process:
    """This process's stores; made at the first use where no fork made them (solo and thread pools)."""
    global _process
    if _process is None:
        _process = lifecycle.start(Settings.load("worker"))
    return _process


@shared_task(name=DRAIN, bind=True)
def drain(self: Any, shard: int) -> dict[str, int]:
    """Work through one shard."""
    try:
        stores = process().stores
        if type(shard) is not int or not 0 <= shard < stores.shards.count:
            return {_refused(DRAIN): 1}
        return dict(flow.drain(stores, shard, lambda again: _send(self.app, DRAIN, again)))
    except Unavailable as outage:
        return {_unavailable(DRAIN, outage): 1}


@shared_task(name=DISPATCH, bind=True)
def dispatch(self: Any, slot: int) -> dict[str, int]:
    """Send what is due. The slot says which tick asked; two ticks lease nothing twice."""
    if type(slot) is not int:
        return {_refused(DISPATCH): 1}
    try:
        stores = process().stores
        # Whoever was parked is due again without a callback that would ring for it.
        for keys in late(stores.client, stores.shards, 0, unrung=True):
            _send(self.app, DRAIN, keys.shard)
        return {"slot": slot, **process().outgoing.dispatch(lambda name, what: _send(self.app, name, what))}
    except Unavailable as outage:
        return {"slot": slot, _unavailable(DISPATCH, outage): 1}


@shared_task(name=TRIGGER)
def trigger(run_id: str) -> str:
    """Ask Paragon for one run's window."""
    if not _is_id(run_id):
        return _refused(TRIGGER)
    try:
        return process().outgoing.trigger(run_id)
    except Unavailable as outage:
        return _unavailable(TRIGGER, outage)


@shared_task(name=PATCH_METADATA)
def patch_metadata(connection: str) -> str:
    """Carry one connection's list into its Paragon metadata."""
    if not _is_id(connection):
        return _refused(PATCH_METADATA)
    try:
        return process().outgoing.patch(connection)
    except Rejected:
        return _refused(PATCH_METADATA)
    except Unavailable as outage:
        return _unavailable(PATCH_METADATA, outage)


@shared_task(name=LOOK)
def look(connection: str) -> str:
    """See how Paragon sees one connection."""
    if not _is_id(connection):
        return _refused(LOOK)
    try:
        return process().looking.look(connection)
    except Rejected:
        return _refused(LOOK)
    except Unavailable as outage:
        return _unavailable(LOOK, outage)


@shared_task(name=TELL)
def tell(shard: str) -> dict[str, int]:
    """Tell the core service what happened in one shard."""
    try:
        if not (isinstance(shard, str) and shard in _shards()):
            return {_refused(TELL): 1}
        return dict(process().telling.tell(int(shard)))
    except Unavailable as outage:
        return {_unavailable(TELL, outage): 1}


def _shards() -> set[str]:
    return {item(keys) for keys in process().stores.shards.all()}


@shared_task(name=UPKEEP)
def upkeep(slot: int) -> dict[str, int]:
    """Find what fell between: unmarked streams, unlooked proofs, dead letters of who was erased."""
    if type(slot) is not int:
        return {_refused(UPKEEP): 1}
    try:
        stores = process().stores
        found = keep_up(stores.client, stores.shards)
        found.update(purge(stores.client, stores.shards, stores.vault))
        covered = sum(flow.look(stores, keys) for keys in stores.shards.all())
    except Unavailable as outage:
        return {"slot": slot, _unavailable(UPKEEP, outage): 1}
    return {"slot": slot, **found, "covered": covered}


def _send(app: Celery, name: str, *args: int | str) -> None:
    app.send_task(name, args=list(args), expires=_SEND_EXPIRES_SECONDS)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 2 < len(value) <= _LONGEST_ID


def _refused(task: str) -> str:
    _log.error("task.refused", extra={"task": task})
    return REFUSED


def _unavailable(task: str, outage: Unavailable) -> str:
    _log.warning("task.unavailable", extra={"task": task, "kind": outage.what})
    return UNAVAILABLE

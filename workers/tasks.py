"""Celery tasks: decode and one call. Messages carry a shard number, an id or a slot, never data.

Results are counts, readable in Flower.
"""

from typing import Any

from celery import Celery, shared_task
from celery.signals import worker_process_init

from pipeline import flow
from pipeline.store.keys import Keys
from pipeline.store.upkeep import upkeep as keep_up
from settings import Settings
from workers import deathsig, lifecycle
from workers.names import DISPATCH, DRAIN, PATCH_METADATA, TRIGGER, UPKEEP

_process: lifecycle.Process | None = None


@worker_process_init.connect
def _begin(**_: Any) -> None:
    """Connect after the fork, and die with the parent: an orphan would go on draining unseen."""
    global _process
    deathsig.die_with_parent()
    _process = lifecycle.start(Settings.load("worker"))


def process() -> lifecycle.Process:
    """This process's stores; made at the first use where no fork made them (solo and thread pools)."""
    global _process
    if _process is None:
        _process = lifecycle.start(Settings.load("worker"))
    return _process


def _send(app: Celery, name: str, *args: int | str) -> None:
    app.send_task(name, args=list(args), expires=60)


@shared_task(name=DRAIN, bind=True)
def drain(self: Any, shard: int) -> dict[str, int]:
    """Work through one shard."""
    return dict(flow.drain(process().stores, Keys(shard).shard, lambda again: _send(self.app, DRAIN, again)))


@shared_task(name=DISPATCH, bind=True)
def dispatch(self: Any, slot: int) -> dict[str, int]:
    """Send what is due. The slot says which tick asked; two ticks lease nothing twice."""
    done = process().outgoing.dispatch(lambda name, what: _send(self.app, name, what))
    return {"slot": slot, **done}


@shared_task(name=TRIGGER)
def trigger(run_id: str) -> str:
    """Ask Paragon for one run's window."""
    return process().outgoing.trigger(run_id)


@shared_task(name=PATCH_METADATA)
def patch_metadata(connection: str) -> str:
    """Carry one connection's list into its Paragon metadata."""
    return process().outgoing.patch(connection)


@shared_task(name=UPKEEP)
def upkeep(slot: int) -> dict[str, int]:
    """Find what fell between: unmarked streams, unlooked proofs."""
    return {"slot": slot, **keep_up(process().stores.client, process().stores.shards)} | {
        "covered": sum(flow.look(process().stores, keys) for keys in process().stores.shards.all())
    }

"""What the core service is told of a run, as part of the ledger's own changes: given up, or its past is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.events import BackfillDone, WindowGivenUp
from pipeline.store.events import Events
from pipeline.store.keys import Keys
from pipeline.store.scripts import Changes

if TYPE_CHECKING:
    from pipeline.store.runs import Run


def tell_given_up(events: Events, changes: Changes, keys: Keys, run: Run, lacking: list[str], at: int) -> None:
    """`lacking`: the channels that it does not have yet; `at` microseconds."""
    event = WindowGivenUp(
        at=at,
        connection=run.connection,
        team=run.team,
        run=run.id,
        channels=lacking,
        oldest=run.oldest,
        latest=run.latest,
        attempts=run.attempt,
    )
    events.append(changes, keys, event)


def tell_backfilled(events: Events, changes: Changes, keys: Keys, run: Run, channel: str, until: int, at: int) -> None:
    """One channel, read from its start to `until`; microseconds."""
    event = BackfillDone(at=at, connection=run.connection, team=run.team, channel=channel, until=until, run=run.id)
    events.append(changes, keys, event)

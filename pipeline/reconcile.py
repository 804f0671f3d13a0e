"""After a restore: the lists of the backup against what others remember, before anything is delivered again.

A revocation that was made after the backup is not in the store, but Paragon's metadata carries each connection's own
list, and removals reach it at once; the mesh holds a record of each channel that was ever let through. Lists are
only ever narrowed here. Whoever put a list after the restore is believed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import common_mesh

from pipeline.connection import split_connection
from pipeline.delivery import MODULE
from pipeline.errors import Rejected, Unavailable
from pipeline.models import Internal
from pipeline.paragon.me import Me
from pipeline.stages.stores import Stores
from pipeline.store import audit, effects, hold
from pipeline.store.allowlists import StaleListError, retractions
from pipeline.store.connections import Registration, with_epoch
from pipeline.store.scripts import Changes

BY: Final = "restore"
_LISTED: Final = "allowListedChannels"
_CHANNELS: Final = "allowed_slack_channel"


class Reader(Protocol):
    """What is asked of the mesh; `common_mesh.MeshReader` has it."""

    def records(self, org: str, module: str, model: str) -> Iterable[dict[str, Any]]:
        """Live records of a space."""

    def spaces(self) -> Iterable[tuple[str, str, str, int]]:
        """Organisation, module, model and live records of every space."""


@dataclass(slots=True)
class Findings:
    """`narrowed` and `fenced`: how many channels, by connection and by organisation. `doubts`: what could not be found
    out, a sentence each. `unknown`: organisations that the mesh knows and the store does not. Of `reconcile_people`,
    `erased` and `refenced`: how many persons, by organisation; `readmitted`: who, and where.
    """

    narrowed: dict[str, int] = field(default_factory=dict)
    fenced: dict[str, int] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    erased: dict[str, int] = field(default_factory=dict)
    refenced: dict[str, int] = field(default_factory=dict)
    readmitted: list[str] = field(default_factory=list)


def narrow(stores: Stores, me: Callable[[str], Me], findings: Findings) -> None:
    """Take off each list that nobody has put since the restore what Paragon's metadata does not have any more."""
    for name in stores.connections.names():
        known = stores.connections.get(name)
        if known is None or not known.live or not hold.untouched(stores.client, stores.shards.of(name), name):
            continue
        own = stores.allowlists.own(name, known.team)
        if own:
            _narrow(stores, me, known, own, findings)


def _narrow(stores: Stores, me: Callable[[str], Me], known: Registration, own: list[str], findings: Findings) -> None:
    try:
        found = me(known.connection)
    except (Unavailable, Rejected) as error:
        findings.doubts.append(f"{known.connection}: Paragon does not say its list ({error}).")
        return
    listed = found.meta.get(_LISTED)
    if not found.slack.enabled:
        findings.doubts.append(f"{known.connection}: Slack is not connected in Paragon any more: disconnect it.")
    elif not isinstance(listed, list):
        findings.doubts.append(f"{known.connection}: Paragon's metadata holds no list of it.")
    elif gone := set(own) - {str(channel) for channel in listed}:
        try:
            kept = [channel for channel in own if channel not in gone]
            stores.allowlists.put(known.connection, kept, if_match=known.list_version, by=BY)
            findings.narrowed[known.connection] = len(gone)
        except StaleListError:
            return  # somebody put it at this very moment: he is believed


def fence(stores: Stores, reader: Reader | None, findings: Findings) -> None:
    """Retract every channel that the mesh shows and that no list allows. Also right after the mesh was restored."""
    if reader is None:
        findings.doubts.append("The mesh cannot be read: whether it shows channels that no list allows is not known.")
        return
    connections = stores.connections.names()
    first = {split_connection(name)[1]: name for name in reversed(connections)}
    try:
        for org, connection in sorted(first.items()):
            if count := _fence(stores, org, connection, reader):
                findings.fenced[org] = count
        spaces = [(org, model) for org, module, model, live in reader.spaces() if module == MODULE and live]
        orgs = {org for org, model in spaces if model != "retraction"}  # fences outlive what they ended
        findings.unknown += sorted(orgs - set(first))
    except common_mesh.MeshError as error:
        findings.doubts.append(f"The mesh cannot be read ({error.what}): it may show channels that no list allows.")


def _fence(stores: Stores, org: str, connection: str, reader: Reader) -> int:
    """Of one organisation: as an effect like any other, so that it survives until the mesh has it."""
    shown = [(str(row.get("team")), str(row.get("channel"))) for row in reader.records(org, MODULE, _CHANNELS)]
    keys, count = stores.shards.of_org(org), 0

    def build(epoch: int) -> Changes | None:
        nonlocal count
        lists = {team: stores.allowlists.effective(org, team) for team, _ in shown}
        gone = [(team, channel) for team, channel in shown if not lists[team].admits(channel)]
        records: list[Internal] = [record for place in gone for record in retractions(*place, epoch, "restored")]
        count = len(gone)
        if not records:
            return None
        changes, known = Changes(), stores.connections.get(connection)
        generation = known.generation if known else 1
        effects.append(
            changes, keys, stores.vault, connection=connection, generation=generation, epoch=epoch, records=records
        )
        audit.note(changes, keys, "mesh.fenced", connection, BY, epoch, channels=count)
        return changes

    with_epoch(stores.client, keys, org, build)
    return count

"""After a restore: who was erased, and who was let in again, by the newer word of the store and the mesh.

An erasure that was made after the store's backup is not in the store, but its fences are in the mesh, with their epoch
and their reason. After the mesh was restored it is the other way round. Erasures are taken over on either side; a
readmission that the store does not know of is only told, since nothing is opened here.
"""

import common_mesh

from pipeline.connection import split_connection
from pipeline.delivery import MODULE
from pipeline.models import Retraction
from pipeline.reconcile import BY, Findings, Reader
from pipeline.rules.exclusion import Person, Told, told
from pipeline.stages.stores import Stores


def people(stores: Stores, reader: Reader | None, findings: Findings) -> None:
    """Exclude whom the mesh shows as erased, and retract anew whoever was erased here and is not there."""
    if reader is None:
        findings.doubts.append(_UNKNOWN.format("The mesh cannot be read"))
        return
    first = {split_connection(name)[1]: name for name in reversed(stores.connections.names())}
    try:
        told_of = {org for org, module, model, _ in reader.spaces() if (module, model) == (MODULE, Retraction.model)}
        for org in sorted(told_of | set(first)):
            _of_org(stores, org, first.get(org), _words(reader, org), findings)
    except common_mesh.MeshError as error:
        findings.doubts.append(_UNKNOWN.format(f"The mesh cannot be read ({error.what})"))


_UNKNOWN = "{}: who was erased since the backup is not known. Repeat each erasure that was made after it."


def _words(reader: Reader, org: str) -> dict[Person, Told]:
    found = (told(row) for row in reader.records(org, MODULE, Retraction.model))
    return {word.person: word for word in found if word}


def _of_org(stores: Stores, org: str, connection: str | None, there: dict[Person, Told], findings: Findings) -> None:
    here = stores.people.words(org)
    erased = refenced = 0
    for person in sorted(here.keys() | there.keys()):
        known, word = here.get(person, 0), there.get(person)
        if word is not None and word.epoch > abs(known):
            if word.erased:
                erased += stores.people.believe(org, person, word.epoch, by=BY)
            elif known > 0:
                findings.readmitted.append(f"{org}: {person[1]} (team {person[0]})")
        elif known > 0 and connection is not None and (word is None or word.epoch < known):
            stores.people.retract(connection, person, by=BY)
            refenced += 1
    if erased:
        findings.erased[org] = erased
    if refenced:
        findings.refenced[org] = refenced

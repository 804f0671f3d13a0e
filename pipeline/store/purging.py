"""Dead letters that have to go: of a connection that ended, and what holds content of somebody who was erased. Found
and deleted by upkeep, in small steps.

A cursor for each organisation says up to which letter has been looked. A disconnect and an erasure set it back to the
beginning, in their own scripts (`dead_letters.look_again`). A step deletes what it finds and moves the cursor in one
piece: one that dies is done again, and a letter that is buried later is looked at when the cursor comes to it.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from pipeline.connection import split_connection
from pipeline.errors import Rejected, Unavailable
from pipeline.models import Retraction
from pipeline.rules.exclusion import Person, people_in
from pipeline.store import audit, counters
from pipeline.store.client import ask, clock
from pipeline.store.connections import Connections, Registration
from pipeline.store.entries import open_entry, read_header
from pipeline.store.keys import Keys, Shards
from pipeline.store.people import People
from pipeline.store.scripts import Changes
from pipeline.store.vault import Vault

LETTERS: Final = 16
"""Of one step: each may be a whole callback."""
STEPS: Final = 200
"""Of one run, for each organisation; the next one goes on."""
BY: Final = "upkeep"


@dataclass(slots=True)
class _Found:
    """What a step deletes: ids of the stream, and for each receipt what became of its letters."""

    ids: list[str] = field(default_factory=list)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Letters by connection and by what the audit trail calls it."""
    records: dict[str, Counter[str]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    """Receipts of callbacks whose connection has ended."""

    def take(self, stream_id: str, letter: dict[str, Any], *, ended: bool) -> None:
        """One letter goes."""
        self.ids.append(stream_id)
        event = "connection.dead_letters_purged" if ended else "person.dead_letters_purged"
        self.events[letter["connection"], event] += 1
        if ended:
            self.ended.add(letter["receipt"])
        if letter["model"] is None:
            self.whole.add(letter["receipt"])
        else:
            reason = "purged" if ended else "excluded"
            self.records.setdefault(letter["receipt"], Counter())[f"{reason}.{letter['model']}"] += 1


def purge(client: redis.Redis, shards: Shards, vault: Vault) -> Counter[str]:
    """Go on with every organisation that ever erased or disconnected; `purged` is how many letters were deleted."""
    done: Counter[str] = Counter(purged=0)
    for keys in shards.all():
        for org in sorted(name.decode() for name in ask(client, "HKEYS", keys.purging)):
            done["purged"] += _of_org(client, shards, vault, keys, org)
    return done


def _of_org(client: redis.Redis, shards: Shards, vault: Vault, keys: Keys, org: str) -> int:
    people, connections = People(client, shards, vault), Connections(client, shards, vault)
    purged = 0
    for _ in range(STEPS):
        mark = ask(client, "HGET", keys.purging, org).decode()
        cursor, _, epoch = mark.partition(" ")
        excluded = people.excluded(org)  # after the mark: an erasure from here on rewrites that, and fails the step
        rows = ask(client, "XRANGE", keys.dead, f"({cursor}", "+", "COUNT", LETTERS)
        if not rows:
            break
        found = _Found()
        for stream_id, fields in rows:
            _look(found, connections, vault, org, excluded, stream_id.decode(), fields)
        changes = Changes().expect(mark, "HGET", keys.purging, org)
        changes.do("HSET", keys.purging, org, f"{rows[-1][0].decode()} {epoch}")
        if found.ids:
            _delete(client, keys, changes, found)
        if changes.commit(client) == 0:
            purged += len(found.ids)
    return purged


def _look(
    found: _Found,
    connections: Connections,
    vault: Vault,
    org: str,
    excluded: Iterable[Person],
    stream_id: str,
    fields: dict[bytes, bytes],
) -> None:
    letter = json.loads(fields[b"h"])
    name = letter["connection"]
    if not name.endswith(f"/{org}"):
        return
    known = connections.get(name)
    if known is not None and _ended(letter, fields, known):
        found.take(stream_id, letter, ended=True)
        return
    ids = {user for team, user in excluded if known is None or known.team in (None, team)}
    try:
        theirs = _whole(vault, fields, ids) if b"e" in fields else _record(vault, letter, fields, ids)
    except (Rejected, Unavailable):
        return  # what nobody can open, nobody can read: nothing in here asks the store
    if theirs:
        found.take(stream_id, letter, ended=False)


def _ended(letter: dict[str, Any], fields: dict[bytes, bytes], known: Registration) -> bool:
    """Whether it is of before the connection's last disconnect, as far as it holds content. A fence that the mesh
    refused is an alarm that outlives the connection: nobody would send it again.
    """
    if letter["model"] == Retraction.model or (b"e" in fields and _kind(fields[b"e"]) == "effect"):
        return False
    generation: int = letter.get("generation", 0)
    if generation == 0:  # nobody knows: then time tells
        return not known.live or letter["at"] < known.registered_at
    return generation < known.generation


def _kind(entry_header: bytes) -> str:
    try:
        return read_header(entry_header).kind
    except Rejected:
        return "unknown"


def _record(vault: Vault, letter: dict[str, Any], fields: dict[bytes, bytes], ids: set[str]) -> bool:
    """Whether one record is of one of them."""
    org = split_connection(letter["connection"])[1]
    raw = json.loads(vault.open(org, letter["key"], fields[b"h"], fields[b"p"]))
    return any(user in ids for _, user in people_in(raw, ""))


def _whole(vault: Vault, fields: dict[bytes, bytes], ids: set[str]) -> bool:
    """Whether a whole callback, which may be unreadable as such, names one of them as a JSON string."""
    header = read_header(fields[b"e"])
    plain = open_entry(vault, header, fields[b"e"], fields[b"p"])
    return header.kind != "effect" and any(f'"{user}"'.encode() in plain for user in ids)


def _delete(client: redis.Redis, keys: Keys, changes: Changes, found: _Found) -> None:
    """The letters go, and their receipts, the counters and the audit trail say so."""
    changes.do("XDEL", keys.dead, *found.ids)
    counts = sum(found.records.values(), Counter[str]())
    counters.add(changes, keys, {f"dropped.{name}": number for name, number in counts.items()})
    counters.add(changes, keys, {"purged.dead_letter": len(found.ids)})
    for receipt, before, after in _receipts(client, keys, found):
        changes.expect(before, "HGET", keys.receipts, receipt).do("HSET", keys.receipts, receipt, after)
    for (connection, event), letters in sorted(found.events.items()):
        audit.note(changes, keys, event, connection, BY, clock(client), letters=letters)


def _receipts(client: redis.Redis, keys: Keys, found: _Found) -> Iterator[tuple[str, bytes, str]]:
    """Receipt, its record, and its record afterwards, of those that are kept still."""
    for receipt in sorted(found.whole | found.records.keys()):
        before = ask(client, "HGET", keys.receipts, receipt)
        if before is None:
            continue
        facts = json.loads(before)
        records = found.records.get(receipt, Counter[str]())
        facts["dead"] = max(0, (facts.get("dead") or 0) - records.total())
        facts["dropped"] = dict(Counter(facts.get("dropped") or {}) + records)
        if receipt in found.ended and facts["kind"] != "effect":
            facts["state"] = "purged"  # at the first letter: what of it is dead goes in one step or the next
        elif receipt in found.whole or not facts["dead"]:
            # A record that went is below the person's fence; what a whole callback held of others ends with it.
            facts["state"] = "delivered" if facts.get("delivered") else "purged"
        yield receipt, before, json.dumps(facts, separators=(",", ":"))

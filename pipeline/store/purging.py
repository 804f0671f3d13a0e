"""Dead letters that have to go: of a connection that ended, of a channel that nobody allows any more, and what holds
content of somebody who was erased. Found and deleted by upkeep, in small steps.

A cursor for each organisation says up to which letter has been looked. Whatever removes sets it back to the beginning,
in its own script (`dead_letters.look_again`). A step deletes what it finds and moves the cursor in one
piece: one that dies is done again, and a letter that is buried later is looked at when the cursor comes to it. Then the
shard's letters are written anew: the server keeps the bytes of what is deleted beside what is not.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import redis

from pipeline.errors import Rejected, Unavailable
from pipeline.models import Retraction
from pipeline.rules.exclusion import Person, people_in
from pipeline.store import audit, counters, dead_letters, removals
from pipeline.store.allowlists import Allowlists
from pipeline.store.client import ask, clock
from pipeline.store.connections import Connections, Registration
from pipeline.store.entries import open_entry, read_header
from pipeline.store.keys import Keys, Shards
from pipeline.store.people import People
from pipeline.store.revoked_letters import Lists, epoch_of, place_of, places_in
from pipeline.store.scripts import Changes
from pipeline.store.vault import Vault

LETTERS: Final = 16
"""Of one step: each may be a whole callback."""
STEPS: Final = 200
"""Of one run, for each organisation; the next one goes on."""
BY: Final = "upkeep"
_Why = Literal["connection", "channel", "person"]
_REASONS: Final[dict[_Why, str]] = {"connection": "purged", "channel": "revoked", "person": "excluded"}


class _Whole(NamedTuple):
    """A whole callback, opened."""

    kind: str
    plain: bytes


@dataclass(slots=True)
class _Found:
    """What a step deletes: ids of the stream, and for each receipt what became of its letters."""

    ids: list[str] = field(default_factory=list)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Letters by connection and by what the audit trail calls it."""
    removed: Counter[str] = field(default_factory=Counter)
    """Letters by what was removed (`removals`)."""
    records: dict[str, Counter[str]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    """Receipts of callbacks whose connection has ended."""

    def take(self, stream_id: str, letter: dict[str, Any], why: _Why, what: str) -> None:
        """One letter goes with `what` was removed."""
        self.ids.append(stream_id)
        self.events[letter["connection"], f"{why}.dead_letters_purged"] += 1
        self.removed[what] += 1
        if why == "connection":
            self.ended.add(letter["receipt"])
        if letter["model"] is None:
            self.whole.add(letter["receipt"])
        else:
            self.records.setdefault(letter["receipt"], Counter())[f"{_REASONS[why]}.{letter['model']}"] += 1


def purge(client: redis.Redis, shards: Shards, vault: Vault) -> Counter[str]:
    """Go on with every organisation that ever removed something; `purged` is how many letters were deleted."""
    done: Counter[str] = Counter(purged=0)
    for keys in shards.all():
        for org in sorted(name.decode() for name in ask(client, "HKEYS", keys.purging)):
            done["purged"] += _of_org(client, shards, vault, keys, org)
    for keys in shards.all():
        with suppress(Unavailable):  # a store that is full has no room for a copy: then it waits
            dead_letters.compact(client, keys, STEPS)
    return done


def _of_org(client: redis.Redis, shards: Shards, vault: Vault, keys: Keys, org: str) -> int:
    people, allowlists = People(client, shards, vault), Allowlists(client, shards, vault)
    connections, purged = Connections(client, shards, vault), 0
    for _ in range(STEPS):
        mark = ask(client, "HGET", keys.purging, org).decode()
        cursor, _, epoch = mark.partition(" ")
        excluded = people.excluded(org)  # after the mark: an erasure from here on rewrites that, and fails the step
        rows = ask(client, "XRANGE", keys.dead, f"({cursor}", "+", "COUNT", LETTERS)
        if not rows:
            break
        lists, removed = Lists(client, allowlists, keys, org), list(removals.last(client, keys, org))
        held, found = _Held(vault, org, connections, excluded, removed, lists), _Found()
        for stream_id, fields in rows:
            _look(held, found, stream_id.decode(), fields)
        changes = Changes().expect(mark, "HGET", keys.purging, org)
        changes.do("HSET", keys.purging, org, f"{rows[-1][0].decode()} {epoch}")
        if found.ids:
            _delete(client, keys, org, changes, found)
        if changes.commit(client) == 0:
            purged += len(found.ids)
    return purged


@dataclass(slots=True)
class _Held:
    """What a step holds the letters of one organisation against."""

    vault: Vault
    org: str
    connections: Connections
    excluded: Collection[Person]
    removed: Sequence[tuple[str, str]]
    lists: Lists

    def places(self, letter: dict[str, Any], whole: _Whole | None, team: str | None) -> list[str]:
        """The channels that it is, or may be, of."""
        if whole is not None:
            return places_in(whole.plain, team, self.removed) if whole.kind == "messages" else []
        place = place_of(letter, team)
        return [place] if place else []

    def person(self, letter: dict[str, Any], fields: dict[bytes, bytes], whole: _Whole | None, team: str | None) -> str:
        """Who of the erased is in it, "" where nobody is."""
        theirs = {user: f"{of}|{user}" for of, user in self.excluded if team in (None, of)}
        if not theirs:
            return ""
        if whole is not None:
            # A callback that may be unreadable as such goes whole if it names one of them as a JSON string.
            named = [user for user in theirs if f'"{user}"'.encode() in whole.plain] if whole.kind != "effect" else []
        else:
            raw = json.loads(self.vault.open(self.org, letter["key"], fields[b"h"], fields[b"p"]))
            named = [user for _, user in people_in(raw, "") if user in theirs]
        return theirs[named[0]] if named else ""


def _look(held: _Held, found: _Found, stream_id: str, fields: dict[bytes, bytes]) -> None:
    """Take a letter that has to go."""
    letter = json.loads(fields[b"h"])
    name = letter["connection"]
    if not name.endswith(f"/{held.org}"):
        return
    known = held.connections.get(name)
    if known is not None and _ended(letter, fields, known):
        found.take(stream_id, letter, "connection", name)
        return
    team, whole, person = known.team if known else None, None, ""
    with suppress(Rejected, Unavailable):  # what nobody can open, nobody can read: nothing in here asks the store
        whole = _opened(held.vault, fields) if b"e" in fields else None
        person = held.person(letter, fields, whole, team)
    if place := held.lists.revoked(held.places(letter, whole, team), epoch_of(letter)):
        found.take(stream_id, letter, "channel", place)
    elif person:
        found.take(stream_id, letter, "person", person)


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


def _opened(vault: Vault, fields: dict[bytes, bytes]) -> _Whole:
    header = read_header(fields[b"e"])
    return _Whole(header.kind, open_entry(vault, header, fields[b"e"], fields[b"p"]))


def _delete(client: redis.Redis, keys: Keys, org: str, changes: Changes, found: _Found) -> None:
    """The letters go, and their receipts, the counters and the audit trail say so."""
    changes.do("XDEL", keys.dead, *found.ids)
    counts = sum(found.records.values(), Counter[str]())
    counters.add(changes, keys, {f"dropped.{name}": number for name, number in counts.items()})
    counters.add(changes, keys, {"purged.dead_letter": len(found.ids)})
    removals.add(client, changes, keys, org, "dead_letters", found.removed)
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

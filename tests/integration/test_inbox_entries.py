"""Entries that were damaged, moved, or sealed with another key: nothing is lost, nothing opens that should not."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from sluice import CONNECTION, ORG, TEAM, Sluice, page

from pipeline.store import dead_letters, receipts
from pipeline.store.entries import SCHEMA, Header, new_receipt, seal_entry
from pipeline.store.keys import effects_of
from pipeline.store.vault import Vault

OTHER, STRANGER = f"ann/{ORG}", "eve/elsewhere"
GOOD, BAD = "1700000000.000100", "1700000000.000200"
OLD, NEW = bytes(range(32)), bytes(range(32, 64))
CANARY = "the board meets on friday"


@pytest.fixture
def ready(sluice: Sluice) -> Sluice:
    for connection in (CONNECTION, OTHER):
        sluice.register(connection)
    sluice.allow("C1")
    sluice.drain()
    return sluice


def letters(sluice: Sluice) -> list[tuple[str, str]]:
    found = dead_letters.listing(sluice.client, sluice.stores.shards, None, 10)
    return [(letter["receipt"], letter["reason"]) for letter in found]


def state_of(sluice: Sluice, receipt: str) -> Any:
    return (receipts.find(sluice.client, sluice.keys, receipt) or {}).get("state")


def rewrite(sluice: Sluice, member: str, change: Any, into: str | None = None) -> None:
    """Take the newest entry out of a stream and put a changed one behind the others, or into another stream."""
    [(entry, fields)] = sluice.client.xrevrange(sluice.keys.stream(member), count=1)
    sluice.client.xdel(sluice.keys.stream(member), entry)
    header, sealed = change(fields[b"h"], fields[b"p"])
    put(sluice, into or member, header, sealed)


def put(sluice: Sluice, member: str, header: bytes, sealed: bytes) -> None:
    sluice.client.xadd(sluice.keys.stream(member), {"h": header, "p": sealed})
    sluice.client.zadd(sluice.keys.ready_of(member), {member: 1}, nx=True)


def two(sluice: Sluice) -> tuple[str, str]:
    """A good callback, and one that the test is about to spoil; their receipts."""
    good, bad = sluice.receive(page("C1", GOOD), page("C1", BAD, note=CANARY))
    return good, bad


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("place", [0, 20, -1])
def test_a_flipped_byte_is_a_sealed_dead_letter_and_its_neighbour_arrives(ready: Sluice, place: int) -> None:
    _, bad = two(ready)
    rewrite(ready, CONNECTION, lambda header, sealed: (header, flipped(sealed, place % len(sealed))))
    ready.drain()
    assert list(ready.live()) == [f"{TEAM}:C1:{GOOD}"]
    assert letters(ready) == [(bad, "tampered")]
    assert state_of(ready, bad) == "dead"
    [(_, fields)] = ready.client.xrange(ready.keys.dead)
    assert CANARY.encode() not in b"".join(fields.values()), "kept under its own seal"


def test_a_header_that_was_changed_makes_its_payload_unreadable(ready: Sluice) -> None:
    _, bad = two(ready)
    rewrite(ready, CONNECTION, lambda header, sealed: (header.replace(b'"messages"', b'"channels"'), sealed))
    ready.drain()
    assert letters(ready) == [(bad, "tampered")]


def test_a_header_that_cannot_be_read_dies_and_its_neighbour_arrives(ready: Sluice) -> None:
    two(ready)
    rewrite(ready, CONNECTION, lambda _, sealed: (b"{", sealed))
    ready.drain()
    assert [reason for _, reason in letters(ready)] == ["bad_header"]
    assert len(ready.live()) == 1


def test_an_entry_of_a_schema_to_come_is_kept_sealed_under_its_receipt(ready: Sluice) -> None:
    receipt = new_receipt(ready.keys.shard)
    header = Header(receipt, "messages", CONNECTION, 1, None, None, None, 0, SCHEMA + 1, "k1")
    put(ready, CONNECTION, *seal_entry(ready.vault, header, CANARY.encode()))
    ready.drain()
    assert letters(ready) == [(receipt, "unknown_schema")]
    assert state_of(ready, receipt) == "dead"


@pytest.mark.parametrize("owner", [OTHER, STRANGER])
def test_an_entry_moved_to_another_connection_dies_and_holds_up_nobody(ready: Sluice, owner: str) -> None:
    """Also of another organisation, where the header names keys that this shard has never heard of."""
    header = Header(new_receipt(0), "messages", owner, 1, None, None, None, 0, SCHEMA, "k1")
    put(ready, CONNECTION, *seal_entry(ready.vault, header, b"\x00\x00\x00\x00{}"))
    ready.receive(page("C1", GOOD))
    done = ready.drain(1.0)
    assert (done["dead.moved"], done["settled.delivered"]) == (1, 1)
    assert ready.client.xlen(ready.keys.stream(CONNECTION)) == 0


def test_a_callback_moved_among_the_effects_delivers_nothing(ready: Sluice) -> None:
    two(ready)
    rewrite(ready, CONNECTION, lambda header, sealed: (header, sealed), into=effects_of(ORG))
    ready.drain()
    assert list(ready.live()) == [f"{TEAM}:C1:{GOOD}"]
    assert ready.live("user").keys() == {"connection:rob@example.com", "connection:ann"}


def test_an_entry_in_the_stream_of_nobody_is_settled_and_not_taken_for_ever(ready: Sluice) -> None:
    nobody = f"nobody/{ORG}"
    header = Header(new_receipt(0), "messages", nobody, 1, None, None, None, 0, SCHEMA, "k1")
    put(ready, nobody, *seal_entry(ready.vault, header, b"\x00\x00\x00\x00{}"))
    put(ready, nobody, b"{", b"")
    ready.drain(1.0)
    assert ready.client.xlen(ready.keys.stream(nobody)) == 0
    assert ready.live() == {}


# Keys that come and go.


def with_keys(sluice: Sluice, **keys: bytes) -> None:
    sluice.vault = Vault(keys)
    sluice.stores = replace(sluice.stores, vault=sluice.vault)


def test_what_an_unknown_key_sealed_is_held_until_the_key_is_there(ready: Sluice) -> None:
    with_keys(ready, k2=NEW, k1=OLD)
    [receipt] = ready.receive(page("C1", GOOD))
    with_keys(ready, k1=OLD)
    assert ready.drain() == Counter(held=1)
    assert (state_of(ready, receipt), letters(ready), ready.live()) == ("waiting", [], {})
    with_keys(ready, k1=OLD, k2=NEW)
    ready.client.zadd(ready.keys.ready, {CONNECTION: 1})
    ready.drain()
    assert state_of(ready, receipt) == "delivered"


def test_a_rotation_under_load_loses_nothing(ready: Sluice) -> None:
    sent = []
    for keys in ({"k1": OLD}, {"k1": OLD, "k2": NEW}, {"k2": NEW, "k1": OLD}):
        with_keys(ready, **keys)
        sent += ready.receive(*(page("C1", f"17000000{len(sent):02d}.00010{n}") for n in range(3)))
    ready.drain()
    assert {state_of(ready, receipt) for receipt in sent} == {"delivered"}
    assert len(ready.live()) == 9


def test_an_unknown_key_holds_up_no_other_connection(ready: Sluice) -> None:
    with_keys(ready, k2=NEW)
    ready.receive(page("C1", GOOD))
    with_keys(ready, k1=OLD)
    ready.receive(page("C1", BAD, connection=OTHER))
    done = ready.drain()
    assert (done["held"], done["settled.delivered"]) == (1, 1)


def test_an_unknown_key_holds_up_nothing_that_came_before_or_after(ready: Sluice) -> None:
    """A damaged key name looks the same as a key that is still to come: neither may end a connection's day."""
    _, bad = two(ready)
    rewrite(ready, CONNECTION, lambda header, sealed: (header.replace(b'"k1"', b'"k9"'), sealed))
    [late] = ready.receive(page("C1", "1700000000.000300"))
    done = ready.drain(1.0)
    assert (done["held"], done["settled.delivered"]) == (1, 2)
    assert (state_of(ready, bad), state_of(ready, late)) == ("waiting", "delivered")

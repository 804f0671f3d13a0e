import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Rejected, Unavailable
from pipeline.store.entries import SCHEMA, Header, new_receipt, open_entry, read_header, seal_entry
from pipeline.store.keys import shard_of_id
from pipeline.store.vault import Vault

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
VAULT = Vault({"k1": OLD})
CANARY = b"the board meets on friday"


def header(connection: str = "rob@example.com/end1", key: str = "k1", schema: int = SCHEMA) -> Header:
    return Header("00" + "a" * 32, "messages", connection, 1, "00aa", 1, 5, 7, schema, key)


@settings(max_examples=50)
@given(st.binary(max_size=2000))
def test_what_was_sealed_comes_out_as_it_went_in_and_never_twice_the_same(plain: bytes) -> None:
    (stored, sealed), (_, again) = seal_entry(VAULT, header(), plain), seal_entry(VAULT, header(), plain)
    assert open_entry(VAULT, header(), stored, sealed) == plain
    assert sealed != again


def test_the_content_is_nowhere_in_what_is_stored() -> None:
    stored, sealed = seal_entry(VAULT, header(), CANARY)
    assert CANARY not in stored + sealed


@settings(max_examples=60)
@given(st.data())
def test_a_flipped_bit_anywhere_is_tampering(data: st.DataObject) -> None:
    stored, sealed = seal_entry(VAULT, header(), CANARY)
    both = bytearray(stored + sealed)
    place = data.draw(st.integers(0, len(both) - 1))
    both[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Rejected) as caught:
        VAULT.open("end1", "k1", bytes(both[: len(stored)]), bytes(both[len(stored) :]))
    assert caught.value.reason == "tampered"


@settings(max_examples=20)
@given(st.integers(0, 200))
def test_a_truncated_payload_is_tampering(length: int) -> None:
    stored, sealed = seal_entry(VAULT, header(), CANARY)
    with pytest.raises(Rejected):
        VAULT.open("end1", "k1", stored, sealed[: min(length, len(sealed) - 1)])


def test_another_key_of_the_same_name_opens_nothing() -> None:
    stored, sealed = seal_entry(VAULT, header(), CANARY)
    with pytest.raises(Rejected):
        open_entry(Vault({"k1": NEW}), header(), stored, sealed)


def test_a_key_that_the_ring_lacks_is_an_outage_and_no_judgement() -> None:
    stored, sealed = seal_entry(VAULT, header(), CANARY)
    with pytest.raises(Unavailable):
        open_entry(Vault({"k2": NEW}), header(), stored, sealed)


def test_an_organisation_cannot_open_anothers_though_the_ring_is_the_same() -> None:
    stored, sealed = seal_entry(VAULT, header(), CANARY)
    with pytest.raises(Rejected):
        VAULT.open("end2", "k1", stored, sealed)


def test_an_entry_under_another_header_does_not_open() -> None:
    _, sealed = seal_entry(VAULT, header(), CANARY)
    other, _ = seal_entry(VAULT, header("ann/end1"), b"")
    with pytest.raises(Rejected):
        VAULT.open("end1", "k1", other, sealed)


def test_a_rotated_ring_seals_with_the_first_and_opens_with_all() -> None:
    rotated = Vault({"k2": NEW, "k1": OLD})
    stored, sealed = seal_entry(VAULT, header(), CANARY)
    assert open_entry(rotated, header(), stored, sealed) == CANARY
    stored, sealed = seal_entry(rotated, header(key=rotated.key_id), CANARY)
    assert rotated.key_id == "k2"
    with pytest.raises(Unavailable):
        open_entry(VAULT, header(key="k2"), stored, sealed)


def test_a_vault_without_keys_is_none() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        Vault({})


def test_its_repr_names_keys_and_shows_none() -> None:
    text = repr(VAULT) + str(VAULT)
    assert "k1" in text
    assert OLD.hex() not in text
    assert repr(OLD)[2:-1] not in text


def test_a_failure_to_open_shows_neither_key_nor_content() -> None:
    stored, sealed = seal_entry(VAULT, header(), CANARY)
    with pytest.raises(Rejected) as caught:
        VAULT.open("end2", "k1", stored, sealed)
    assert str(caught.value) == "tampered"


@given(st.text(min_size=1, max_size=40).filter(str.isprintable), st.none() | st.integers(0, 2**60))
def test_a_header_is_read_as_it_was_written(user: str, epoch: int | None) -> None:
    one = Header("00ab", "users", f"{user}/end1", 3, None, None, epoch, 9, SCHEMA, "k1")
    stored, _ = seal_entry(VAULT, one, b"")
    assert read_header(stored) == one


@given(st.binary(max_size=60))
def test_what_is_no_header_is_rejected_and_nothing_else(stored: bytes) -> None:
    with pytest.raises(Rejected, match="bad_header"):
        read_header(stored)


def test_a_header_of_a_schema_to_come_still_says_whose_it_is() -> None:
    stored = seal_entry(VAULT, header(schema=SCHEMA + 1), b"")[0].replace(b'"k1"]', b'"k1","more"]')
    assert (read_header(stored).receipt, read_header(stored).schema) == (header().receipt, SCHEMA + 1)


def test_receipts_begin_with_their_shard_and_are_never_the_same() -> None:
    receipts = {new_receipt(11) for _ in range(1000)}
    assert len(receipts) == 1000
    assert {(len(receipt), shard_of_id(receipt)) for receipt in receipts} == {(34, 11)}

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.envelope import (
    Envelope,
    EnvelopeError,
    Kind,
    Undecodable,
    pack,
    read_envelope,
    read_query,
    read_records,
    unpack,
)
from pipeline.envelope_fields import READERS
from pipeline.errors import Rejected

PAGE = {
    "connection": "rob@x.com/end1",
    "run_id": "r1",
    "attempt": 1,
    "channel": "C1",
    "thread_ts": "",
    "oldest": "1600000000.000001",
    "latest": "1700000000.000000",
    "cursor": "",
    "next_cursor": "bmV4dA==",
    "has_more": True,
    "messages": [{"ts": "1681413317.397479"}, {}],
}
KINDS: list[Kind] = ["messages", "channels", "users"]
CANARY = "canary-7Q"


def page(**changes: Any) -> bytes:
    return json.dumps(PAGE | changes).encode()


def refused(body: bytes, kind: Kind = "messages", query: dict[str, str] | None = None) -> tuple[int, str, str]:
    with pytest.raises(EnvelopeError) as caught:
        read_envelope(kind, body, query or {})
    return caught.value.status, caught.value.location, caught.value.kind


def test_a_page_of_messages_is_read_whole() -> None:
    fields = {name: value for name, value in PAGE.items() if name != "messages"}
    assert read_envelope("messages", page(), {}) == Envelope(kind="messages", **fields, count=2)


def test_slacks_response_as_it_came_takes_its_fields_from_the_query() -> None:
    body = b'{"ok":true,"messages":[{}],"has_more":true,"pin_count":0,"response_metadata":{"next_cursor":"bmV4dA=="}}'
    query = read_query(
        b"connection=rob%40x.com%2Fend1&run_id=r1&attempt=1&channel=C1&thread_ts=&cursor="
        b"&oldest=1600000000.000001&latest=1700000000.000000"
    )
    read = read_envelope("messages", body, query)
    assert read == Envelope(kind="messages", **{k: v for k, v in PAGE.items() if k != "messages"}, count=1, extra=1)


def test_a_plus_sign_in_a_query_is_itself() -> None:
    assert read_query(b"connection=rob+tag@x.com/end1&cursor=a+b/c==") == {
        "connection": "rob+tag@x.com/end1",
        "cursor": "a+b/c==",
    }


@pytest.mark.parametrize(
    ("body", "query", "where"),
    [
        ({}, {"channel": "C2"}, "channel"),
        ({}, {"attempt": "2"}, "attempt"),
        ({}, {"has_more": "false"}, "has_more"),
        ({}, {"cursor": "bmV4dA=="}, "cursor"),
        ({"response_metadata": {"next_cursor": ""}}, {}, "next_cursor"),
    ],
)
def test_sources_that_disagree_are_refused(body: dict[str, Any], query: dict[str, str], where: str) -> None:
    assert refused(page(**body), query=query) == (422, where, "disagree")


def test_sources_that_agree_in_other_words_are_fine() -> None:
    query = {"attempt": "1", "has_more": "true", "channel": "C1", "snapshot": ""}
    assert read_envelope("messages", page(response_metadata={"next_cursor": "bmV4dA=="}), query).attempt == 1


def test_a_query_with_two_values_for_one_field_is_refused() -> None:
    assert read_query(b"a=1&a=1") == {"a": "1"}
    with pytest.raises(EnvelopeError, match="disagree"):
        read_query(b"a=1&a=2")


@pytest.mark.parametrize("raw", [b"a=%FF", b"a=\xff", b"a=" + b"x" * 20_000])
def test_a_query_that_is_no_text_or_too_long_is_refused(raw: bytes) -> None:
    with pytest.raises(EnvelopeError) as caught:
        read_query(raw)
    assert caught.value.status == 400


def test_what_a_page_does_not_say_stays_unknown() -> None:
    read = read_envelope("messages", b'{"channel":"C1","messages":[]}', {})
    assert read == Envelope(kind="messages", channel="C1")
    assert (read.cursor, read.next_cursor, read.has_more) == (None, None, None)


def test_nulls_and_empty_words_are_not_said() -> None:
    body = (
        b'{"channel":"C1","messages":[],"cursor":null,"has_more":"","attempt":"","run_id":"","response_metadata":null}'
    )
    assert read_envelope("messages", body, {}) == Envelope(kind="messages", channel="C1")


@pytest.mark.parametrize(
    ("fields", "has_more"),
    [
        ({}, None),
        ({"has_more": False}, False),
        ({"next_cursor": ""}, False),
        ({"next_cursor": "x"}, True),
        ({"next_cursor": "x", "has_more": False}, True),
        ({"next_cursor": "", "has_more": True}, True),
        ({"response_metadata": {"next_cursor": ""}}, False),
        ({"response_metadata": {"next_cursor": "x"}}, True),
        ({"response_metadata": {}}, None),
    ],
)
def test_a_directory_page_says_by_its_cursor_whether_there_is_more(
    fields: dict[str, Any], has_more: bool | None
) -> None:
    body = json.dumps({"connection": "a/b", "members": [], **fields}).encode()
    assert read_envelope("users", body, {}).has_more is has_more


def test_a_page_of_messages_without_has_more_is_not_given_one() -> None:
    body = b'{"channel":"C1","messages":[],"next_cursor":""}'
    assert read_envelope("messages", body, {}).has_more is None


@pytest.mark.parametrize(
    ("error", "word"), [("ratelimited", "ratelimited"), (CANARY, "other"), (7, "other"), (None, "other")]
)
def test_a_refusal_of_slack_is_a_gap_with_a_bounded_word(error: object, word: str) -> None:
    read = read_envelope("messages", json.dumps({"ok": False, "error": error, "channel": "C1"}).encode(), {})
    assert (read.gap, read.error, read.count) == (True, word, 0)


def test_an_error_word_beside_ok_is_nothing() -> None:
    read = read_envelope("messages", page(ok=True, error="x"), {})
    assert (read.gap, read.error) == (False, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        page()[:-3],
        b"\xef\xbb\xbf" + page(),
        page().decode().encode("utf-16"),
        b"\xff",
        b'{"channel":NaN}',
        b'{"x":[Infinity]}',
        b"nope",
        b'{"x":"\xed\xa0\x80"}',
        b'{"a":1}{}',
    ],
)
def test_what_is_no_json_in_utf8_is_a_400(body: bytes) -> None:
    assert refused(body)[0] == 400


@pytest.mark.parametrize(
    "body", [b'{"x":' + b"[" * 100_000, page(x=1)[:-1] + b',"y":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001]
)
def test_a_depth_bomb_is_a_400(body: bytes) -> None:
    assert refused(body) == (400, "body", "too_deep")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"[]", "body"),
        (b"null", "body"),
        (page(messages={}), "messages"),
        (page(messages=None), "messages"),
        (page(messages="[]"), "messages"),
        (page(channel=""), "channel"),
        (page(channel=None), "channel"),
        (page(channel=7), "channel"),
        (page(channel="C1:*"), "channel"),
        (page(connection="nobody"), "connection"),
        (page(attempt=-1), "attempt"),
        (page(attempt=1.0), "attempt"),
        (page(attempt=True), "attempt"),
        (page(attempt="1e3"), "attempt"),
        (page(attempt=10**4000), "attempt"),
        (page(oldest=1600000000.1), "oldest"),
        (page(oldest="yesterday"), "oldest"),
        (page(thread_ts=0), "thread_ts"),
        (page(has_more="yes"), "has_more"),
        (page(has_more=1), "has_more"),
        (page(ok="maybe"), "ok"),
        (page(run_id="r\n1"), "run_id"),
        (page(cursor="x" * 2000), "cursor"),
        (page(cursor="x" * 20_000), "cursor"),
        (page(cursor=[[]]), "cursor"),
        (page(response_metadata=[]), "response_metadata"),
        (page(response_metadata={"next_cursor": 1}), "next_cursor"),
        (page(messages=[1] * 100_001), "messages"),
    ],
)
def test_a_wrong_shape_is_a_422_that_names_the_field(body: bytes, where: str) -> None:
    assert refused(body)[:2] == (422, where)


def test_a_number_of_five_thousand_digits_in_the_envelope_is_a_422() -> None:
    assert refused(page()[:-1] + b',"attempt":' + b"9" * 5000 + b"}") == (422, "attempt", "type")


@pytest.mark.parametrize("kind", ["channels", "users"])
def test_a_directory_page_must_name_its_connection(kind: Kind) -> None:
    body = b'{"channels":[],"members":[]}'
    assert refused(body, kind) == (422, "connection", "missing")
    assert read_envelope(kind, body, {"connection": "a/b"}).connection == "a/b"


def test_of_two_equal_names_the_last_one_counts_in_the_envelope_and_in_the_records() -> None:
    body = b'{"channel":"C1","channel":"C2","messages":[1],"messages":[2,3]}'
    assert (read_envelope("messages", body, {}).channel, read_records(body, "messages")) == ("C2", [2, 3])


def test_unknown_fields_are_counted_and_ignored() -> None:
    assert read_envelope("messages", page(warning="x", pin_count=1), {"utm": "1"}).extra == 3


def test_records_come_as_slack_sent_them() -> None:
    records = [{"text": "grüße 😀", "n": 10**25, "f": 1.5, "none": None, "deep": [{"a": [1]}]}, "odd", 3, None]
    assert read_records(json.dumps({"members": records}).encode(), "users") == records


def test_half_a_surrogate_pair_spoils_neither_the_page_nor_the_record() -> None:
    body = rb'{"channel":"C1","messages":[{"text":"cut \ud83d"},{"text":"\ud83d\ude00 \\ud83d \ude00\n"}]}'
    assert read_envelope("messages", body, {}).count == 2
    assert read_records(body, "messages") == [{"text": "cut \ufffd"}, {"text": "\U0001f600 \\ud83d \ufffd\n"}]


def test_a_record_that_cannot_be_held_stands_alone() -> None:
    body = page()[:-1] + b',"messages":[{"a":1},' + b"9" * 5000 + b',{"n":1e999},{"b":2}]}'
    assert read_envelope("messages", body, {}).count == 4
    bad = Undecodable("bad_number")
    assert read_records(body, "messages") == [{"a": 1}, bad, bad, {"b": 2}]


def test_a_page_without_a_list_has_no_records() -> None:
    assert read_records(b'{"ok":false,"error":"x"}', "messages") == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
field_names = st.sampled_from([*READERS["messages"], "messages", "channels", "members", "response_metadata", "x"])


@given(st.sampled_from(KINDS), st.binary(), st.dictionaries(field_names, st.text(max_size=8)))
def test_any_bytes_are_an_envelope_or_a_clean_error(kind: Kind, body: bytes, query: dict[str, str]) -> None:
    read_or_refuse(kind, body, query)


@given(
    st.sampled_from(KINDS), st.dictionaries(field_names, json_values), st.dictionaries(field_names, st.text(max_size=8))
)
def test_any_object_is_an_envelope_or_a_clean_error(kind: Kind, body: dict[str, Any], query: dict[str, str]) -> None:
    read_or_refuse(kind, json.dumps(body).encode("utf-8", "surrogatepass"), query)


@given(st.sampled_from(KINDS), st.data())
def test_a_good_page_with_bytes_changed_is_an_envelope_or_a_clean_error(kind: Kind, data: st.DataObject) -> None:
    body = bytearray(page(members=[{}], channels=[]))
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=4)):
        body[place] = data.draw(st.integers(0, 255))
    read_or_refuse(kind, bytes(body), {})


def read_or_refuse(kind: Kind, body: bytes, query: dict[str, str]) -> None:
    """The law: an envelope whose count is that of its records, or an error in our own words; nothing else."""
    read = envelope_or_error(kind, body, query)
    if isinstance(read, Envelope):
        assert len(read_records(body, kind)) == read.count
    else:
        assert read.status in (400, 422)
        assert read.location in {*READERS["messages"], "messages", "channels", "members", "response_metadata", "body"}
        assert read.kind.isidentifier()


def envelope_or_error(kind: Kind, body: bytes, query: dict[str, str]) -> Envelope | EnvelopeError:
    try:
        return read_envelope(kind, body, query)
    except EnvelopeError as error:
        return error


def test_no_error_carries_a_piece_of_the_input() -> None:
    for body in (
        page(channel=CANARY + "!"),
        page(connection=CANARY),
        page(oldest=CANARY),
        CANARY.encode(),
        page(has_more=CANARY),
    ):
        with pytest.raises(EnvelopeError) as caught:
            read_envelope("messages", body, {})
        assert CANARY not in repr(caught.value) + str(caught.value)
        assert CANARY not in repr(caught.value.__context__)


@given(
    st.binary(),
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    ),
)
def test_a_payload_is_unpacked_as_it_was_packed(body: bytes, query: dict[str, str]) -> None:
    assert unpack(pack(body, query)) == (body, query)


@pytest.mark.parametrize(
    "payload", [b"", b"\x00\x00", b"\x00\x00\x00\x09{}", b"\x00\x00\x00\x02[]x", b"\x00\x00\x00\x02\xff\xffx"]
)
def test_a_payload_that_was_not_packed_is_rejected(payload: bytes) -> None:
    with pytest.raises(Rejected, match="bad_payload"):
        unpack(payload)

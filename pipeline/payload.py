"""A callback's bytes: how they are framed for keeping, and how the JSON in them is read. Pure.

Read with care for what a hostile or a merely odd sender can do: JSON's depth, numbers of 5,000 digits, NaN, a byte
order mark, UTF-16, half a surrogate pair. No error holds a piece of the input.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from pipeline.errors import Rejected

Kind = Literal["messages", "channels", "users"]

LISTS: Final[Mapping[Kind, str]] = {"messages": "messages", "channels": "channels", "users": "members"}
"""The field that holds the records, by Slack's own names."""

_LENGTH: Final = 4
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
# Left to right in whole tokens, since an escaped backslash starts no escape; runs of good tokens are one match.
_TOKENS: Final = re.compile(
    rb"(?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})++"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}",
    re.DOTALL,
)


class EnvelopeError(Rejected):
    """A callback that is not one. `status` is the HTTP answer; `location` and `kind` are words of ours, no content."""

    def __init__(self, status: int, location: str, kind: str) -> None:
        super().__init__(kind, location=location)
        self.status = status
        self.kind = kind


class Undecodable(msgspec.Struct, frozen=True):
    """Stands in `read_records` for one record that JSON allows and no decoder can hold; `reason` is one word."""

    reason: str


def pack(body: bytes, query: Mapping[str, str]) -> bytes:
    """One payload of a callback's body and what was in its query: length of the query (4 bytes), query, body."""
    head = msgspec.json.encode(query) if query else b""
    return len(head).to_bytes(_LENGTH, "big") + head + body


def unpack(payload: bytes) -> tuple[bytes, dict[str, str]]:
    """(body, query) as `pack` got them. Raises `Rejected("bad_payload")` for anything else."""
    end = _LENGTH + int.from_bytes(payload[:_LENGTH], "big")
    if len(payload) < max(end, _LENGTH):
        raise Rejected("bad_payload")
    try:
        return payload[end:], msgspec.json.decode(payload[_LENGTH:end], type=dict[str, str]) if end > _LENGTH else {}
    except msgspec.DecodeError:
        raise Rejected("bad_payload") from None


def read_object(body: bytes) -> dict[str, msgspec.Raw]:
    """The fields of a JSON object in UTF-8, undecoded; of two equal names the last one. Raises `EnvelopeError`."""
    if not _is_utf8(body):  # msgspec skips over strings that it need not build, and over what is no UTF-8 in them.
        raise EnvelopeError(400, "body", "not_utf8")
    try:
        return _decode_object(body)
    except RecursionError:
        raise EnvelopeError(400, "body", "too_deep") from None
    except msgspec.ValidationError:
        raise EnvelopeError(422, "body", "object_type") from None
    except msgspec.DecodeError:
        raise EnvelopeError(400, "body", "not_json") from None


def read_records(body: bytes, kind: Kind) -> list[object]:
    """The records of a callback that `read_envelope` took, decoded one by one where that is needed.

    A record that cannot be held (nested too deep, a number out of all range) is an `Undecodable` in its place: the
    others go on. Half a surrogate pair becomes U+FFFD. A page without a list (`ok: false`) has no records. Raises
    `EnvelopeError` (a `Rejected`) for a body that is no envelope.
    """
    raw = read_object(body).get(LISTS[kind])
    if raw is None or not is_list(raw):
        return []
    try:
        decoded: list[object] = msgspec.json.decode(raw, type=list[object])
    except (msgspec.DecodeError, RecursionError):
        return [_decode_record(record) for record in split_list(raw)]
    return decoded


def is_list(raw: msgspec.Raw) -> bool:
    """Whether an undecoded value is a JSON array."""
    return bytes(memoryview(raw)[:1]) == b"["


def split_list(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """The items of an array, undecoded: views of the same bytes."""
    return msgspec.json.decode(raw, type=list[msgspec.Raw])


def _is_utf8(body: bytes) -> bool:
    """A predicate, so that no error of ours has one behind it that holds the whole body."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode_object(body: bytes) -> dict[str, msgspec.Raw]:
    try:
        return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Slack cuts texts by UTF-16 units, so half a pair is an oddity of one message, not a broken page.
        if not _HALF.search(body):
            raise
        return msgspec.json.decode(_mend(body), type=dict[str, msgspec.Raw])


def _decode_record(raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except RecursionError:
        return Undecodable("too_deep")
    except msgspec.DecodeError:
        return Undecodable("bad_number")


def _mend(body: bytes) -> bytes:
    """The same JSON with each half surrogate escape as U+FFFD; whole pairs and all other escapes as they were."""
    return _TOKENS.sub(lambda token: rb"\ufffd" if _HALF.fullmatch(token[0]) else token[0], body)

"""What a callback must look like (design.md, 7). Pure: bytes and a query in, an `Envelope` or an error out.

The envelope's fields come in the body, in the query, or in both where they agree: a workflow may post an object of
its own, or Slack's response as it came with the fields in the query. The records are counted here, not decoded.

Nothing is guessed: what a page does not say stays None; it is delivered all the same, and proves nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from pipeline.envelope_fields import READERS, REQUIRED, Reader, Value
from pipeline.payload import (
    LISTS,
    EnvelopeError,
    Kind,
    Undecodable,
    is_list,
    pack,
    read_object,
    read_records,
    split_list,
    unpack,
)

__all__ = [
    "LISTS",
    "MOST_RECORDS",
    "Envelope",
    "EnvelopeError",
    "Kind",
    "Undecodable",
    "pack",
    "read_envelope",
    "read_query",
    "read_records",
    "unpack",
]

MOST_RECORDS: Final = 100_000
"""In one callback. Slack's pages hold at most 999; a snapshot of a directory may hold many more."""

_LONGEST_QUERY: Final = 16_384
_LONGEST_VALUE: Final = 8192

Said = dict[str, Value]
"""What one source says: only fields that have a value."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One callback, less its records. `None` means that the page did not say.

    `cursor` is what the page was asked with ("" for the first one), `next_cursor` "" at the end; `thread_ts` is ""
    for history. `oldest`, `latest` and `thread_ts` are Slack's `ts` strings. `gap`: Slack answered `ok: false`, with
    the word `error`. `count` records, `extra` fields that we do not know.
    """

    kind: Kind
    connection: str | None = None
    run_id: str | None = None
    attempt: int | None = None
    channel: str | None = None
    thread_ts: str | None = None
    oldest: str | None = None
    latest: str | None = None
    cursor: str | None = None
    next_cursor: str | None = None
    has_more: bool | None = None
    snapshot: bool | None = None
    is_limited: bool | None = None
    gap: bool = False
    error: str | None = None
    count: int = 0
    extra: int = 0


def read_envelope(kind: Kind, body: bytes, query: Mapping[str, str]) -> Envelope:
    """The envelope of a callback. `body` is inflated; `query` is as `read_query` gives it.

    `connection`, `run_id` and `attempt` of messages may be missing: the run token has them. Raises `EnvelopeError`:
    400 for what is no JSON in UTF-8, 422 for what has the wrong shape or disagrees with itself.
    """
    raw, readers = read_object(body), READERS[kind]
    said: dict[str, Any] = _agreed(_in_body(raw, readers), _in_query(query, readers), _in_metadata(raw, readers))
    gap = said.pop("ok", None) is False
    error = said.pop("error", "other")
    for name in REQUIRED[kind]:
        if name not in said:
            raise EnvelopeError(422, name, "missing")
    return Envelope(
        kind=kind,
        **said | _more(kind, said),
        gap=gap,
        error=error if gap else None,
        count=_count(raw, LISTS[kind], gap),
        extra=_strangers(raw, readers, LISTS[kind], "response_metadata") + _strangers(query, readers),
    )


def read_query(raw: bytes) -> dict[str, str]:
    """A query string's fields. A plus sign is itself: cursors are base64, user ids are e-mail addresses.

    Raises `EnvelopeError`: 400 for what is too long or no UTF-8, 422 for a field with two values.
    """
    if len(raw) > _LONGEST_QUERY:
        raise EnvelopeError(400, "query", "too_long")
    query: dict[str, str] = {}
    for pair in filter(None, raw.split(b"&")):
        name, _, value = pair.partition(b"=")
        if query.setdefault(_unquoted(name), _unquoted(value)) != _unquoted(value):
            raise EnvelopeError(422, "query", "disagree")
    return query


def _unquoted(part: bytes) -> str:
    try:
        return unquote(part.decode("ascii"), errors="strict")
    except UnicodeDecodeError:
        raise EnvelopeError(400, "query", "not_utf8") from None


def _in_body(raw: Mapping[str, msgspec.Raw], readers: Mapping[str, Reader]) -> Said:
    values = ((name, _scalar(name, raw[name])) for name in readers if name in raw)
    return _read(values, readers)


def _in_query(query: Mapping[str, str], readers: Mapping[str, Reader]) -> Said:
    return _read(((name, query[name]) for name in readers if name in query), readers)


def _in_metadata(raw: Mapping[str, msgspec.Raw], readers: Mapping[str, Reader]) -> Said:
    """Slack's own place for the next cursor; what else Slack puts there is not ours."""
    try:
        metadata = msgspec.json.decode(raw.get("response_metadata", b"{}"), type=dict[str, msgspec.Raw] | None) or {}
    except (msgspec.DecodeError, RecursionError):
        raise EnvelopeError(422, "response_metadata", "object_type") from None
    found = metadata.get("next_cursor")
    return _read([("next_cursor", _scalar("next_cursor", found))], readers) if found is not None else {}


def _read(values: Iterable[tuple[str, object]], readers: Mapping[str, Reader]) -> Said:
    read = ((name, readers[name](name, value)) for name, value in values if value is not None)
    return {name: value for name, value in read if value is not None}


def _scalar(name: str, raw: msgspec.Raw) -> object:
    """One undecoded value, decoded: no field of an envelope is long, and none is deep."""
    if len(memoryview(raw)) > _LONGEST_VALUE:
        raise EnvelopeError(422, name, "too_long")
    try:
        value: object = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise EnvelopeError(422, name, "type") from None
    return value


def _agreed(*sources: Said) -> Said:
    """The union of what the sources say. Raises `EnvelopeError(422)` for the field in which two differ."""
    union: Said = {}
    for name, value in (item for source in sources for item in source.items()):
        if union.setdefault(name, value) != value:
            raise EnvelopeError(422, name, "disagree")
    return union


def _more(kind: Kind, said: Mapping[str, Value]) -> dict[str, bool]:
    """`has_more` of a directory page, for which Slack has no such field: there a next cursor is what tells."""
    if kind == "messages" or "next_cursor" not in said:
        return {}
    return {"has_more": bool(said["next_cursor"]) or said.get("has_more") is True}


def _count(raw: Mapping[str, msgspec.Raw], name: str, gap: bool) -> int:
    found = raw.get(name)
    if found is None or not is_list(found):
        if gap:
            return 0
        raise EnvelopeError(422, name, "missing" if found is None else "list_type")
    count = len(split_list(found))
    if count > MOST_RECORDS:
        raise EnvelopeError(422, name, "too_many")
    return count


def _strangers(given: Mapping[str, object], *known: Iterable[str] | str) -> int:
    names = {name for group in known for name in ([group] if isinstance(group, str) else group)}
    return len(given.keys() - names)

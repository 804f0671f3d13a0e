"""Pages of records and effects: what the query asks, and the text that answers it."""

import json
from collections.abc import Mapping

from common_mesh.reference.store import Filters, Space, Store

PAGE = 100
LARGEST_PAGE = 1_000
PAGE_SIZE = 1_000_000
"""Characters of records after which a page ends early, so that nobody has to hold a thousand large ones."""
_LARGEST = 2**63 - 1


class BadQuery(ValueError):
    """A parameter that is not what it should be; the message names it, and not its value."""


def page_of_records(store: Store, space: Space, query: Mapping[str, str]) -> bytes:
    """`{"records": […], "next": id or null}`. The records' text goes out as it is kept."""
    limit = _limit(query)
    filters = Filters(
        all=_flag(query, "all"),
        ts_after=_number(query, "ts_after"),
        ts_until=_number(query, "ts_until"),
        version_after=query.get("version_after"),
        prefix=query.get("prefix", ""),
    )
    rows = store.records(space, query.get("after", ""), limit, filters, PAGE_SIZE)
    full = len(rows) == limit or sum(len(body) for _, body in rows) >= PAGE_SIZE
    following = rows[-1][0] if full else None
    return f'{{"records":[{",".join(body for _, body in rows)}],"next":{json.dumps(following)}}}'.encode()


def page_of_effects(store: Store, space: Space, query: Mapping[str, str]) -> bytes | None:
    """`{"effects": [{sequence, id, version, outcome}], "next": sequence or null}`; None where the log is off."""
    limit = _limit(query)
    rows = store.effects(space, _number(query, "after") or 0, limit)
    if rows is None:
        return None
    following = rows[-1].sequence if len(rows) == limit else None
    return json.dumps({"effects": [row._asdict() for row in rows], "next": following}).encode()


def _limit(query: Mapping[str, str]) -> int:
    asked = _number(query, "limit")
    return min(max(PAGE if asked is None else asked, 1), LARGEST_PAGE)


def _number(query: Mapping[str, str], name: str) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= _LARGEST):
        raise BadQuery(f"{name} must be a whole number")
    return int(value)


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "false")
    if value not in ("true", "false"):
        raise BadQuery(f"{name} must be true or false")
    return value == "true"

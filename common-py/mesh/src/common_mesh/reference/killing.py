"""A batch's retractions on the SQLite store: one statement raises its fences, one a kind kills what they catch.

The risen ones are laid into a temporary table with an index, so that two thousand fences are one pass over the records
and not two thousand.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text

from common_mesh.reference.fences import Fence, Shape, key
from common_mesh.reference.schema import MATCHED, UNBOUNDED

_FOREVER = 2**63 - 1

_RAISE = text("""
    INSERT INTO fences (space, fields, "values", after, until, below)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]')
    FROM json_each(:list) WHERE true
    ON CONFLICT DO UPDATE SET below = excluded.below WHERE excluded.below > below
    RETURNING space, fields, "values", after, until, below
""")
"""Fences only rise; comes back what did. `values` is JSON in JSON, as `fences.key` writes it."""


class _Kind(NamedTuple):
    """Fences that one statement can ask for together: the same fields, with or without bounds in time."""

    shape: Shape
    timed: bool


def risen(connection: Connection, fences: Iterable[tuple[int, Fence]]) -> Sequence[tuple[Any, ...]]:
    """Keep the fences, each of a target's number; the rows of table `fences` that rose."""
    lines = [_line(space, fence) for space, fence in fences]
    return [tuple(row) for row in connection.execute(_RAISE, {"list": json.dumps(lines)})]


def _line(space: int, fence: Fence) -> list[Any]:
    bounds = (UNBOUNDED if bound is None else bound for bound in fence.window)
    return [space, key(fence.fields), key(fence.values), *bounds, fence.below]


def killed(connection: Connection, space: int, fences: Iterable[Fence]) -> list[Row[Any]]:
    """Mark dead what the fences catch in one space: (id, version, content) of each, the content yet to be blanked."""
    kinds: dict[_Kind, list[Fence]] = {}
    for fence in fences:
        kinds.setdefault(_Kind(fence.fields, fence.window != (None, None)), []).append(fence)
    return [row for kind, alike in kinds.items() for row in _killed(connection, space, kind, alike)]


def _killed(connection: Connection, space: int, kind: _Kind, fences: Sequence[Fence]) -> Sequence[Row[Any]]:
    cells = [f"cell{number}" for number in range(len(kind.shape))]
    connection.exec_driver_sql("DROP TABLE IF EXISTS temp.risen")
    connection.exec_driver_sql(f"CREATE TEMP TABLE risen (below, after, until, {', '.join(cells)})")
    rows = [(*_head(fence), *spelling) for fence in fences for spelling in _spellings(fence)]
    places = ", ".join("?" * len(rows[0]))
    connection.exec_driver_sql(f"INSERT INTO temp.risen VALUES ({places})", rows)  # noqa: S608 - places alone
    connection.exec_driver_sql(f"CREATE INDEX temp.risen_cells ON risen ({', '.join(cells)})")
    return connection.exec_driver_sql(_kill(kind), (space,)).all()


def _head(fence: Fence) -> tuple[str, int, int]:
    until = _FOREVER if fence.until is None else fence.until
    return fence.below, UNBOUNDED if fence.after is None else fence.after, until


def _spellings(fence: Fence) -> set[tuple[str, ...]]:
    """How the values may stand in a record.

    A field without a column is compared as the JSON text of a body, which is in ASCII where the body holds a lone
    surrogate. `json_extract` would end a text at its first NUL, and take another for it.
    """
    named = list(zip(fence.fields, fence.values, strict=True))
    return {
        tuple(value if name in MATCHED else json.dumps(value, ensure_ascii=ascii_) for name, value in named)
        for ascii_ in (False, True)
    }


def _kill(kind: _Kind) -> str:
    """What was said of the killed goes; id, version and the mark stay. Field names were checked by `read_fence`."""
    said = [f"{_said(name)} = f.cell{number}" for number, name in enumerate(kind.shape)]
    timed = ["r.ts_us > f.after", "r.ts_us <= f.until"] if kind.timed else []
    caught = " AND ".join(["r.space = ?", "r.dead IS 0", "substr(r.version, 1, 16) < f.below", *said, *timed])
    # A channel's records are found by their index, fence by fence; anything else is looked up record by record.
    order = "risen f CROSS JOIN records r" if "channel" in kind.shape else "records r CROSS JOIN risen f"
    gone = ", ".join(f"{name} = NULL" for name in (*MATCHED, "ts_us"))
    return (
        f"UPDATE records SET dead = 1, deleted = 0, {gone} "  # noqa: S608 - columns of ours, values are bound
        f'WHERE "row" IN (SELECT r."row" FROM {order} WHERE {caught}) RETURNING id, version, content'
    )


def _said(name: str) -> str:
    if name in MATCHED:
        return f"r.{name}"
    return f"""(SELECT body -> '$."{name}"' FROM contents c WHERE c."row" = r.content)"""  # noqa: S608 - a name, checked

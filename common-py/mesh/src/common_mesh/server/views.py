"""The pages to look around, from what the store answered. Pure: every text of a record goes through `markup`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from common_mesh.reference.store import LoggedEffect, Space, States
from common_mesh.server.asked import View, epoch, moment
from common_mesh.server.markup import Html, Inside, tag
from common_mesh.server.paths import look
from common_mesh.wire import RETRACTION

_SAID = ("text", "name", "real_name", "display_name", "title", "reason")
"""Fields that tell a person most about a record, the best first."""
_SHOWN = 240


class Page(NamedTuple):
    """Records as the store gave them, and where the next page begins."""

    records: Sequence[Mapping[str, Any]]
    following: str | None


def overview(spaces: Mapping[Space, int], wanted: str) -> list[Inside]:
    """Every organisation with its models; `wanted` is part of an organisation's name."""
    found = [(space, count) for space, count in sorted(spaces.items()) if wanted.lower() in space.org.lower()]
    organisations = [(org, list(rows)) for org, rows in groupby(found, key=lambda row: row[0].org)]
    if not spaces:
        return [
            tag("h1", "Nothing has arrived yet"),
            tag("p", "Records show up here once they are sent.", class_="lead"),
        ]
    numbers = {"organisations": len(organisations), "models": len(found), "live records": sum(n for _, n in found)}
    return [
        tag("h1", "What this mesh holds"),
        _numbers(numbers),
        _search(wanted) if len(spaces) > 1 else None,
        None if found else tag("p", "No organisation has this in its name.", class_="empty"),
        [_organisation(org, rows) for org, rows in organisations],
    ]


def _search(wanted: str) -> Html:
    field = tag("input", name="org", value=wanted, class_="wide", type="search")
    return tag(
        "form",
        tag("label", "Organisation contains", field),
        tag("button", "Find"),
        class_="filters card",
        role="search",
    )


def _organisation(org: str, rows: Iterable[tuple[Space, int]]) -> Html:
    lines = [[space.module, tag("a", space.model, href=look(space)), f"{count:,}"] for space, count in rows]
    return tag("section", tag("h2", org), _table(["Module", "Model", "Live records:n"], lines), class_="card")


def records(space: Space, states: States, view: View, page: Page) -> list[Inside]:
    """One space: its counts, the filter, a page of it."""
    return [
        _top(space, "records"),
        _numbers({"live": states.live, "deleted": states.deleted, "dead by a retraction": states.dead}),
        _filter(space, view),
        tag("section", _listed(space, states, view, page), class_="card"),
    ]


def effects(space: Space, rows: Sequence[LoggedEffect] | None, following: int | None) -> list[Inside]:
    """One space's log of what was applied; `rows` is None where it is off."""
    if rows is None:
        text = "The effects log is off. The server keeps one when it is started with --effects."
        return [_top(space, "effects"), tag("p", text, class_="empty")]
    if not rows:
        return [_top(space, "effects"), tag("p", "Nothing was applied here, or not after this place.", class_="empty")]
    lines = [[f"{r.sequence}", _mark(r.outcome), _code(r.id), epoch(r.version), _code(r.version)] for r in rows]
    table = _table(["Sequence:n", "Effect", "Id:id", "Epoch:when", "Version"], lines)
    following_page = None if following is None else f"{look(space, 'effects')}?after={following}"
    return [
        _top(space, "effects"),
        tag("section", table, _pages(look(space, "effects"), following_page), class_="card"),
    ]


def _top(space: Space, here: str) -> list[Inside]:
    crumbs = [tag("a", "All organisations", href="/"), " › ", space.org, " › ", space.module]
    tabs = [
        tag("li", tag("a", name.capitalize(), href=to, aria_current="page" if name == here else None))
        for name, to in (("records", look(space)), ("effects", look(space, "effects")))
    ]
    return [tag("nav", crumbs, class_="crumbs"), tag("h1", space.model), tag("ul", tabs, class_="tabs")]


def _filter(space: Space, view: View) -> Html:
    times = {"type": "datetime-local", "step": "1"}
    fields = [
        tag("label", "Id begins with", tag("input", name="prefix", value=view.prefix, type="search")),
        tag("label", "From (UTC)", tag("input", name="since", value=view.since, **times)),
        tag("label", "Until (UTC)", tag("input", name="until", value=view.until, **times)),
        tag("label", "Version above", tag("input", name="version", value=view.version, inputmode="numeric")),
    ]
    box = tag("input", type="checkbox", name="all", value="true", checked=view.all)
    actions = [tag("button", "Show"), tag("a", "Reset", href=look(space))]
    check = tag("label", box, "also deleted and dead", class_="check")
    return tag("form", fields, check, tag("div", actions, class_="actions"), class_="filters card", action=look(space))


def _listed(space: Space, states: States, view: View, page: Page) -> list[Inside]:
    if not page.records:
        return [tag("p", _nothing(states, view), class_="empty")]
    retractions = space.model == RETRACTION
    heads = ["Id:id", *(_FENCE_HEADS if retractions else ("Time, UTC:when", "Says:text")), "Epoch:when", "State"]
    lines = [_line(record, retractions=retractions) for record in page.records]
    following = None if page.following is None else look(space) + view.query(page.following)
    first = look(space) + view.query() if view.after else None
    return [_table(heads, lines), _pages(first, following)]


def _nothing(states: States, view: View) -> str:
    if view.after:
        return "There is nothing after this place."
    if view.narrowed:
        return "No record is like this."
    hidden = states.deleted + states.dead
    return f"No live record; {hidden:,} are deleted or dead." if hidden and not view.all else "No record is here."


_FENCE_HEADS = ("Kills in", "Where:text", "Time, UTC:when", "Reason")


def _line(record: Mapping[str, Any], *, retractions: bool) -> list[Inside]:
    state = "dead" if record.get("dead") else "deleted" if record.get("deleted") else "live"
    said = _where(record) if retractions else _said(record)
    whole = tag("details", tag("summary", said or "the record"), tag("pre", _written(record)))
    middle = _fence(record, whole) if retractions else [moment(record.get("ts_us")), whole]
    return [_code(str(record["id"])), *middle, epoch(record["version"]), _mark(state)]


def _written(record: Mapping[str, Any]) -> str:
    try:
        return json.dumps(record, indent=1, ensure_ascii=False)
    except RecursionError:  # one record must not close the page to all the others
        return "This record is too deep to be shown."


def _where(record: Mapping[str, Any]) -> str:
    return " and ".join(f"{name} is {value}" for name, value in sorted((record.get("match") or {}).items()))


def _fence(record: Mapping[str, Any], where: Html) -> list[Inside]:
    bounds = [
        tag("div", f"{name} {moment(record[name])}") for name in ("after", "until") if record.get(name) is not None
    ]
    return [str(record.get("target", "")), where, bounds or "any", str(record.get("reason") or "")]


def _said(record: Mapping[str, Any]) -> str:
    said = next((record[name] for name in _SAID if isinstance(record.get(name), str) and record[name]), "")
    return said if len(said) <= _SHOWN else said[:_SHOWN] + "…"


def _code(text: str) -> Html:
    return tag("span", text, class_="code")


def _mark(word: str) -> Html:
    return tag("span", word, class_=f"mark {word}")


def _numbers(numbers: Mapping[str, int]) -> Html:
    return tag("ul", [tag("li", tag("b", f"{n:,}"), word) for word, n in numbers.items()], class_="numbers")


def _pages(first: str | None, following: str | None) -> Html | None:
    links = [tag("a", word, href=to) for word, to in (("First page", first), ("Next page", following)) if to]
    return tag("nav", links, class_="pages", aria_label="Pages") if links else None


def _table(heads: Sequence[str], lines: Iterable[Sequence[Inside]]) -> Html:
    """`Name:class` is a column's head and class; on a narrow screen a cell says the head itself."""
    named = [head.partition(":")[::2] for head in heads]
    top = tag("tr", [tag("th", name, class_=kind or None, scope="col") for name, kind in named])
    rows = [
        tag(
            "tr",
            [
                tag("td", cell, class_=kind or None, data_label=name or None)
                for (name, kind), cell in zip(named, line, strict=True)
            ],
        )
        for line in lines
    ]
    return tag("table", tag("thead", top), tag("tbody", rows), class_="folds")

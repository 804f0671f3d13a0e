"""Core route of the picker: the channels that a connection can read, searched and paged."""

from collections.abc import Iterable
from typing import Annotated

from common_core import strings
from fastapi import Query

from api.access import Known, core_router
from api.answers import problems
from api.connections import PREFIX, Connection, live
from api.problems import Problem
from api.shown import ChannelShown, ChannelsShown
from api.shown_pauses import ChannelPauseShown
from pipeline.connection import split_connection

router = core_router("connections", PREFIX)


@router.get("/{user:path}/channels", responses=problems(404, 422))
def list_channels(
    connection: Connection,
    known: Known,
    query: Annotated[
        str, Query(max_length=200, description="A part of the name, without regard to case and accents; or an id.")
    ] = "",
    limit: Annotated[int | None, Query(ge=1, le=10_000, description="At most so many; left out: all.")] = None,
    after: Annotated[
        str | None, Query(max_length=64, description="`next` of the page before, with the same `query`.")
    ] = None,
) -> ChannelsShown:
    """Every channel that the connection can read, or those that are looked for, with what the picker shows of them.

    422 `unknown-channel` where `after` is none of them: its channel has gone meanwhile, begin again.
    """
    found, org = live(known, connection), split_connection(connection)[1]
    rows = [ChannelShown.model_validate(channel) for channel in known.directory.channels(org, found.team or "")]
    rows = matching(rows, query)
    try:
        page, following = page_of(rows, after, limit)
    except ValueError:
        detail = "It is none of the channels that are looked for: begin without `after`."
        raise Problem(422, "unknown-channel", "No such place in the list", detail) from None
    allowed = set(known.allowlists.own(connection, found.team))
    paused = known.channel_pauses.of(org, found.team)
    for row in page:
        row.allowed = row.channel in allowed
        row.paused = [ChannelPauseShown.model_validate(pause) for pause in paused.get(row.channel, [])]
    complete = found.channels_complete_at is not None
    return ChannelsShown(complete=complete, matching=len(rows), channels=page, next=following)


def matching(rows: Iterable[ChannelShown], query: str) -> list[ChannelShown]:
    """Those that a person looks for, by name as people sort; what has no name comes first, and is found by its id."""
    wanted = query.strip().removeprefix("#")
    found = (row for row in rows if wanted == row.channel or strings.contains(row.name or "", wanted))
    return sorted(found, key=lambda row: (strings.sort_key(row.name or ""), row.channel))


def page_of(rows: list[ChannelShown], after: str | None, limit: int | None) -> tuple[list[ChannelShown], str | None]:
    """The page behind the channel `after`, and its last channel if more follow. ValueError: `after` is not there."""
    start = 0 if after is None else [row.channel for row in rows].index(after) + 1
    end = len(rows) if limit is None else start + limit
    return rows[start:end], rows[end - 1].channel if end < len(rows) else None

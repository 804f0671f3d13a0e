"""Core routes of single channels: a person's word on one that Sluice has paused; an operator pauses one by hand."""

from typing import Annotated

from fastapi import Path

from api.access import OPERATOR, Known, Scope, core_router, not_found, operator
from api.answers import problems
from api.connections import PREFIX, Connection, live
from api.problems import Problem
from api.shown_pauses import ChannelPaused, ChannelPauseShown, ChannelResumed
from pipeline.connection import split_connection
from pipeline.errors import Rejected
from pipeline.rules.identity import SAYS
from pipeline.store.channel_answers import CannotResumeError

router = core_router("allowlist", PREFIX)
Channel = Annotated[str, Path(description="Slack channel id, on the list of the team.", examples=["C0123456789"])]


@router.post("/{user:path}/channels/{channel}/resume", responses=problems(403, 404, 409, 422))
def resume(connection: Connection, channel: Channel, known: Known, held: Scope) -> ChannelResumed:
    """Say yes to a channel that was paused because another company was let into it: it is read again, from where it
    was, for every connection of the organisation.

    404 where it is not paused; 409 where its id changed, since the list has to name the new one; 403 where an operator
    paused it.
    """
    live(known, connection)
    try:
        ended = known.channel_answers.resume(connection, channel, by=held, operator=held == OPERATOR)
    except Rejected:
        raise not_found() from None
    except CannotResumeError as refused:
        raise _refusal(refused) from None
    if not ended:
        raise not_found()
    known.ring_for(connection)
    return ChannelResumed(ended=[ChannelPauseShown.model_validate(pause) for pause in ended])


@router.post("/{user:path}/channels/{channel}/pause", responses=problems(403, 404, 422))
def pause(connection: Connection, channel: Channel, known: Known, held: Scope) -> ChannelPaused:
    """Read nothing of this channel, for every connection of the organisation, until an operator resumes it. What was
    delivered stays. Pausing twice changes nothing. Only for the operator.
    """
    found = live(known, connection)
    operator(held)
    try:
        known.channel_answers.pause(connection, channel, by=held)
    except Rejected:
        raise not_found() from None
    pauses = known.channel_pauses.of(split_connection(connection)[1], found.team).get(channel, [])
    return ChannelPaused(paused=[ChannelPauseShown.model_validate(pause) for pause in pauses])


def _refusal(refused: CannotResumeError) -> Problem:
    if refused.pause.reason == "operator":
        return Problem(403, "paused-by-operator", "An operator paused this channel", SAYS["operator"])
    detail = f"{SAYS['id_changed']} What the old id brought is retracted, the new one is read from its beginning."
    return Problem(409, "id-changed", "The channel has another id now", detail, new_id=refused.pause.new_id)

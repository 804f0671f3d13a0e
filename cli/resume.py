"""`./sluice resume`: end a pause."""

import argparse

from cli import pause
from pipeline.store.channel_answers import ChannelAnswers
from pipeline.store.pauses import Pauses

add_arguments = pause.add_arguments


def run(args: argparse.Namespace) -> int:
    """0 when it is not paused any more, 1 if the store is away or the channel has to stay paused, 2 as `pause`."""
    return pause.told(args, _resume, _resume_channel)


def _resume(pauses: Pauses, scope: str) -> str:
    freed = pauses.resume(scope, by=pause.BY)
    if freed is None:
        return f"{scope} was not paused; `./sluice pause` lists what is."
    return f"{scope} goes on: {freed} connections."


def _resume_channel(answers: ChannelAnswers, connection: str, channel: str) -> str:
    ended = answers.resume(connection, channel, by=pause.BY, operator=True)
    if not ended:
        return f"{channel} was not paused; `./sluice pause` lists what is."
    return f"{channel} goes on for the whole organisation: it was paused ({', '.join(one.reason for one in ended)})."

"""The shapes of messages: each function gives a message without `ts`, its words marked with the channel's canary."""

from collections.abc import Callable
from typing import Any

from simulator.generate.cast import Cast
from simulator.generate.events import denied, event, huddle, joined
from simulator.generate.files import canvas, commented, stubs, with_file
from simulator.generate.machines import (
    assistant,
    new_bot,
    old_bot,
    only_attachment,
    only_blocks,
    slackbot,
    website,
    workflow,
)
from simulator.generate.rich import block, section, words
from simulator.generate.shared import addressed_only, file_from_elsewhere, own_unfurled, shared, unfurled
from simulator.generate.states import changed, deleted, limited, replied, tombstone
from simulator.generate.words import MARKUP, PLAIN, SCRIPTS
from simulator.generate.written import addressed, coding, foreseen, listed, quoting, said, styled, table

Json = dict[str, Any]
Shape = Callable[[Cast, str], Json]
State = Callable[[Cast, str, int], Json]


def _spoken(cast: Cast, text: str) -> Json:
    return {**said(cast, text), "blocks": [block([section(words(text))], f"{cast.rng.getrandbits(20):05x}")]}


def plain(cast: Cast, canary: str) -> Json:
    """Words, and the same words in blocks."""
    return _spoken(cast, f"{cast.rng.choice(PLAIN)} {canary}")


def many_scripts(cast: Cast, canary: str) -> Json:
    """Words beyond ASCII."""
    return _spoken(cast, f"{cast.rng.choice(SCRIPTS)} {canary}")


def markup(cast: Cast, canary: str) -> Json:
    """Slack's mrkdwn, escapes and tokens, without blocks."""
    return said(cast, f"{cast.rng.choice(MARKUP)} {canary}")


def mention(cast: Cast, canary: str) -> Json:
    """People and channels by id, with and without a label."""
    user, other = cast.user(), cast.rng.choice(cast.others)[0]
    return said(cast, f"<@{user}> please see <#{other}> or <#{other}|old-name>, cc <@{cast.user()}|somebody> {canary}")


def muttered(cast: Cast, canary: str) -> Json:
    """`/me` and what is done."""
    return {"type": "message", "subtype": "me_message", "user": cast.user(), "text": f"is out for lunch {canary}"}


def broadcast_of_old(cast: Cast, canary: str) -> Json:
    """What a reply that is shown in the channel was called before 2017."""
    return {**said(cast, f"{cast.rng.choice(PLAIN)} {canary}"), "subtype": "reply_broadcast"}


def bare(cast: Cast, canary: str) -> Json:
    """`type` missing, `subtype` empty."""
    return {"user": cast.user(), "subtype": "", "text": f"{cast.rng.choice(PLAIN)} {canary}"}


def long(cast: Cast, canary: str) -> Json:
    """More than 4,000 characters."""
    return said(cast, " ".join([cast.rng.choice(PLAIN + SCRIPTS)] * 200) + f" {canary}")


WEIGHTS: dict[Shape, int] = {
    plain: 300, many_scripts: 110, markup: 80, mention: 50, styled: 50, addressed: 30, listed: 20, quoting: 15,
    coding: 15, table: 3, foreseen: 3, new_bot: 50, old_bot: 40, workflow: 15, website: 20, with_file: 45, canvas: 4,
    stubs: 6, commented: 6, joined: 40, event: 55, huddle: 8, only_blocks: 20, unfurled: 15, own_unfurled: 5, shared: 8,
    addressed_only: 4, file_from_elsewhere: 4, bare: 20, only_attachment: 15, muttered: 5, broadcast_of_old: 2,
    assistant: 3, slackbot: 4, denied: 2, long: 3,
}  # fmt: skip
"""How often, in a thousand or so. People's words are most of a channel; joins most of what Slack writes itself."""
STATES: dict[State, int] = {tombstone: 3, changed: 3, deleted: 3, replied: 2, limited: 2}
"""As often, in the same thousand: these need their own time, since they tell of another message or of none."""

"""What Slack itself writes into a channel: who came and went, what was renamed, pinned, archived, called, planned."""

from collections.abc import Callable
from typing import Any

from simulator.generate.cast import Cast
from simulator.generate.ids import slack_id
from simulator.generate.words import BOTS, TOPICS

Json = dict[str, Any]
Extra = Callable[[Cast], Json]

_SAYS = {
    "join": "has joined the channel",
    "leave": "has left the channel",
    "topic": "set the channel topic: {topic}",
    "purpose": "set the channel description: {topic}",
    "name": 'has renamed the channel from "before" to "after"',
    "archive": "archived the channel",
    "unarchive": "un-archived the channel",
}
_OTHERS = {
    "channel_convert_to_private": "made this channel *private*. Now, it can only be viewed or joined by invitation.",
    "channel_convert_to_public": "made this channel *public*. Any member of the workspace can see and join it.",
    "channel_posting_permissions": "changed who can post in this channel.",
    "channel_canvas_updated": "updated the channel canvas",
    "tabbed_canvas_updated": "updated a canvas tab: {topic}",
    "app_conversation_join": "was added to this conversation",
    "app_conversation_leave": "was removed from this conversation",
    "bot_add": "added an integration to this channel: <https://team.slack.com/services/B0|deploybot>",
    "bot_remove": "removed an integration from this channel: <https://team.slack.com/services/B0|deploybot>",
    "bot_enable": "enabled the integration deploybot",
    "bot_disable": "disabled the integration deploybot",
    "joiner_notification": "joined, say hello",
    "joiner_notification_for_inviter": "accepted your invitation",
    "pinned_item": "pinned a message to this channel.",
    "unpinned_item": "removed a pin from this channel.",
    "reminder_add": "set up a reminder “{topic}” in this channel at 9AM every weekday.",
    "reminder_delete": "deleted a reminder in this channel",
    "sh_room_created": "started a call",
    "sh_room_shared": "shared a call",
}
EVENTS = {
    **{f"{kind}_{name}": says for kind in ("channel", "group") for name, says in _SAYS.items()},
    **_OTHERS,
    "subtype_of_tomorrow": "did what nobody knows yet",
}
"""Subtype → what the text says after the person's name."""


def joined(cast: Cast, canary: str) -> Json:
    """Somebody joins: most of what Slack writes is this."""
    return _told(cast, canary, "channel_join")


def event(cast: Cast, canary: str) -> Json:
    """Any of the others, one of them unknown to everybody; it is data, not an error."""
    return _told(cast, canary, cast.rng.choice(list(EVENTS)))


def huddle(cast: Cast, canary: str) -> Json:
    """A huddle with its room."""
    return {"type": "message", "subtype": "huddle_thread", "user": "USLACKBOT", "text": f"A huddle {canary}",
            "channel": cast.place(canary), "team": cast.team, "no_notifications": True, **_room(cast)}  # fmt: skip


def denied(cast: Cast, canary: str) -> Json:
    """A company that holds its own keys took them away: nothing is left to read, the canary neither."""
    return {"type": "message", "subtype": "ekm_access_denied", "user": "UREVOKEDU",
            "text": "An admin has suspended everyone's access to this content."}  # fmt: skip


def _told(cast: Cast, canary: str, subtype: str) -> Json:
    user, topic = cast.user(), cast.rng.choice(TOPICS)
    says = EVENTS[subtype].format(topic=topic)
    message = {"type": "message", "subtype": subtype, "user": user, "text": f"<@{user}> {says} {canary}"}
    name = subtype.partition("_")[2]
    extra = _EXTRA.get(subtype) or _EXTRA.get(name)
    return message | (extra(cast) if extra else {}) | ({name: topic} if name in ("topic", "purpose") else {})


def _room(cast: Cast) -> Json:
    room = {"id": slack_id(cast.rng, "R"), "name": "", "media_server": "", "created_by": cast.user(),
            "date_start": 1_700_000_000, "date_end": 1_700_000_600, "participants": [], "has_ended": True,
            "participant_history": [cast.user(), cast.user()], "call_family": "huddle"}  # fmt: skip
    return {"room": room, "permalink": "https://team.slack.com/call/R0"}


def _bot(cast: Cast) -> Json:
    _, bot, _ = cast.bot()
    return {"bot_id": bot, "bot_link": f"<https://team.slack.com/services/{bot}|{cast.rng.choice(BOTS)}>"}


_EXTRA: dict[str, Extra] = {
    "archive": lambda cast: {"members": [cast.user()]},
    "name": lambda cast: {"old_name": "before", "name": "after"},
    "join": lambda cast: {"inviter": cast.user()} if cast.rng.random() < 0.5 else {},
    "pinned_item": lambda cast: {"item_type": "C", "item": {"type": "message", "created": 1_700_000_000}},
    "sh_room_created": _room,
    "sh_room_shared": _room,
    **dict.fromkeys(("bot_add", "bot_remove", "bot_enable", "bot_disable"), _bot),
}

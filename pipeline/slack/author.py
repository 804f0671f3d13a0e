"""Who wrote a message: id, kind and name. Pure."""

from typing import NamedTuple

from pipeline.models import AuthorKind
from pipeline.slack.characters import text_or_none
from pipeline.slack.known import EVENT_PREFIXES, EVENTS, SUBTYPES
from pipeline.slack.names import Names
from pipeline.slack.raw import SlackBotProfile, SlackComment, SlackMessage, SlackProfile

SLACKBOT = "USLACKBOT"
"""Slack's own robot, the same in every team, which the user list does not call a bot."""


class Author(NamedTuple):
    """`id` is a user's where there is one, since that is what people mention; None where Slack names nobody."""

    id: str | None
    kind: AuthorKind
    name: str | None


def author_of(message: SlackMessage, names: Names) -> Author:
    """A bot is called what this message calls it; a person what the directory does, else this message."""
    author = message.user or message.bot_id or SlackComment.read_part(message.comment).user
    bot = SlackBotProfile.read_part(message.bot_profile)
    known = text_or_none(names.users.get(author)) if author else None
    kind = _kind(message, bot, author)
    if kind in ("bot", "app"):
        return Author(author, kind, message.username or bot.name or known)
    shown = SlackProfile.read_part(message.user_profile)
    return Author(author, kind, known or display_name(shown, None) or shown.name or message.username)


def display_name(profile: SlackProfile, real_name: str | None) -> str | None:
    """The name that Slack shows: the profile's display name, else a real name; a blank one is none."""
    for name in (profile.display_name, profile.real_name, real_name):
        if name and not name.isspace():
            return name
    return None


def _is_event(subtype: str | None) -> bool:
    """Whether Slack tells what happened, in nobody's words."""
    return subtype is not None and (
        subtype in EVENTS or (subtype not in SUBTYPES and subtype.startswith(EVENT_PREFIXES))
    )


def _kind(message: SlackMessage, bot: SlackBotProfile, author: str | None) -> AuthorKind:
    """`app` posts through an installed app (it has an app id), `bot` is any other machine, `system` Slack itself."""
    if _is_event(message.subtype):
        return "system"
    if message.bot_id or message.subtype == "bot_message":
        return "app" if message.app_id or bot.app_id else "bot"
    if author == SLACKBOT or (author is None and message.username):
        return "bot"
    return "user" if author else "system"

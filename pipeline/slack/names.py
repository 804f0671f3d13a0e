"""The names that texts are rendered with, and which ones a page needs. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.slack.characters import clean, id_or_none

_MENTIONED = re.compile(r"<[@#]([A-Za-z0-9_.-]{1,64})[|>]")
_LABELLED = re.compile(r"<@([A-Za-z0-9_.-]{1,64})\|[^<>]*+>")
_TEXTS = ("text", "blocks", "attachments", "comment", "files", "file", "topic", "purpose")
"""Where a message's text may come from."""
_DEEPEST = 24
"""How deep blocks are followed. Slack nests five levels; recursion must end before Python's does."""


@dataclass(frozen=True, slots=True)
class Names:
    """Display names of the team's users, and names of its *allowed* channels, by Slack id. Who was erased is called by
    the id itself.
    """

    users: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)

    def unlabelled(self, source: str) -> str:
        """Slack's own text as it is, but for the labels of who was erased: `<@U1|Rob Root>` becomes `<@U1>`."""
        if "<@" not in source or "|" not in source:
            return source
        return _LABELLED.sub(
            lambda found: f"<@{found[1]}>" if self.users.get(found[1]) == found[1] else found[0], source
        )


def names_wanted(raw_messages: Iterable[object]) -> set[str]:
    """User and channel ids that rendering these raw messages may ask for: authors and mentions, all of them.

    Who was erased is known by being asked for here; a mention that were missed would be called by its label.
    Every one looks like an id (`characters.id_or_none`), so that it can be part of a key, whatever the page held.
    """
    wanted: set[str] = set()
    for raw in raw_messages:
        if isinstance(raw, dict):
            _of_message(raw, wanted)
            inner = raw.get("message")
            if isinstance(inner, dict):
                _of_message(inner, wanted)
    return wanted


def _of_message(raw: dict[str, Any], wanted: set[str]) -> None:
    comment = raw.get("comment")
    authors = (raw.get("user"), comment.get("user") if isinstance(comment, dict) else None)
    wanted.update(filter(None, map(id_or_none, authors)))
    for part in _TEXTS:
        if raw.get(part):
            _of_part(raw[part], wanted, _DEEPEST)


def _of_part(part: object, wanted: set[str], depth: int) -> None:
    """Ids anywhere in a text, in blocks or in attachments; a text is cleaned first, as it is before it is rendered."""
    if isinstance(part, str):
        if "<" in part:
            wanted.update(_MENTIONED.findall(clean(part)))
    elif isinstance(part, list) and depth:
        for item in part:
            _of_part(item, wanted, depth - 1)
    elif isinstance(part, dict) and depth:
        wanted.update(filter(None, (id_or_none(part.get("user_id")), id_or_none(part.get("channel_id")))))
        for item in part.values():
            if item.__class__ is not str or "<" in item:
                _of_part(item, wanted, depth - 1)

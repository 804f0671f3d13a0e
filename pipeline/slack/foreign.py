"""Another channel's content: how it is told from the message's own, and the reference that stays. Pure; fails closed.

It is withheld whether that channel is allowed or not: a revocation there could not reach a copy that lives here.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.models import Reference
from pipeline.slack.characters import id_or_none, ts_or_none

_PERMALINK = re.compile(
    r"https?://[^/\s]+/archives/([A-Z0-9]{1,64})/p([0-9]{1,10})([0-9]{6})(?![0-9])"
    r"|https?://[^/\s]+\.slack(?:-gov)?\.com/(?:archives|client/[A-Z0-9]{1,64})/([A-Z0-9]{1,64})(?![A-Z0-9])"
)
_LABELLED = re.compile(r"<([^<>|]++)\|([^<>]*+)>")
_MENTION = frozenset({"type", "channel_id", "style"})
_ADDRESSES = ("from_url", "original_url")
_TITLES = ("title_link", "author_link", "footer_url")
_SHARES = (
    *("is_msg_unfurl", "is_share", "message_blocks", "is_reply_unfurl", "is_thread_root_unfurl"),
    *("is_thread_root_reply", "private_channel_prompt"),
)
"""By any of these an attachment is somebody's message."""
_BY_THEMSELVES = ("elements", "style")
"""What of an element of rich_text is looked at by itself."""
_DEEPEST = 24
"""How deep an object is searched for ids; what lies deeper counts as another channel's."""


def names_other(raw: Mapping[str, Any], channel: str) -> bool:
    """Whether the object says that it is of another channel: by any value that is not the message's own channel."""
    if "channel_id" not in raw and "channel" not in raw:
        return False
    return any(value is not None and _id(value) != channel for value in (raw.get("channel_id"), raw.get("channel")))


def holds_other(value: object, channel: str) -> bool:
    """Whether anything in the value is of another channel. A mention of a channel is none of its content."""
    return any(where is None or names_other(where, channel) for where in _objects(value, _DEEPEST))


def element_names_other(element: Mapping[str, Any], channel: str) -> bool:
    """Whether an element of rich_text is of another channel; the elements in it say for themselves whose they are."""
    return names_other(element, channel) or any(
        isinstance(value, dict | list) and holds_other(value, channel)
        for name, value in element.items()
        if name not in _BY_THEMSELVES
    )


def is_foreign(attachment: dict[str, Any], channel: str) -> bool:
    """Whether an attachment is another channel's; a shared message that does not say whose it is counts as such."""
    if holds_other(attachment, channel) or any(linked[0] != channel for linked in _linked(attachment)):
        return True
    says_own = attachment.get("channel_id") is not None or attachment.get("channel") is not None
    if says_own or any(_linked(attachment)):
        return False
    return any(attachment.get(mark) for mark in _SHARES)


def reference(value: object, channel: str) -> list[Reference]:
    """Where withheld content is, as far as ids or an address say it: one reference, or none."""
    outer = value if isinstance(value, dict) else {}
    linked = next((found for found in _linked(outer) if found[0] != channel), None)
    for where in _objects(value, _DEEPEST):
        if where is not None and names_other(where, channel):
            names = (id_or_none(_id(where.get(key))) for key in ("channel_id", "channel"))
            named = next((name for name in names if name and name != channel), None)
            if named:
                same = linked[1] if linked and linked[0] == named else None
                return [Reference(channel=named, ts=ts_or_none(where.get("ts")) or same)]
    return [Reference(channel=linked[0], ts=linked[1])] if linked else []


def is_another_message(address: str, channel: str) -> bool:
    """Whether an address is that of another channel, or of a message in it."""
    return is_slacks(address) and any(linked != channel for linked, _ in _linked({"from_url": address}))


def is_slacks(text: str) -> bool:
    """Whether an address of a channel may be in the text."""
    return "/archives/" in text or "/client/" in text


def without_labels(source: str, channel: str) -> str:
    """A message's mrkdwn without the labels of other channels' messages, which may quote them."""
    return _LABELLED.sub(lambda link: _unlabelled(link, channel), source) if is_slacks(source) else source


def _unlabelled(link: re.Match[str], channel: str) -> str:
    """The address stands first, or behind the bar, or at the end of a date's token."""
    kept = next((part for part in link.groups() if is_another_message(part.rpartition("^")[2], channel)), None)
    return f"<{kept}>" if kept else link[0]


def _id(value: object) -> object:
    return value.get("id") if isinstance(value, dict) else value


def _linked(attachment: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Channel and ts of the messages that the attachment was unfurled from, by Slack's own addresses."""
    for name in _ADDRESSES:
        address = attachment.get(name)
        found = _PERMALINK.match(address) if isinstance(address, str) else None
        if found:
            yield (found[1], f"{found[2]}.{found[3]}") if found[1] else (found[4], None)
    for name in _TITLES:  # of a message: a channel may be pointed at without a word of it
        address = attachment.get(name)
        found = _PERMALINK.match(address) if isinstance(address, str) else None
        if found and found[1]:
            yield found[1], f"{found[2]}.{found[3]}"


def _objects(value: object, depth: int) -> Iterator[dict[str, Any] | None]:
    """Every object in the value that could say whose it is, itself first; None for what lies too deep to look at."""
    if isinstance(value, dict | list) and not depth:
        yield None
    elif isinstance(value, dict):
        if value.get("type") != "channel" or not _MENTION.issuperset(value):
            yield value
        for inner in value.values():
            if isinstance(inner, dict | list):
                yield from _objects(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict | list):
                yield from _objects(inner, depth - 1)

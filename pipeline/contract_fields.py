"""The fields of a callback by name: what is missing, what stands there under a near name, what was never filled in.

A near name is told only where its field is missing. Pure; no sentence holds a value that was sent.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from typing import Final

import msgspec

from pipeline.contract_pages import Finding, Level, Page
from pipeline.envelope import LISTS
from pipeline.envelope_fields import READERS

CURSOR_CHAIN: Final = {
    "cursor": 'it does not say with which `cursor` it was asked ("" for the first page)',
    "has_more": "it does not say whether there is more (`has_more`)",
    "next_cursor": 'it does not name the next cursor (`next_cursor`, "" at the end)',
}
"""Why a page cannot be chained to another."""

_NEAR_ENOUGH: Final = 0.84
_SLACKS_OWN: Final = frozenset(
    {"response_metadata", "pin_count", "channel_actions_ts", "channel_actions_count", "cache_ts", "warning", "offset"}
)
_SHOWABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,40}")
_ALIASES: Final[Mapping[str, frozenset[str]]] = {
    "channel": frozenset({"channelid", "channelname", "conversation", "conversationid", "slackchannel", "room"}),
    "connection": frozenset({"connectionid", "userid", "user", "sub", "enduserid", "connecteduser", "paragonuser"}),
    "run_id": frozenset({"run", "runid", "executionid", "execution", "workflowexecutionid"}),
    "cursor": frozenset({"pagecursor", "currentcursor", "askedcursor", "startcursor", "pagetoken"}),
    "next_cursor": frozenset({"next", "nextpage", "nextpagetoken", "nextpagecursor", "endcursor"}),
    "has_more": frozenset({"more", "hasnext", "hasnextpage", "hasmorepages"}),
    "thread_ts": frozenset({"thread", "threadid", "parentts", "parent"}),
    "messages": frozenset({"items", "records", "data", "results", "history", "message", "replies"}),
    "channels": frozenset({"items", "records", "data", "results", "conversations", "channel"}),
    "members": frozenset({"items", "records", "data", "results", "users", "user"}),
}
_WHY: Final[Mapping[str, str]] = {
    "channel": "Slack's messages do not carry it: the workflow must, as the id that history was asked for",
    "connection": "it is Paragon's own id of the user, `<user>/<org>`",
    "messages": "it holds Slack's messages as they are",
    "channels": "it holds Slack's channels as they are",
    "members": "it holds Slack's users as they are",
    "thread_ts": '"" for history, the parent\'s `ts` for replies',
    "run_id": "fresh for each execution, the same for all of its pages",
    "cursor": 'what the page was asked with, "" for the first',
    "has_more": "Slack's own field",
    "next_cursor": '`response_metadata.next_cursor` of Slack, "" at the end',
}
_TUTORIAL: Final = (
    "This is the body of Paragon's own tutorial, one message a request: `{text, channel}` with the channel's name, and "
    "no ts, author, paging or run token. No message can be told from another by it, and no field is guessed. Post "
    "Slack's whole page instead: docs/workflows.md, 3."
)
_KINDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "disagree": "says two things in two places (body, query, `response_metadata`)",
    "string_type": "must be a JSON string",
    "string_value": "is too long, or holds what cannot be printed",
    "connection": "must be `<user>/<org>`, Paragon's id of the user",
    "channel": "must be Slack's id of a channel (C0123ABCD), not its name",
    "ts": "must be Slack's `ts`: digits, a point, digits, as a string",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "type": "is none that JSON readers can hold",
    "too_long": "is too long",
    "list_type": "must be a list of Slack's objects",
    "too_many": "holds more records than one callback may",
    "object_type": "must be a JSON object",
    "not_json": "is no JSON",
    "not_utf8": "is not UTF-8",
    "too_deep": "is nested too deep",
}


def at_fault(location: str, kind: str) -> str:
    """The sentence of an `EnvelopeError`."""
    return f"`{location}` {_KINDS.get(kind, kind)}." if location != "body" else f"The body {_KINDS.get(kind, kind)}."


def missing(page: Page) -> list[Finding]:
    """What the contract wants and the page does not say, each with the near name that it does say."""
    if _is_tutorial(page):
        return [Finding("fail", page.list_name, _TUTORIAL)]
    gone = [(name, level) for name, level in _wanted(page).items() if not _is_said(page, name)]
    strangers = _strangers(page)
    return [_gone(page, name, level, strangers) for name, level in gone]


def unfilled(page: Page) -> list[Finding]:
    """Templates that the workflow engine left as they were, and a channel by its name."""
    readers = READERS[page.kind]
    values = {name: page.value(name) for name in {*page.fields, *page.query} & readers.keys()}
    found = [
        Finding("fail", name, f"`{name}` holds a template (`{{{{…}}}}`) that Paragon did not fill in.")
        for name, value in sorted(values.items())
        if isinstance(value, str) and "{{" in value
    ]
    if is_a_name(channel := values.get("channel")) and "{{" not in str(channel):
        says = "`channel` looks like a channel's name: only ids (C0123ABCD) are ever allowed."
        found.append(Finding("warn", "channel", says))
    return found


def is_a_name(channel: object) -> bool:
    """Whether a channel is written as people write it: ids are upper case and digits."""
    return isinstance(channel, str) and re.search(r"[a-z#\s]", channel) is not None


def _wanted(page: Page) -> dict[str, Level]:
    """Field → how bad it is that it is missing."""
    level: Level = "warn"
    if page.value("ok") in (False, "false"):  # a gap has no page to chain
        return {"channel" if page.kind == "messages" else "connection": "fail"}
    if page.kind == "messages":
        chained = dict.fromkeys(("thread_ts", "cursor", "next_cursor", "has_more"), level)
        return {page.list_name: "fail", "channel": "fail", **chained}
    whole = page.value("snapshot") in (True, "true")
    return {
        page.list_name: "fail",
        "connection": "fail",
        **dict.fromkeys(() if whole else ("run_id", "cursor", "next_cursor"), level),
    }


def _is_said(page: Page, name: str) -> bool:
    value = page.value(name)
    if name in ("cursor", "next_cursor", "thread_ts"):  # an empty one is a statement
        return value is not None or (name == "next_cursor" and (_slacks_cursor(page) or _is_last(page)))
    return value not in (None, "")


def _slacks_cursor(page: Page) -> bool:
    """Whether the next cursor is where Slack puts it."""
    metadata = page.value("response_metadata")
    return isinstance(metadata, dict) and metadata.get("next_cursor") is not None


def _is_last(page: Page) -> bool:
    """A last page of messages needs no next cursor; Slack leaves it out there."""
    return page.kind == "messages" and page.value("has_more") in (False, "false")


def _strangers(page: Page) -> list[str]:
    """Names that the envelope does not know, but for Slack's own."""
    known = {*READERS[page.kind], page.list_name, *_SLACKS_OWN}
    return sorted({*page.fields, *page.query} - known)


def _gone(page: Page, name: str, level: Level, strangers: Iterable[str]) -> Finding:
    near = next((other for other in strangers if _is_near(name, other)), None)
    if near is not None:
        said = f"`{name}` is missing, and `{near}` looks like it: the name must be `{name}` ({_WHY[name]})."
    elif name == page.list_name and (hint := _elsewhere(page)):
        said = hint
    else:
        said = f"`{name}` is missing: {_WHY[name]}."
    return Finding(level, name, said)


def _is_near(name: str, other: str) -> bool:
    """Whether `other` is meant for `name`: nextCursor, next-cursor, channel_id, and slips of the pen."""
    if not _SHOWABLE.fullmatch(other):
        return False
    plain, wanted = (re.sub(r"[^a-z0-9]", "", one.lower()) for one in (other, name))
    if plain == wanted or plain in _ALIASES.get(name, ()):
        return True
    return len(wanted) > 4 and SequenceMatcher(None, plain, wanted).ratio() >= _NEAR_ENOUGH


def _elsewhere(page: Page) -> str:
    """Where the list is instead: in the page of another kind, or one object further in."""
    for kind, name in LISTS.items():
        if kind != page.kind and name in page.fields:
            return (
                f"`{page.list_name}` is missing; with `{name}` it is a page of {kind}, which has a webhook of its own."
            )
    for outer, raw in page.fields.items():
        if _SHOWABLE.fullmatch(outer) and bytes(memoryview(raw)[:1]) == b"{" and _holds(raw, page.list_name):
            return f"`{page.list_name}` lies inside of `{outer}`: post what is in `{outer}`, not what is around it."
    return ""


def _holds(raw: msgspec.Raw, name: str) -> bool:
    try:
        return name in msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return False


def _is_tutorial(page: Page) -> bool:
    return page.kind == "messages" and "text" in page.fields and page.list_name not in page.fields

"""Slack's mrkdwn to the text that a person reads. Pure; text without markup costs one search.

    clean ▶ take out code and <tokens> ▶ quotes ▶ bold, italic, strike lose their marks ▶ unescape once ▶ put tokens in

A token or a code span leaves one NUL in its place (NUL itself was cleaned away), so that `*bold <@U1>*` is seen
as bold, and nothing that a name or a label holds is ever taken for markup.
"""

import re
from dataclasses import dataclass, field

from pipeline.models import Mentions
from pipeline.slack.characters import clean
from pipeline.slack.names import Names

_MARKUP = re.compile(r"[<&*_~`]")
_OPENS_AFTER = r"\s\u200b\u2060(\[{\-+=*_~\"':;,.!?/|"
_CLOSES_BEFORE = r"\s\u200b\u2060)\]}\[{\-+=~!#$%^;:'\",.?/_*\u0000"
_SPAN = re.compile(
    # Possessive (`++`) throughout: a hostile text must not cost more than its length.
    r"(?P<token><(?=\S)[^<>]++>)"
    rf"|(?<![^{_OPENS_AFTER}])```(?P<pre>(?=\s*+[^`\s])(?:[^`]++|`(?!``))++)```(?![A-Za-z0-9])"
    rf"|(?<![^{_OPENS_AFTER}])`(?P<code>(?=[^\S\n]*+[^`\s])[^`\n]++)`(?![A-Za-z0-9`])"
)


def _style(mark: str) -> re.Pattern[str]:
    """An opening mark touches what follows it, a closing one what precedes it, both stand at a word's edge."""
    before, after = (edge.replace(mark, "") for edge in (_OPENS_AFTER, _CLOSES_BEFORE))
    opening, closing = rf"(?<![^{before}])[{mark}](?=[^\s{mark}])", rf"(?<=[^\s{mark}])[{mark}](?![^{after}])"
    return re.compile(rf"{opening}([^{mark}\n]++){closing}")


_STYLES = tuple(_style(mark) for mark in "*_~")
_NESTED = 3
"""Styles nest at most three deep, there being three of them."""
_QUOTE = re.compile(r"^&gt; ?", re.MULTILINE)
_LONG_QUOTE = re.compile(r"^&gt;&gt;&gt; ?(?=[\s\S])", re.MULTILINE)
_TOKEN = re.compile(r"<(?=\S)[^<>]++>")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+\Z")


@dataclass(slots=True)
class Found:
    """What a text points at, in order, each once (a dict keeps the order)."""

    users: dict[str, None] = field(default_factory=dict)
    channels: dict[str, None] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)
    broadcasts: dict[str, None] = field(default_factory=dict)
    links: dict[str, None] = field(default_factory=dict)

    def mentions(self) -> Mentions:
        """The mentions as the record holds them."""
        if not (self.users or self.channels or self.groups or self.broadcasts):
            return _NO_MENTIONS
        return Mentions(
            users=list(self.users),
            channels=list(self.channels),
            groups=list(self.groups),
            broadcasts=list(self.broadcasts),
        )


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text as a person reads it, and what it points at."""

    text: str
    mentions: Mentions
    links: list[str]


_NO_MENTIONS = Mentions()


def render(source: str, names: Names) -> Rendered:
    """Render one mrkdwn text. Never raises: what is no markup stays as it is."""
    found = Found()
    text = plain(source, names, found)
    return Rendered(text, found.mentions(), list(found.links))


def plain(source: str, names: Names, found: Found) -> str:
    """The text that a person reads; adds what it points at to `found`."""
    source = clean(source)
    if not _MARKUP.search(source):
        return source
    taken: list[str] = []

    def take(match: re.Match[str]) -> str:
        taken.append(_span(match, names, found))
        return "\0"

    text = _unescape(_unstyle(_quotes(_SPAN.sub(take, source))))
    # A directory's names come from elsewhere: clean once more, at the end.
    return clean(_put_in(text, taken)) if taken else text


def mention_user(user: str, label: str, names: Names, found: Found) -> str:
    """`@display name`: from the directory, else the label, else the id."""
    found.users[user] = None
    return "@" + (names.users.get(user) or label.removeprefix("@") or user)


def mention_channel(channel: str, label: str, names: Names, found: Found) -> str:
    """`#name`: from the directory if allowed, else the label, else the id."""
    found.channels[channel] = None
    return "#" + (names.channels.get(channel) or label.removeprefix("#") or channel)


def mention_group(group: str, label: str, found: Found) -> str:
    """`@handle` of a user group: its label, else its id."""
    found.groups[group] = None
    return "@" + (label.removeprefix("@") or group)


def broadcast(name: str, found: Found) -> str:
    """`@here`, `@channel`, `@everyone`."""
    found.broadcasts[name] = None
    return "@" + name


def link(address: str, label: str, found: Found) -> str:
    """The label, or the address where there is none; `mailto:` and `tel:` are not read aloud."""
    found.links[address] = None
    return label or address.removeprefix("mailto:").removeprefix("tel:")


def _put_in(text: str, taken: list[str]) -> str:
    """Each NUL gives way to the next span: nothing before has moved or removed one."""
    pieces = text.split("\0")
    return "".join(piece for pair in zip(pieces, [*taken, ""], strict=True) for piece in pair)


def _span(match: re.Match[str], names: Names, found: Found) -> str:
    token = match["token"]
    if token:
        return _token(token, names, found)
    code = match["pre"].strip("\n") if match["pre"] else match["code"]
    return _code(code, names, found)


def _code(code: str, names: Names, found: Found) -> str:
    """Code keeps its marks; Slack links addresses even there."""
    taken: list[str] = []

    def take(match: re.Match[str]) -> str:
        taken.append(_token(match[0], names, found))
        return "\0"

    return _put_in(_unescape(_TOKEN.sub(take, code)), taken)


def _token(token: str, names: Names, found: Found) -> str:
    """One `<…>`; what is none of Slack's tokens stays literally."""
    target, _, label = token[1:-1].partition("|")
    target, label = _unescape(target), _unescape(label)
    kind, name = target[:1], target[1:]
    if kind == "@" and _NAME.match(name):
        return mention_user(name, label, names, found)
    if kind == "#" and _NAME.match(name):
        return mention_channel(name, label, names, found)
    if kind == "!" and name:
        return _command(name, label, found)
    if not _ADDRESS.match(target):
        target, label = label, target  # `<label|address>` is seen in the wild
    return link(target, label, found) if _ADDRESS.match(target) else _unescape(token)


def _command(command: str, label: str, found: Found) -> str:
    name, *arguments = command.split("^")
    if name in ("here", "channel", "everyone"):
        return broadcast(name, found)
    if name == "subteam" and arguments and _NAME.match(arguments[0]):
        return mention_group(arguments[0], label, found)
    if name == "date":
        if len(arguments) > 2 and _ADDRESS.match(arguments[2]):
            found.links[arguments[2]] = None
        return label or "^".join(arguments[:1])
    return label or "@" + name


def _quotes(text: str) -> str:
    """Quoted lines begin with `> `; `>>>` quotes all that follows."""
    if "&gt;" not in text:
        return text
    long = _LONG_QUOTE.search(text)
    if long:
        head, tail = text[: long.start()], text[long.end() :]
        return _QUOTE.sub("&gt; ", head) + "\n".join("&gt; " + line for line in tail.split("\n"))
    return _QUOTE.sub("&gt; ", text)


def _unstyle(text: str) -> str:
    for _ in range(_NESTED):
        before = text
        for style in _STYLES:
            text = style.sub(r"\1", text)
        if text == before:
            break
    return text


def _unescape(text: str) -> str:
    """Slack escapes three characters; `&` comes last, so that `&amp;lt;` becomes `&lt;` and no more."""
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")

"""Slack's mrkdwn to the text that a person reads. Pure; text without markup costs one search.

    clean ▶ take out code and <tokens> ▶ quotes ▶ bold, italic, strike lose their marks ▶ unescape once ▶ put tokens in

A token or a code span leaves one NUL in its place (NUL itself was cleaned away), so that `*bold <@U1>*` is seen
as bold, and nothing that a name or a label holds is ever taken for markup. docs/slack-text.md shows each rule.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.models import Mentions
from pipeline.slack.characters import clean
from pipeline.slack.names import Names
from pipeline.slack.reading import Reading, unescape

_MARKUP = re.compile(r"[<&*_~`]")
_OPENS_AFTER = r"\s\u200b\u2060(\[{\-+=*_~\"':;,.!?/|"
_CLOSES_BEFORE = r"\s\u200b\u2060)\]}\[{\-+=~!#$%^;:'\",.?/_*\u0000"
_TOKEN = re.compile(r"<(?=\S)[^<>]++>")
_SPAN = re.compile(
    # Possessive (`++`) throughout: a hostile text must not cost more than its length. Code ends at no mark in a label.
    rf"(?P<token>{_TOKEN.pattern})"
    rf"|(?<![^{_OPENS_AFTER}])```(?P<pre>(?=\s*+[^`\s])(?:[^`<]++|{_TOKEN.pattern}|<|`(?!``))++)```(?![A-Za-z0-9])"
    rf"|(?<![^{_OPENS_AFTER}])`(?P<code>(?=[^\S\n]*+[^`\s])(?:[^`\n<]++|{_TOKEN.pattern}|<)++)`(?![A-Za-z0-9`])"
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
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s]+\Z")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text as a person reads it, and what it points at."""

    text: str
    mentions: Mentions
    links: list[str]


def render(source: str, names: Names) -> Rendered:
    """Render one mrkdwn text. Never raises: what is no markup stays as it is."""
    reading = Reading(names)
    text = plain(source, reading)
    return Rendered(text, reading.found.mentions(), list(reading.found.links))


def plain(source: str, reading: Reading) -> str:
    """The text that a person reads; `reading` notes what it points at."""
    source = clean(source)
    if not _MARKUP.search(source):
        return source
    return _swap(_SPAN, source, lambda match: _span(match, reading), lambda text: _unstyle(_quotes(text)))


def literal(source: str, reading: Reading) -> str:
    """Slack's `plain_text`: marks are characters, but entities are escaped and tokens are resolved even there."""
    source = clean(source)
    if "<" not in source and "&" not in source:
        return source
    return _swap(_TOKEN, source, lambda match: token(match[0], reading))


def token(source: str, reading: Reading) -> str:
    """One `<…>`; what is none of Slack's tokens stays literally."""
    target, _, label = source[1:-1].partition("|")
    target, label = unescape(target), unescape(label)
    kind, name = target[:1], target[1:]
    if kind == "@" and _NAME.match(name):
        return reading.user(name, label)
    if kind == "#" and _NAME.match(name):
        return reading.mentioned_channel(name, label)
    if kind == "!" and name:
        return _command(name, label, reading)
    if not _ADDRESS.match(target):
        target, label = label, target  # `<label|address>` is seen in the wild
    return reading.link(target, label) if _ADDRESS.match(target) else unescape(source)


def _swap(
    spans: re.Pattern[str],
    source: str,
    read: Callable[[re.Match[str]], str],
    rest: Callable[[str], str] = lambda text: text,
) -> str:
    """Take the spans out, treat the rest, put in what the spans read as."""
    taken: list[str] = []

    def take(match: re.Match[str]) -> str:
        taken.append(read(match))
        return "\0"

    pieces = unescape(rest(spans.sub(take, source))).split("\0")
    # A directory's names come from elsewhere: clean once more, at the end.
    return clean("".join(piece for pair in zip(pieces, [*taken, ""], strict=True) for piece in pair))


def _span(match: re.Match[str], reading: Reading) -> str:
    """A token, or code: that keeps its marks, but Slack links addresses even there."""
    if match["token"]:
        return token(match["token"], reading)
    code = _fenced(match) if match["pre"] else match["code"]
    return _swap(_TOKEN, code, lambda found: token(found[0], reading))


def _fenced(match: re.Match[str]) -> str:
    """The lines between two fences, without the line ends that belong to the fences."""
    code, whole = match["pre"], match.string
    if match.start() == 0 or whole[match.start() - 1] == "\n":
        code = code.lstrip("\n")
    if match.end() == len(whole) or whole[match.end()] == "\n":
        code = code.rstrip("\n")
    return code


def _command(command: str, label: str, reading: Reading) -> str:
    name, *arguments = command.split("^")
    if name in ("here", "channel", "everyone"):
        return reading.broadcast(name)
    if name == "subteam" and arguments and _NAME.match(arguments[0]):
        return reading.group(arguments[0], label)
    if name == "date":
        shown = label or "^".join(arguments[:1])
        return reading.link(arguments[2], shown) if len(arguments) > 2 and _ADDRESS.match(arguments[2]) else shown
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

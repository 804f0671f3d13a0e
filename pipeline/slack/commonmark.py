"""The `markdown` block's CommonMark to the text that a person reads: marks go, words and addresses stay. Pure.

Not a parser of the whole language: what it does not know stays as it was written, so that no word is lost.
"""

import re

from pipeline.slack.characters import clean
from pipeline.slack.reading import Reading, unescape
from pipeline.slack.text import token

# Bounded or possessive throughout: a hostile text must not cost more than its length.
_SPAN = re.compile(
    r"(?P<fence>^[ ]{0,3}```[^\n`]*+\n(?P<block>(?:(?!^[ ]{0,3}```)[^\n]*+\n)*+)[ ]{0,3}```[^\n]*+$)"
    r"|`(?P<code>[^`\n]++)`"
    r"|(?P<token><(?=\S)[^<>\n]++>)"
    r"|!?\[(?P<label>[^\[\]\n]*+)\]\((?P<address>[^\s()<>]++)(?:[ ]\"[^\"\n]*+\")?\)"
    r"|\\(?P<escaped>[!-/:-@\[-`{-~])",
    re.MULTILINE,
)
_LINE = (
    (re.compile(r"^[ ]{0,3}#{1,6}[ \t]++", re.MULTILINE), ""),
    (re.compile(r"^([ \t]*+)[-*+][ \t]++(?:\[[ xX]\][ ]++)?", re.MULTILINE), r"\1• "),
    (re.compile(r"^[ ]{0,3}([-*_])(?:[ ]?+\1){2,}+[ ]*+$", re.MULTILINE), ""),
)
_EMPHASIS = (
    re.compile(r"(\*\*|__|~~)(?=\S)([^*_~\n]++)(?<=\S)\1"),
    re.compile(r"(?<![A-Za-z0-9*])(\*)(?=\S)([^*\n]++)(?<=\S)\*(?!\*)"),
    re.compile(r"(?<![A-Za-z0-9_])(_)(?=\S)([^_\n]++)(?<=\S)_(?![A-Za-z0-9_])"),
)


def commonmark(source: str, reading: Reading) -> str:
    """The text of one markdown block; `reading` notes mentions and addresses."""
    taken: list[str] = []

    def take(match: re.Match[str]) -> str:
        taken.append(_span(match, reading))
        return "\0"

    text = _SPAN.sub(take, clean(source))
    for pattern, instead in _LINE:
        text = pattern.sub(instead, text)
    pieces = unescape(_unmarked(text)).split("\0")
    return clean("".join(piece for pair in zip(pieces, [*taken, ""], strict=True) for piece in pair)).strip("\n")


def _span(match: re.Match[str], reading: Reading) -> str:
    if match["fence"]:
        return match["block"].removesuffix("\n")
    if match["address"]:
        return reading.link(unescape(match["address"]), unescape(_unmarked(match["label"])))
    if match["token"]:
        return token(match["token"], reading)
    return match["code"] or match["escaped"] or ""


def _unmarked(text: str) -> str:
    """Without emphasis, which nests two deep."""
    for pattern in _EMPHASIS * 2:
        text = pattern.sub(r"\2", text)
    return text

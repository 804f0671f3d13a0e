r"""Markdown as the text that a person reads: CommonMark, tables and `~~strike~~`; the structure stays, the marks go.

    >>> print(plain("# Plan\n\n3. read *this*\n4. ask:\n   - [Ann](https://a.example)\n   - `bob`\n\n> soon"))
    Plan
    <BLANKLINE>
    3. read this
    4. ask:
       • Ann
       • bob
    <BLANKLINE>
    > soon
    >>> render("[Ann](https://a.example), ![a cat](cat.png)")
    Rendered(text='Ann, a cat', links=('https://a.example', 'cat.png'))

How each thing is written:

- paragraphs, headings and all other blocks: a blank line between them; a line break, hard or soft, is a line break;
- lists: `•` or the number, from the list's own start on; what belongs to an item is indented below its text;
- quotes: `> ` before each line; code, inline or in a block: as it is, without its fence; a rule: `---`;
- tables: a line a row, ` | ` between the cells;
- a link: its label, or the address where it has none; an image: its alt text. The addresses are in `links`, as written;
- HTML is no markup here: tags stay as text, since `List<String>` is more often meant than a tag. So the text is *not*
  safe to put into a page without escaping;
- `&amp;` and its like become characters.

Never raises. A text nested deeper than `DEEPEST` or longer than `LONGEST` characters comes back as it was written,
without links: no text costs much more than its length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token

DEEPEST = 40
"""Levels of nesting that are understood; a list is two, itself and its item."""
LONGEST = 100_000
"""Characters that are read; Slack's `markdown` block holds 12,000."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text, and the addresses of its links and images in order, each once."""

    text: str
    links: tuple[str, ...]


@dataclass(slots=True)
class _Open:
    """A block that is not closed yet, and the texts of what it holds."""

    kind: str
    number: int | None = None
    parts: list[str] = field(default_factory=list)
    loose: bool = False


def plain(source: str) -> str:
    """The text alone.

    >>> plain("**bold** &amp; ~~gone~~<br>")
    'bold & gone<br>'
    """
    return render(source).text


def render(source: str) -> Rendered:
    """The text and its addresses."""
    links: dict[str, None] = {}
    try:
        tokens = _parsed(source)
        return Rendered(source if tokens is None else _blocks(tokens, links), tuple(links))
    except RecursionError:  # images within images; or the caller stands deep in its own stack
        return Rendered(source, ())


def _parsed(source: str) -> Sequence[Token] | None:
    """The blocks in order; None where the parser would leave out what lies too deep."""
    if len(source) > LONGEST:
        return None
    tokens = _MARKDOWN.parse(source)
    return None if any(token.level >= DEEPEST - 1 for token in tokens) else tokens


class _Markdown(MarkdownIt):
    """Addresses are data: as they were written, not percent-encoded anew."""

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the name is the parser's
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802 - the name is the parser's
        return link


_MARKDOWN = _Markdown("commonmark", {"html": False, "maxNesting": DEEPEST}).enable(["table", "strikethrough"])


def _blocks(tokens: Sequence[Token], links: dict[str, None]) -> str:
    """All blocks, without recursion: what is open lies on a stack, and a closed block is a text of its parent."""
    stack = [_Open("document", loose=True)]
    for token in tokens:
        if token.nesting > 0:
            stack.append(_Open(token.type.removesuffix("_open"), _number(token, stack[-1])))
            # A tight list's paragraphs are hidden: no blank lines in it.
            stack[-2].loose |= token.type == "paragraph_open" and not token.hidden
        elif token.nesting < 0:
            closed = stack.pop()
            stack[-1].loose |= closed.kind == "list_item" and closed.loose
            stack[-1].parts.append(_closed(closed))
        elif token.type == "inline":
            stack[-1].parts.append(_inline(token.children or (), links))
        else:
            stack[-1].parts.append(_leaf(token))
    return _closed(stack[0])


def _number(token: Token, parent: _Open) -> int | None:
    """Where an ordered list starts, and which number an item has in it."""
    if token.type == "ordered_list_open":
        return int(token.attrs.get("start", 1))
    if token.type == "list_item_open" and parent.number is not None:
        return parent.number + len(parent.parts)
    return None


def _leaf(token: Token) -> str:
    return "---" if token.type == "hr" else token.content.removesuffix("\n")


def _closed(block: _Open) -> str:
    if block.kind == "tr":
        return " | ".join(block.parts).rstrip()
    text = ("\n\n" if block.loose or block.kind == "blockquote" else "\n").join(filter(None, block.parts))
    if block.kind == "blockquote":
        return _prefixed(text, "> ", "> ")
    if block.kind == "list_item":
        mark = "• " if block.number is None else f"{block.number}. "
        return _prefixed(text, mark, " " * len(mark))
    return text


def _prefixed(text: str, first: str, others: str) -> str:
    head, *rest = text.split("\n")
    # An empty line ends with no blank of its mark.
    return "\n".join(
        [first + head if head else first.rstrip(), *(others + line if line else others.rstrip() for line in rest)]
    )


def _inline(tokens: Sequence[Token], links: dict[str, None]) -> str:
    """The text of one paragraph, heading or cell; links never nest, so that one open label is enough."""
    said: list[str] = []
    address, label_from = "", 0
    for token in tokens:
        if token.type == "link_open":
            address, label_from = str(token.attrs.get("href", "")), len(said)
            links.setdefault(address)
        elif token.type == "link_close" and not "".join(said[label_from:]):
            said.append(address)
        else:
            said.extend(_said(token, links))
    links.pop("", None)
    return "".join(said)


def _said(token: Token, links: dict[str, None]) -> Iterator[str]:
    if token.type in ("softbreak", "hardbreak"):
        yield "\n"
    elif token.type == "image":
        links.setdefault(str(token.attrs.get("src", "")))
        yield _inline(token.children or (), links)
    else:
        yield token.content

r"""Text compared and searched as people do: without regard to case and accents, in every script.

    >>> equal("Łódź", "LODZ"), equal("ΣΊΣΥΦΟΣ", "Σίσυφος"), equal("か", "が")
    (True, True, False)
    >>> text = "Die Straße nach Ｍünchen"
    >>> [text[start:end] for start, end in spans(text, "STRASSE")], find(text, "munchen")
    (['Straße'], 16)

What `fold` does, whatever the language of the text may be:

- case: Unicode's full case folding: `ß` is `ss`, a final `ς` is `σ`, `İ`, `I`, `ı` and `i` are all `i`;
- marks go from Latin, Greek and Cyrillic letters only: `é` is `e`, and so Russian's `й` is `и` and `ё` is `е`, though
  they are letters of their own: a search finds more, and misses nothing that is typed without them. Japanese, Indic,
  Arabic, Hebrew and all other signs stay: か is not が, हिन्दी keeps its vowels, كَتَبَ its harakat, 한 is one syllable;
- strokes and ligatures without a decomposition, in `LETTERS`: `ø` is `o`, `ł` is `l`, `æ` is `ae`, `œ` is `oe`;
  `þ`, `ð`, `ŋ` stay;
- compatibility forms are what they stand for: `ﬁ`, `Ａ`, `²`, `ｶﾞ`, Arabic presentation forms; but Korean's single
  letters (ㅋㅋ, ㅠ) are no parts of syllables and stay. Greek's iota below a letter is a mark. The result is NFC.

A match covers whole characters as a person counts them: `s` is not found in `ß`, nor か in a が written as two. Places
are those of the text as it was given. No function raises; lone surrogates are characters like others.
"""

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

LETTERS: Final = {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i"}
"""Lower-case letters that Unicode does not take apart, and what they are folded to."""

_LETTERS: Final = str.maketrans(LETTERS)
_MARKED_SCRIPTS: Final = ("LATIN ", "GREEK ", "CYRILLIC ")
_JOINER: Final = "\u200d"


def fold(text: str) -> str:
    """What two texts have in common that differ in case, accents and form only.

    >>> fold("Žluťoučký ﬁord, Ёлка, 한국, が")
    'zlutoucky fiord, елка, 한국, が'
    """
    if text.isascii():
        return text.lower()
    return "".join(map(_folded, _clusters(text)))


def equal(one: str, other: str) -> bool:
    """Whether two texts differ in case, accents and form at most."""
    return fold(one) == fold(other)


def contains(text: str, sought: str) -> bool:
    """Whether `sought` is somewhere in the text; an empty one is everywhere.

    >>> contains("Équipe-Café", "cafe"), contains("Fuß", "s")
    (True, False)
    """
    return find(text, sought) >= 0


def find(text: str, sought: str, start: int = 0) -> int:
    """Where `sought` begins in the text, at `start` or after it; -1: nowhere.

    >>> find("Crème brûlée", "BRULEE"), find("x", "")
    (6, 0)
    """
    if not sought or start > len(text):
        return start if start <= len(text) else -1
    return next((begin for begin, _ in _spans(text, sought, start)), -1)


def spans(text: str, sought: str) -> Iterator[tuple[int, int]]:
    """Each `(begin, end)` in the text, from left to right, no two overlapping; nothing for an empty `sought`.

    >>> list(spans("A á a\u0301 b", "a"))
    [(0, 1), (2, 3), (4, 6)]
    """
    return _spans(text, sought, 0)


def _spans(text: str, sought: str, start: int) -> Iterator[tuple[int, int]]:
    folded, edges, places = _mapped(text)
    wanted, at = fold(sought), edges[bisect_left(places, start)]
    while wanted and (at := folded.find(wanted, at)) >= 0:
        first, last = bisect_left(edges, at), bisect_left(edges, at + len(wanted))
        if edges[first] == at and edges[last] == at + len(wanted):
            yield places[first], places[last]
            at = edges[last]
        else:  # it begins or ends inside a character: go on with the next one
            at = edges[first] if edges[first] > at else edges[first + 1]


def sort_key(text: str) -> tuple[str, str]:
    """For `sorted(…, key=sort_key)`: folded texts in order, and what is folded alike in an order of its own.

    >>> sorted(["zoo", "Äpfel", "apfel", "Zebra"], key=sort_key)
    ['apfel', 'Äpfel', 'Zebra', 'zoo']
    """
    return fold(text), unicodedata.normalize("NFC", text)


def _mapped(text: str) -> tuple[str, list[int], list[int]]:
    """The folded text, the edges of characters in it, and the place of each edge in the text itself."""
    if text.isascii():
        same = list(range(len(text) + 1))
        return text.lower(), same, same
    pieces, edges, places = [], [0], [0]
    for cluster in _clusters(text):
        pieces.append(_folded(cluster))
        edges.append(edges[-1] + len(pieces[-1]))
        places.append(places[-1] + len(cluster))
    return "".join(pieces), edges, places


def _clusters(text: str) -> Iterator[str]:
    """The text cut where nothing composes over the cut: a base with its marks, a syllable, an emoji in its parts."""
    start = 0
    for at in range(1, len(text)):
        if not (_continues(text[at]) or _completes(text[start:at], text[at])):
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


@lru_cache(4096)
def _continues(char: str) -> bool:
    """Marks, the later parts of a Korean syllable, joiners, skin tones and tags belong to what stands before."""
    first = ord(_atoms(char)[0])
    return (
        unicodedata.category(chr(first)).startswith("M")
        or 0x1160 <= first <= 0x11FF
        or 0xD7B0 <= first <= 0xD7FF
        or first in (0x200C, 0x200D)
        or 0x1F3FB <= first <= 0x1F3FF
        or 0xE0020 <= first <= 0xE007F
    )


def _completes(cluster: str, char: str) -> bool:
    """The second half of a flag, and an emoji behind a joiner."""
    if "\U0001f1e6" <= char <= "\U0001f1ff":
        return len(cluster) == 1 and "\U0001f1e6" <= cluster <= "\U0001f1ff"
    return cluster[-1] == _JOINER and all(unicodedata.category(end) in ("So", "Sm") for end in (cluster[0], char))


def _folded(cluster: str) -> str:
    bare = _unmarked("".join(map(_atoms, cluster)))
    # Not by compatibility again, or Korean's single letters would become parts of syllables.
    folded = _unmarked(unicodedata.normalize("NFD", bare.casefold()))
    return unicodedata.normalize("NFC", folded.translate(_LETTERS))


@lru_cache(4096)
def _atoms(char: str) -> str:
    """Taken apart by compatibility; Korean's single letters stay single, half-width ones become full."""
    if "ㄱ" <= char <= "ㆎ":
        return char
    form = unicodedata.decomposition(char)
    if form.startswith("<narrow> 31"):
        return chr(int(form.removeprefix("<narrow> "), 16))
    return unicodedata.normalize("NFKD", char)


def _unmarked(text: str) -> str:
    """Without the marks that follow a Latin, Greek or Cyrillic letter."""
    kept, marked = [], False
    for char in text:
        if not unicodedata.category(char).startswith("M"):
            marked = _is_marked_script(char)
        elif marked:
            continue
        kept.append(char)
    return "".join(kept)


@lru_cache(4096)
def _is_marked_script(char: str) -> bool:
    return unicodedata.name(char, "").startswith(_MARKED_SCRIPTS)

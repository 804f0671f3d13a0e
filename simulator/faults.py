"""The switchboard of faults: which are on, whether one strikes here, and how often each has struck.

A decision is drawn from the seed and from what is struck (a channel, a cursor, an attempt), not from the order in which
things happen: the same seed strikes the same pages, whatever the machine's load. Pure; nothing here waits or posts.
"""

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

FAULTS: Final = (
    "duplicate", "reorder", "drop", "late", "truncate", "ok_false", "rate_limit", "credential", "disabled", "edit",
    "delete", "late_reply", "rename", "id_change", "restricted", "limited", "wrong_connection", "tutorial",
)  # fmt: skip
"""Every fault, as docs/faults.md describes them."""
RATES: Final = {
    "duplicate": 0.15,
    "reorder": 0.5,
    "drop": 0.04,
    "late": 0.04,
    "truncate": 0.04,
    "ok_false": 0.03,
    "rate_limit": 0.03,
    "limited": 0.05,
}
"""The part of the pages (of the lanes, for `reorder`) that a fault strikes."""
PATIENCE: Final = 6
"""After so many chances without a strike the next one is taken: what never struck would show nothing."""


class UnknownFault(ValueError):
    """The sentence for a name that is no fault's."""


def parse(text: str) -> tuple[str, ...]:
    """`drop,late` or `all` or "" as names, in their own order. Raises `UnknownFault`."""
    named = {name.strip() for name in text.split(",") if name.strip()}
    if "all" in named:
        return FAULTS
    if unknown := sorted(named.difference(FAULTS)):
        raise UnknownFault(f"there is no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}, or all")
    return tuple(name for name in FAULTS if name in named)


def named(names: str) -> str:
    """Names as somebody would type them: all where it is all of them."""
    return "all" if parse(names) == FAULTS else names


class Faults:
    """`on` are the faults that may strike; `counts` how often each did; `taken` what should have been refused and was
    not; `present` the states that hold right now (`credential`, `disabled`, `restricted`).
    """

    def __init__(self, seed: int = 1, on: Iterable[str] = ()) -> None:
        self.seed = seed
        self.on = frozenset(on)
        self.counts: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.present: set[str] = set()
        self._chances: Counter[str] = Counter()
        self._struck: set[tuple[object, ...]] = set()

    def switch(self, on: Iterable[str]) -> None:
        """Only these from now on; a state whose fault is off ends."""
        self.on = frozenset(on)
        self.present &= self.on

    def draw(self, name: str, *key: object) -> float:
        """0 to 1, the same for the same seed, name and key."""
        digest = blake2b(repr((self.seed, name, key)).encode(errors="surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64

    def strikes(self, name: str, *key: object) -> bool:
        """Whether the fault strikes here; each key at most once, so that whoever asks again gets on."""
        if name not in self.on or (name, *key) in self._struck:
            return False
        self._chances[name] += 1
        overdue = not self.counts[name] and self._chances[name] > PATIENCE
        if not overdue and self.draw(name, *key) >= RATES[name]:
            return False
        self._struck.add((name, *key))
        return True

    def struck(self, name: str) -> None:
        """It really happened."""
        self.counts[name] += 1

    def told(self, name: str, status: int) -> None:
        """A request that must be refused was answered with this status."""
        self.struck(name)
        if not 400 <= status < 500:
            self.taken[name] += 1

    def begin(self, name: str) -> None:
        """A state begins, if its fault is on."""
        if name in self.on:
            self.present.add(name)

    def end(self, name: str) -> None:
        """It is over."""
        self.present.discard(name)

    def holds(self, name: str) -> bool:
        """Whether the state holds now; whoever is shown it calls `struck`."""
        return name in self.present

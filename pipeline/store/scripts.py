"""Lua scripts: loaded from .lua files, run by their hash, and the little language of their commands.

`Changes` collects guards and commands in Python and runs them as one script: what belongs together happens together
or not at all, and the logic stays where it can be read and tested.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

import redis
from redis.exceptions import NoScriptError

from pipeline.store.client import Reply, ask, ask_all, store_errors

_LUA = Path(__file__).parent / "lua"
Word = str | bytes | int
_MOST_FIELDS = 500


class Script(NamedTuple):
    """A script's text and the hash that the server knows it by."""

    text: str
    sha: str


@cache
def load(name: str) -> Script:
    """The script of that file, with the shared functions behind its first line."""
    text = (_LUA / f"{name}.lua").read_text()
    first, _, rest = text.partition("\n") if text.startswith("#!") else ("", "", text)
    whole = "\n".join(part for part in (first, (_LUA / "ops.lua").read_text(), rest) if part)
    return Script(whole, sha1(whole.encode(), usedforsecurity=False).hexdigest())


def run(client: redis.Redis, name: str, keys: Sequence[str], args: Sequence[Word]) -> Reply:
    """Run a script. A server that does not know it yet has run nothing, so sending the text is safe."""
    script = load(name)
    with store_errors():
        try:
            return client.execute_command("EVALSHA", script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return client.execute_command("EVAL", script.text, len(keys), *keys, *args)


def run_all(client: redis.Redis, name: str, calls: Sequence[tuple[Sequence[str], Sequence[Word]]]) -> list[Reply]:
    """A script once for each (keys, arguments), in one round trip; a server that does not know it is told first."""
    script = load(name)
    if ask(client, "SCRIPT", "EXISTS", script.sha) != [1]:
        ask(client, "SCRIPT", "LOAD", script.text)
    return ask_all(client, [("EVALSHA", script.sha, len(keys), *keys, *args) for keys, args in calls])


def now(plus: int = 0) -> str:
    """The score of a ZADD that is due by the server's clock, `plus` microseconds from when it runs."""
    return f"<now>+{plus}" if plus else "<now>"


def pairs(fields: Mapping[str, Word]) -> list[Word]:
    """Field, value, field, value …: as HSET wants them."""
    return [word for pair in fields.items() for word in pair]


class Changes:
    """Guards and commands of one atomic change. Keys are declared as they are first named."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self.keys: list[str] = list(keys)
        self._index = {key: number for number, key in enumerate(self.keys, 1)}
        self._guards: list[Word] = []
        self._guard_count = 0
        self.commands: list[Word] = []

    def _number(self, key: str) -> int:
        if key not in self._index:
            self.keys.append(key)
            self._index[key] = len(self.keys)
        return self._index[key]

    def expect(self, expected: Word, command: str, key: str, *args: Word) -> "Changes":
        """Apply nothing unless `command key args` answers `expected` (nil is '')."""
        self._guard_count += 1
        self._guards += [len(args) + 3, expected, command, self._number(key), *args]
        return self

    def do(self, command: str, key: str, *args: Word) -> "Changes":
        """Apply `command key args` when everything holds."""
        self.commands += [len(args) + 2, command, self._number(key), *args]
        return self

    def hset(self, key: str, fields: Mapping[str, Word]) -> "Changes":
        """HSET of any number of fields: Lua cannot hand more than some thousand words to one command."""
        items = list(fields.items())
        for i in range(0, len(items), _MOST_FIELDS):
            self.do("HSET", key, *pairs(dict(items[i : i + _MOST_FIELDS])))
        return self

    def keep_receipt(self, receipts: str, order: str, receipt: str, record: str, kept: int) -> "Changes":
        """Write a receipt's record, new or not (ops.lua)."""
        self.commands += [6, "RECEIPT", self._number(receipts), self._number(order), receipt, record, kept]
        return self

    def part(self) -> "Changes":
        """An empty change for `when`: it names its keys in this one."""
        made = Changes()
        made.keys, made._index = self.keys, self._index
        return made

    def when(self, part: "Changes") -> "Changes":
        """Apply a part (of this very change) only where its own guards hold; the rest does not depend on it."""
        words: list[Word] = ["WHEN", part._guard_count, *part._guards, *part.commands]
        self.commands += [len(words), *words]
        return self

    def commit(self, client: redis.Redis) -> int:
        """0 if applied, else the number (from 1) of the first guard that failed. Safe to repeat if its guards are."""
        return int(run(client, "commit", self.keys, [self._guard_count, *self._guards, *self.commands]))

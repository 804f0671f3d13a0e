"""What may be said: values without secrets, exceptions without documents."""

import dataclasses
import math
import re
import traceback
from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

REDACTED = "[redacted]"
FORBIDDEN = frozenset(
    [
        *("secret", "token", "authorization", "auth", "password", "passwd", "key", "credential", "cookie", "jwt"),
        *("signature", "text", "body", "content", "payload", "document", "doc", "email"),
        *("exc", "traceback", "args", "kwargs"),  # Celery's failure records carry these as ready-made strings
    ]
)
"""Words of a key that make its value unspeakable; compared as whole words, singular or plural."""

Speaking = tuple[type[BaseException], ...]
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_IN_TEXT = re.compile(r"(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}|eyJ[\w-]{5,}\.[\w-]+\.[\w-]*")
_DEEPEST, _MOST_LINKS, _MOST_FRAMES, _MOST_BITS = 6, 16, 30, 256


def without_secrets(text: str) -> str:
    """The text with bearer tokens and JWTs redacted.

    >>> without_secrets("sent Bearer abc.def-123456")
    'sent [redacted]'
    """
    return _SECRET_IN_TEXT.sub(REDACTED, text)


def described(error: BaseException, speaking: Speaking = ()) -> list[dict[str, Any]]:
    """An exception and its causes, outermost first: `type`, `at` (`file:line function`, innermost last).

    A group has `members`, each such a list. At most 16 exceptions are described in all.

    >>> import json
    >>> try:
    ...     json.loads("{secret")
    ... except ValueError as error:
    ...     [link["type"] for link in described(error)]
    ['json.decoder.JSONDecodeError']
    """
    return _chain(error, speaking, iter(range(_MOST_LINKS)), set())


def _chain(error: BaseException, speaking: Speaking, budget: Iterator[int], seen: set[int]) -> list[dict[str, Any]]:
    chain: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and id(current) not in seen and next(budget, None) is not None:
        seen.add(id(current))
        chain.append(_link(current, speaking, budget, seen))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def _link(error: BaseException, speaking: Speaking, budget: Iterator[int], seen: set[int]) -> dict[str, Any]:
    frames = traceback.walk_tb(error.__traceback__)
    # Built from code objects: `traceback.extract_tb` would read source lines, and those hold literals. The last three
    # parts of a path find the file and say nothing about the machine.
    codes = [(Path(frame.f_code.co_filename).parts[-3:], line, frame.f_code.co_name) for frame, line in frames]
    places = [f"{'/'.join(path)}:{line} {name}" for path, line, name in codes]
    link: dict[str, Any] = {"type": name_of(type(error)), "at": places[-_MOST_FRAMES:]}
    if isinstance(error, speaking):
        link["says"] = without_secrets(str(error))
    if isinstance(error, BaseExceptionGroup):
        members = (_chain(member, speaking, budget, seen) for member in error.exceptions)
        link["members"] = [member for member in members if member]
    return link


def name_of(kind: type) -> str:
    """A type by its module and name.

    >>> name_of(ValueError), name_of(Decimal)
    ('ValueError', 'decimal.Decimal')
    """
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


@dataclasses.dataclass(frozen=True, slots=True)
class Speech:
    """Which words of a key forbid its value, and which exceptions may say what they say.

    >>> Speech(FORBIDDEN).field("inner", {"token": "abc", "raw": b"abc", "count": 3})
    {'token': '[redacted]', 'raw': '<3 bytes>', 'count': 3}
    """

    words: frozenset[str]
    speaking: Speaking = ()

    def field(self, key: str, value: Any, depth: int = _DEEPEST) -> Any:
        """The value as JSON knows it, or redacted for its key."""
        return REDACTED if self._is_forbidden(key) else self.speakable(value, depth)

    def speakable(self, value: Any, depth: int = _DEEPEST) -> Any:
        """The value as JSON without what must not be said; an exception is its type unless it may speak."""
        if value is None or isinstance(value, bool | int | float):
            return _number(value)
        if isinstance(value, str):
            return without_secrets(value)
        if isinstance(value, BaseException):
            return without_secrets(str(value)) if isinstance(value, self.speaking) else name_of(type(value))
        if depth == 0:
            return "…"
        if isinstance(value, Mapping):
            return {str(key): self.field(str(key), inner, depth - 1) for key, inner in value.items()}
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if isinstance(value, list | tuple):
            return [self.speakable(inner, depth - 1) for inner in value]
        return self._other(value, depth)

    def _other(self, value: Any, depth: int) -> Any:
        try:
            return self.speakable(_opened(value), depth - 1)
        except Exception:  # noqa: BLE001 - whatever a foreign object raises, the record is worth more than the field
            return f"<{name_of(type(value))}>"

    def _is_forbidden(self, key: str) -> bool:
        words = [word.lower() for word in _WORDS.findall(key)]
        return any(word in self.words or word.removesuffix("s") in self.words for word in words)


def _number(value: float | None) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is not None and value.bit_length() > _MOST_BITS:
        return f"<{value.bit_length()} bits>"  # Python refuses to write a number of some thousand digits
    return value


def _opened(value: Any) -> Any:
    """What a value of a known type is made of. Raises TypeError for any other."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=lambda member: (type(member).__name__, str(member)))
    if hasattr(value, "model_dump"):
        return value.model_dump()  # not as JSON, which would make text of bytes
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError

"""One way to write Python values as JSON, and to read JSON back.

    >>> from datetime import date
    >>> from decimal import Decimal
    >>> dumps({"day": date(2024, 2, 29), "price": Decimal("1.10"), "tags": {"b", "a"}})
    '{"day":"2024-02-29","price":"1.10","tags":["a","b"]}'
    >>> loads('{"a": 1}')
    {'a': 1}

What JSON has no word for:

- datetime, date and time as ISO 8601, to the microsecond and with the offset that they have (none for a naive one);
- Decimal, UUID and Path as strings, Enum as its value, bytes as base64, sets as lists in an order that depends on their
  members only, dataclasses as objects, Pydantic models as they write themselves (`mode="json"`), their sets in order;
- keys: strings, numbers, true, false, null, and the types above that are strings; two that come out alike are refused;
- refused both ways: NaN and infinity. Refused in writing: integers beyond 64 bits, which other readers round; what is
  nested deeper than `DEEPEST`, or holds itself; everything else, by the name of its type.

`dumps` writes with `json`, `dump_bytes` with orjson where that is installed: the same text, or the same refusal. Who
calls either by himself hands it `default`, or `plain(value)` instead of the value.
"""

import base64
import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, NoReturn
from uuid import UUID

try:
    import orjson
except ImportError:  # pragma: no cover - it is a help, not a need
    orjson = None  # type: ignore[assignment]

DEEPEST = 100
"""Levels of nesting that are written; orjson itself ends at 253, and `json` where the caller's stack does."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class InvalidJson(ValueError):
    """Text that is no JSON. Says why and, where known, at which character; never holds the document."""

    def __init__(self, why: str, position: int | None = None) -> None:
        super().__init__(why if position is None else f"{why} at character {position}")
        self.position = position


def default(value: Any) -> Any:
    """What `json.dumps(default=…)` and `orjson.dumps(default=…)` want: one step towards what JSON knows.

    Raises TypeError for an unknown type. orjson writes some types by itself; with `OPT_PASSTHROUGH_DATACLASS` and
    `OPT_PASSTHROUGH_DATETIME` it asks here for all fields of a dataclass, and for a time of day with a zone.

    >>> default(UUID(int=1))
    '00000000-0000-0000-0000-000000000001'
    >>> default(object())
    Traceback (most recent call last):
    TypeError: object has no JSON form
    """
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    if hasattr(value, "model_dump") and not isinstance(value, type):
        return _in_set_order(value, value.model_dump(mode="json"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def plain(value: Any) -> Any:
    """The value in JSON's own types: dict with string keys, list, str, int, float, bool, None; a copy all through.

    Raises TypeError (unknown type) and ValueError (NaN, an integer beyond 64 bits, too deep, keys that come out alike).

    >>> plain({1: (True, {"b", "a"}), None: b"raw"})
    {'1': [True, ['a', 'b']], 'null': 'cmF3'}
    """
    return _plain(value, DEEPEST)


def dumps(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Compact JSON text that always encodes to UTF-8. Raises what `plain` raises.

    >>> dumps(["é", b"bytes", float("1e3")])
    '["é","Ynl0ZXM=",1000.0]'
    """
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(plain(value), ensure_ascii=False, separators=separators, indent=indent, sort_keys=sort_keys)
    # A lone surrogate has no UTF-8; JSON's own escape for it has.
    return _SURROGATE.sub(_escape, text) if _SURROGATE.search(text) else text


def dump_bytes(value: Any) -> bytes:
    """The text of `dumps` as UTF-8, by orjson where it is installed. Raises what `plain` raises.

    >>> dump_bytes({"é": 1})
    b'{"\\xc3\\xa9":1}'
    """
    simple = plain(value)
    if orjson is not None:
        try:
            text: bytes = orjson.dumps(simple)
        except TypeError:  # a lone surrogate
            return dumps(simple).encode("utf-8")
        # Of numbers near 0 they have different forms: 0.00001 and 1e-05, 1e-7 and 1e-07.
        if b"0.0000" not in text and b"e-" not in text:
            return text
    return dumps(simple).encode("utf-8")


def loads(text: str | bytes | bytearray) -> Any:
    """The value of a JSON text, bytes being UTF-8. Raises `InvalidJson`, which does not carry the text.

    >>> loads("[1, NaN]")
    Traceback (most recent call last):
    common_core.serialization.InvalidJson: NaN is no JSON
    """
    position: int | None = None
    try:
        return json.loads(text if isinstance(text, str) else text.decode("utf-8"), parse_constant=_refuse)
    except InvalidJson:
        raise
    except json.JSONDecodeError as error:
        why, position = error.msg, error.pos
    except UnicodeDecodeError as error:
        why, position = "not UTF-8", error.start
    except RecursionError:
        why = "nested too deep"
    except ValueError:
        why = "a number too long"
    raise InvalidJson(why, position)


def _refuse(constant: str) -> NoReturn:
    raise InvalidJson(f"{constant} is no JSON")


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value, depth)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int | float):
        return _number(value)
    if depth == 0:
        raise ValueError(f"nested deeper than {DEEPEST} levels, or in itself")
    if isinstance(value, Mapping):
        return _object(value, depth - 1)
    if isinstance(value, list | tuple):
        return [_plain(member, depth - 1) for member in value]
    return _plain(default(value), depth - 1)


def _number(value: int | float) -> int | float:
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ValueError("an integer beyond 64 bits")
        return int.__pos__(value)
    if not math.isfinite(value):
        raise ValueError("Out of range for JSON: NaN or infinity")
    return float.__pos__(value)


def _object(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    written = {_key(key): _plain(member, depth) for key, member in value.items()}
    if len(written) < len(value):
        raise ValueError("two keys come out alike")
    return written


def _key(key: Any) -> str:
    """As `json` writes keys, and what has a string for its form besides."""
    if isinstance(key, Enum):
        return _key(key.value)
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int | float):
        return repr(_number(key))
    if isinstance(key, datetime | date | time | Decimal | UUID | PurePath):
        return str(default(key))
    raise TypeError(f"{type(key).__name__} is no key in JSON")


def _in_order(members: Iterable[Any]) -> list[Any]:
    """Texts and whole numbers in their own order; members of mixed types do not compare, their JSON texts do."""
    found = list(members)
    if {type(member) for member in found} in ({int}, {str}):
        return sorted(found)
    return sorted(found, key=lambda member: (type(member).__name__, dumps(member, sort_keys=True)))


def _in_set_order(source: Any, written: Any) -> Any:
    """What a model wrote, with the lists that were sets put in order: Pydantic leaves them as their hashes fell."""
    if getattr(type(source), "__pydantic_root_model__", False):
        source = source.root
    if isinstance(written, dict):
        members = _members(source, list(written))
        return {key: _in_set_order(members.get(key), member) for key, member in written.items()}
    if not isinstance(source, set | frozenset | list | tuple) or not isinstance(written, list):
        return written
    if len(source) != len(written):  # a serializer of its own has written something else
        return written
    ordered = [_in_set_order(*pair) for pair in zip(source, written, strict=True)]
    return _in_order(ordered) if isinstance(source, set | frozenset) else ordered


def _members(source: Any, keys: list[str]) -> dict[str, Any]:
    """What stands behind each key that a mapping, a model or a dataclass was written with."""
    if isinstance(source, Mapping):
        return dict(zip(keys, source.values(), strict=True)) if len(source) == len(keys) else {}
    fields = getattr(type(source), "model_fields", {}).items()
    names = {str(field.serialization_alias): name for name, field in fields}
    return {key: getattr(source, names.get(key, key), None) for key in keys}


_WRITERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((datetime, date, time), lambda value: value.isoformat()),
    (Enum, lambda value: value.value),
    ((Decimal, UUID, PurePath), str),
    ((set, frozenset), _in_order),
    ((bytes, bytearray, memoryview), lambda value: base64.b64encode(value).decode("ascii")),
    # Subclasses, which orjson does not write by itself: a named tuple, a float of one's own.
    (tuple, list),
    (float, float.__pos__),
    (str, str.__str__),
    (int, int.__pos__),
    (list, list),
    (Mapping, dict),
)

"""One way to write Python values as JSON, and to read JSON back.

    >>> from datetime import date
    >>> from decimal import Decimal
    >>> dumps({"day": date(2024, 2, 29), "price": Decimal("1.10"), "tags": {"b", "a"}})
    '{"day":"2024-02-29","price":"1.10","tags":["a","b"]}'
    >>> loads('{"a": 1}')
    {'a': 1}

What JSON has no word for: datetime and date as ISO 8601, Decimal, UUID and Path as strings, Enum as its value, bytes as
base64, sets as lists in an order that depends on their members only, dataclasses and Pydantic models as objects.
NaN and infinity are refused both ways: they are no JSON.
"""

import base64
import dataclasses
import json
import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, NoReturn
from uuid import UUID

_SURROGATE = re.compile("[\ud800-\udfff]")


class InvalidJson(ValueError):
    """Text that is no JSON. Says why and, where known, at which character; never holds the document."""

    def __init__(self, why: str, position: int | None = None) -> None:
        super().__init__(why if position is None else f"{why} at character {position}")
        self.position = position


def default(value: Any) -> Any:
    """What `json.dumps(default=…)` wants: a value that JSON knows. Raises TypeError for an unknown type.

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
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Compact JSON text that always encodes to UTF-8. Raises TypeError (unknown type), ValueError (NaN, a cycle).

    >>> dumps(["é", b"bytes", float("1e3")])
    '["é","Ynl0ZXM=",1000.0]'
    """
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(
        value,
        default=default,
        ensure_ascii=False,
        allow_nan=False,
        separators=separators,
        indent=indent,
        sort_keys=sort_keys,
    )
    # A lone surrogate has no UTF-8; JSON's own escape for it has.
    return _SURROGATE.sub(_escape, text) if _SURROGATE.search(text) else text


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


def _in_order(members: Any) -> list[Any]:
    """Members of mixed types do not compare; their JSON texts do."""
    return sorted(members, key=lambda member: (type(member).__name__, dumps(member, sort_keys=True)))


_WRITERS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((datetime, date, time), lambda value: value.isoformat()),
    (Enum, lambda value: value.value),
    ((Decimal, UUID, PurePath), str),
    ((set, frozenset), _in_order),
    ((bytes, bytearray, memoryview), lambda value: base64.b64encode(value).decode("ascii")),
)

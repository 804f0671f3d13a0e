"""Small checks for Pydantic models, as types and as functions, whose errors never show what was wrong.

    >>> from pydantic import BaseModel, ConfigDict, ValidationError
    >>> class Pull(BaseModel):
    ...     minutes: Positive[float]
    ...     run: Id
    ...     label: Trimmed = "none"
    >>> Pull(minutes="1.5", run="r-17", label=" nightly ")
    Pull(minutes=1.5, run='r-17', label='nightly')
    >>> try:
    ...     Pull(minutes=0, run="what a customer wrote", label=" ")
    ... except ValidationError as error:
    ...     print(*sentences(error, Pull), sep="\\n")
    minutes must be a number more than 0
    run must be 1 to 64 letters, digits, dots, dashes and underscores
    label must not be empty

`str()` of a `ValidationError` quotes the input: show `sentences` instead, or set `hide_input_in_errors`. Each function
is the check alone, for use without a model; all of them raise ValueError.
"""

import math
import re
from collections.abc import Collection, Iterator, Sized
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

_Number = TypeVar("_Number", int, float, Decimal, timedelta)
_Filled = TypeVar("_Filled", bound=Sized)
LONGEST_ID = 64
_ID = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
# What an error may tell of: bounds and names out of the model. All else in it may come from the input.
_OF_THE_MODEL = frozenset(
    [
        *("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "actual_length", "pattern", "expected"),
        *("field_type", "class", "class_name", "max_digits", "decimal_places", "whole_digits", "expected_schemes"),
    ]
)


def positive(value: _Number) -> _Number:
    """A finite number or a span of time above 0.

    >>> positive(timedelta(seconds=1))
    datetime.timedelta(seconds=1)
    >>> positive(float("nan"))
    Traceback (most recent call last):
    ValueError: must be a number more than 0
    """
    if not _is_number(value) or value <= type(value)(0):
        raise ValueError("must be a number more than 0")
    return value


def non_negative(value: _Number) -> _Number:
    """A finite number or a span of time, 0 or above.

    >>> non_negative(0), non_negative(Decimal("0.5"))
    (0, Decimal('0.5'))
    """
    if not _is_number(value) or value < type(value)(0):
        raise ValueError("must be a number, 0 or more")
    return value


def non_empty(value: _Filled) -> _Filled:
    """Anything that has a length, with something in it; a text of blanks alone holds nothing.

    >>> non_empty([0])
    [0]
    """
    if len(value.strip() if isinstance(value, str) else value) == 0:
        raise ValueError("must not be empty")
    return value


def trimmed(value: str) -> str:
    """The text without blanks at its ends; something has to be left.

    >>> trimmed(" a b\\n")
    'a b'
    """
    return non_empty(value.strip())


def bounded_id(value: str, longest: int = LONGEST_ID) -> str:
    """An id that is safe in a path, a key and a log line; `.` and `..` have a meaning in paths.

    >>> bounded_id("C0123456789", longest=11)
    'C0123456789'
    """
    if not _ID.fullmatch(value) or len(value) > longest:
        raise ValueError(f"must be 1 to {longest} letters, digits, dots, dashes and underscores")
    if not value.strip("."):
        raise ValueError("must not be dots alone")
    return value


Positive = Annotated[_Number, AfterValidator(positive), Field(json_schema_extra={"exclusiveMinimum": 0})]
NonNegative = Annotated[_Number, AfterValidator(non_negative), Field(json_schema_extra={"minimum": 0})]
NonEmpty = Annotated[_Filled, AfterValidator(non_empty)]
Trimmed = Annotated[str, AfterValidator(trimmed), Field(json_schema_extra={"minLength": 1})]
Id = Annotated[
    str,
    AfterValidator(bounded_id),
    Field(json_schema_extra={"pattern": f"^(?![.]+$)[A-Za-z0-9._-]{{1,{LONGEST_ID}}}$"}),
]


def sentences(error: ValidationError, model: type[BaseModel] | None = None) -> list[str]:
    """What is wrong and where, a sentence each, without anything of the input.

    Places are the model's own names and positions in lists; a name that the model does not know was sent, so a star
    stands for it. What a `ValueError` of a validator says is passed on, so it must not quote the input either.
    """
    known = frozenset(_names(model.model_json_schema())) if model else frozenset()
    found = error.errors(include_url=False, include_input=False)
    return [f"{_place(one['loc'], known)} {_said(one)}".lstrip() for one in found]


def _is_number(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int | timedelta) and not isinstance(value, bool)


def _place(location: tuple[int | str, ...], known: Collection[str]) -> str:
    return ".".join(str(part) if isinstance(part, int) or part in known else "*" for part in location)


def _said(one: Any) -> str:
    if one["type"] in ("value_error", "assertion_error"):
        return str(one["ctx"]["error"])
    if set(one.get("ctx", ())) <= _OF_THE_MODEL:
        said: str = one["msg"]
        return re.sub(r"^(Input|String|Value) should", "should", said)
    return f"is refused: {one['type']}"


def _names(node: Any) -> Iterator[str]:
    """Every field's name in a JSON schema."""
    if isinstance(node, dict):
        yield from node.get("properties", ())
        for inner in node.values():
            yield from _names(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _names(inner)

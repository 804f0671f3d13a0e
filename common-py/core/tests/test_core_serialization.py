import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from common_core.serialization import InvalidJson, dumps, loads
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

UNHURRIED = settings(deadline=None)


class Colour(Enum):
    RED = "red"


class Word(StrEnum):
    YES = "yes"


class Number(IntEnum):
    ONE = 1


class Model(BaseModel):
    when: datetime
    colour: Colour


@dataclass
class Point:
    x: int
    path: PurePosixPath


WHEN = datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (WHEN, '"2024-02-29T12:00:00.000001+01:00"'),
        (date(2024, 2, 29), '"2024-02-29"'),
        (Decimal("0.10"), '"0.10"'),
        (UUID(int=255), '"00000000-0000-0000-0000-0000000000ff"'),
        ([Colour.RED, Word.YES, Number.ONE], '["red","yes",1]'),
        ({3, 1, 2}, "[1,2,3]"),
        (frozenset({"b", "a", 1, None}), '[null,1,"a","b"]'),
        (b"\xff\x00", '"/wA="'),
        (Point(1, PurePosixPath("a/b")), '{"x":1,"path":"a/b"}'),
        (Model(when=WHEN.astimezone(UTC), colour=Colour.RED), '{"when":"2024-02-29T11:00:00.000001Z","colour":"red"}'),
        ("é \ud800", '"é \\ud800"'),
    ],
)
def test_each_type_has_one_form(value: Any, text: str) -> None:
    assert dumps(value) == text
    dumps(value).encode("utf-8")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {float("nan")}])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        dumps(value)


@pytest.mark.parametrize("value", [object(), Point, Model, len])
def test_an_unknown_type_is_an_error_that_names_the_type_only(value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{type(value).__name__} has no JSON form$"):
        dumps(value)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
)


@UNHURRIED
@given(JSON_VALUES)
def test_json_values_survive_the_round_trip(value: Any) -> None:
    text = dumps(value)
    assert loads(text) == value
    assert loads(text.encode("utf-8")) == value
    assert json.loads(dumps(value, indent=2, sort_keys=True)) == value


@UNHURRIED
@given(st.lists(st.integers() | st.text() | st.dates() | st.binary() | st.tuples(st.integers())), st.randoms())
def test_a_set_is_written_in_an_order_that_depends_on_its_members_only(members: list[Any], shuffle: Any) -> None:
    shuffled = members[:]
    shuffle.shuffle(shuffled)
    assert dumps(set(members)) == dumps(frozenset(shuffled))


@pytest.mark.parametrize(
    "text", ["{secret", b"\xff\xfe{\x00}\x00", "[1, -Infinity]", "[" * 100_000, "9" * 5000, "", "\ufeff{}"]
)
def test_a_text_that_is_no_json_is_named_and_not_carried_along(text: Any) -> None:
    with pytest.raises(InvalidJson) as caught:
        loads(text)
    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value)
    assert not hasattr(caught.value, "doc")

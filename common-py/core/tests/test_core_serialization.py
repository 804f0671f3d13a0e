import base64
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import pytest
from common_core.serialization import InvalidJson, default, dump_bytes, dumps, loads, plain
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_serializer

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
    x: Any
    path: Any


@dataclass(slots=True, frozen=True)
class Slotted:
    x: int
    _y: int
    z: tuple[int, ...] = field(default=())


class Sets(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)
    tags: set[str] = Field(alias="Tags", default=set(), validation_alias="tags")
    deep: set[frozenset[int]] = set()
    by: dict[str, set[int]] = {}
    own: set[str] = {"q"}

    @field_serializer("own")
    def _own(self, own: set[str]) -> str:
        return "x"


class Roots(RootModel[set[str]]):
    pass


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not this"


class Whole(int):
    def __repr__(self) -> str:
        return "not this"


class Real(float):
    def __repr__(self) -> str:
        return "not this"


class Things(dict[str, int]):
    pass


class Pair(NamedTuple):
    one: int
    other: str


WHEN = datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=1)))


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def circular() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["itself"] = [value]
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (WHEN, '"2024-02-29T12:00:00.000001+01:00"'),
        (date(2024, 2, 29), '"2024-02-29"'),
        (Decimal("0.10"), '"0.10"'),
        (UUID(int=255), '"00000000-0000-0000-0000-0000000000ff"'),
        ([Colour.RED, Word.YES, Number.ONE], '["red","yes",1]'),
        (datetime(2024, 2, 29, 12), '"2024-02-29T12:00:00"'),  # noqa: DTZ001 - it is what is tested
        (datetime(999, 1, 1, tzinfo=timezone(timedelta(seconds=3208))), '"0999-01-01T00:00:00+00:53:28"'),
        (time(12, 0, 0, 5, tzinfo=UTC), '"12:00:00.000005+00:00"'),
        ({3, 1, 20, -4}, "[-4,1,3,20]"),
        ({frozenset({2, 1}), frozenset({3})}, "[[1,2],[3]]"),
        ({(2, "b"), (1, "a")}, '[[1,"a"],[2,"b"]]'),
        ({Number.ONE: 1, Word.YES: 2, Colour.RED: 3}, '{"1":1,"yes":2,"red":3}'),
        ({1: {None: {True: {1.5: 0}}}}, '{"1":{"null":{"true":{"1.5":0}}}}'),
        ({date(2024, 2, 29): 1, UUID(int=1): 2}, '{"2024-02-29":1,"00000000-0000-0000-0000-000000000001":2}'),
        (Slotted(1, 2, (3,)), '{"x":1,"_y":2,"z":[3]}'),
        ([Text("a"), Whole(5), Real(1.5), Pair(1, "b"), Things(a=1)], '["a",5,1.5,[1,"b"],{"a":1}]'),
        ({Text("a"): 1, Whole(5): 2}, '{"a":1,"5":2}'),
        (
            Point(1, Model(when=WHEN, colour=Colour.RED)),
            '{"x":1,"path":{"when":"2024-02-29T12:00:00.000001+01:00","colour":"red"}}',
        ),
        (
            Sets(tags={"b", "a"}, deep={frozenset({20, 3})}, by={"k": {2, 1}}),
            '{"Tags":["a","b"],"deep":[[3,20]],"by":{"k":[1,2]},"own":"x"}',
        ),
        (Roots({"b", "a", "c"}), '["a","b","c"]'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        ([1e16, 1e-7, -0.0, 5e-324, 0.0001], "[1e+16,1e-07,-0.0,5e-324,0.0001]"),
        ([6.103515625e-05, 1e-5], "[6.103515625e-05,1e-05]"),
        ([2**64 - 1, -(2**63)], "[18446744073709551615,-9223372036854775808]"),
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
    assert dump_bytes(value) == text.encode("utf-8")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {float("nan")}])
def test_what_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        dumps(value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({(1, 2): 3}, "tuple is no key"),
        ({b"a": 3}, "bytes is no key"),
        ({frozenset(): 3}, "frozenset is no key"),
        ({1: 1, "1": 2}, "come out alike"),
        ({None: 1, "null": 2}, "come out alike"),
        ({float("nan"): 1}, "Out of range"),
        (2**64, "beyond 64 bits"),
        ([-(2**63) - 1], "beyond 64 bits"),
        (Decimal, "type has no JSON form"),
        (nested(101), "nested deeper than 100"),
        (circular(), "or in itself"),
        ({"a": float("inf")}, "Out of range"),
        (timedelta(1), "timedelta has no JSON form"),
    ],
)
def test_both_writers_refuse_the_same_with_the_same_words(value: Any, why: str) -> None:
    for write in (dumps, dump_bytes, plain):
        with pytest.raises((TypeError, ValueError), match=why):
            write(value)


def test_what_is_nested_as_deep_as_may_be_is_written() -> None:
    assert dumps(nested(100)) == "[" * 100 + "]" * 100 == dump_bytes(nested(100)).decode()


@pytest.mark.parametrize("value", [object(), Point, Model, len])
def test_an_unknown_type_is_an_error_that_names_the_type_only(value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{type(value).__name__} has no JSON form$"):
        dumps(value)


WHOLE = st.integers(-(2**63), 2**64 - 1)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | WHOLE
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


ANYTHING = st.recursive(
    JSON_VALUES
    | st.integers()
    | st.floats()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.datetimes(timezones=st.timezones() | st.none())
    | st.times()
    | st.binary()
    | st.sampled_from([Colour.RED, Word.YES, Number.ONE, Text("t"), Whole(3), Real(0.5), Pair(1, "b"), object()])
    | st.sets(st.integers() | st.text(st.characters(codec=None)) | st.none()),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text(st.characters(codec=None)) | st.integers() | st.none() | st.dates() | st.binary(), inner
        )
        | st.builds(Point, inner, inner)
    ),
    max_leaves=10,
)


def outcome(write: Callable[[Any], Any], value: Any) -> Any:
    try:
        return write(value)
    except (TypeError, ValueError) as error:
        return type(error), str(error)


@UNHURRIED
@given(ANYTHING)
def test_both_writers_give_the_same_text_or_the_same_refusal(value: Any) -> None:
    text = outcome(dumps, value)
    assert outcome(lambda value: dump_bytes(value).decode(), value) == text
    if isinstance(text, str):
        assert json.loads(text) == plain(value)
        assert plain(plain(value)) == plain(value)


COMMON = st.recursive(
    st.none()
    | st.booleans()
    | WHOLE
    | st.text()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.dates()
    | st.datetimes(timezones=st.timezones() | st.none())
    | st.times()
    | st.binary()
    | st.frozensets(WHOLE | st.text())
    | st.sampled_from(
        [Colour.RED, Word.YES, Number.ONE, Text("t"), Whole(3), Real(0.5), Pair(1, "b"), PurePosixPath("a")]
    ),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.builds(Point, inner, inner) | st.tuples(inner)
    ),
    max_leaves=10,
)


@UNHURRIED
@given(COMMON)
def test_json_and_orjson_themselves_agree_with_the_one_default(value: Any) -> None:
    options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
    by_json = json.dumps(value, default=default, ensure_ascii=False, separators=(",", ":"))
    assert orjson.dumps(value, default=default, option=options).decode() == by_json == dumps(value)


@UNHURRIED
@given(
    st.datetimes(timezones=st.timezones()),
    st.dates(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.binary(),
    st.sets(WHOLE),
)
def test_what_json_has_no_word_for_survives_the_round_trip(
    when: datetime, day: date, number: Decimal, some_id: UUID, raw: bytes, some: set[int]
) -> None:
    back = loads(dumps([when, day, number, some_id, raw, some, Colour.RED, Point(1, PurePosixPath("a/b"))]))
    # Not `==`, which is false for every time that its zone's clock shows twice.
    assert datetime.fromisoformat(back[0]) - when == timedelta()
    assert (date.fromisoformat(back[1]), Decimal(back[2]), UUID(back[3])) == (day, number, some_id)
    assert (base64.b64decode(back[4]), set(back[5]), Colour(back[6])) == (raw, some, Colour.RED)
    assert (back[7]["x"], PurePosixPath(back[7]["path"])) == (1, PurePosixPath("a/b"))


def test_a_model_survives_the_round_trip() -> None:
    model = Model(when=WHEN, colour=Colour.RED)
    assert Model.model_validate(loads(dumps(model))) == model


def test_the_order_of_a_models_sets_does_not_depend_on_how_hashes_fall() -> None:
    code = (
        "from common_core.serialization import dumps; from pydantic import create_model;"
        "print(dumps(create_model('M', s=set[str])(s=set('abcdefgh'))))"
    )
    written = set()
    for seed in ("1", "2", "3"):
        hashes = {"PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", code], env=hashes, capture_output=True, check=True)
        written.add(run.stdout)
    assert written == {b'{"s":["a","b","c","d","e","f","g","h"]}\n'}


@UNHURRIED
@given(st.lists(WHOLE | st.text() | st.dates() | st.binary() | st.tuples(WHOLE)), st.randoms())
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

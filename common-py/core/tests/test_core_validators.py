from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from common_core.validators import (
    Id,
    NonEmpty,
    NonNegative,
    Positive,
    Trimmed,
    bounded_id,
    non_empty,
    non_negative,
    positive,
    sentences,
    trimmed,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ImportString, TypeAdapter, ValidationError

UNHURRIED = settings(deadline=None)
CANARY = "kanarienvogel"
numbers = (
    st.integers()
    | st.floats()
    | st.decimals(allow_nan=True, allow_infinity=True)
    | st.timedeltas()
    | st.sampled_from([Decimal("sNaN"), Decimal("1e400"), 10**400])
)


def is_finite(value: Any) -> bool:
    return str(value).lower().lstrip("-") not in ("nan", "snan", "inf", "infinity")


@UNHURRIED
@given(numbers)
def test_a_number_is_positive_or_not_and_unchanged(value: Any) -> None:
    zero = type(value)(0)
    for check, wanted in (
        (positive, is_finite(value) and value > zero),
        (non_negative, is_finite(value) and value >= zero),
    ):
        if wanted:
            assert check(value) is value
        else:
            with pytest.raises(ValueError, match="must be a number"):
                check(value)


@pytest.mark.parametrize("value", [True, "1", None])
def test_what_is_no_number_is_not_positive(value: Any) -> None:
    for check in (positive, non_negative):
        with pytest.raises(ValueError, match="number"):
            check(value)


@pytest.mark.parametrize("value", ["", " \n\u00a0", b"", [], {}, set(), ()])
def test_what_holds_nothing_is_empty(value: Any) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        non_empty(value)


@UNHURRIED
@given(st.text(), st.sampled_from(["", " ", "\t\n", "\u3000"]))
def test_trimming_twice_changes_nothing(text: str, blank: str) -> None:
    if not text.strip():
        with pytest.raises(ValueError, match="empty"):
            trimmed(blank + text)
    else:
        assert trimmed(trimmed(blank + text + blank)) == text.strip()


@pytest.mark.parametrize("value", ["C1", "a.b-c_d", "x" * 64, "0", ".a", "..-"])
def test_an_id_is_letters_digits_and_three_signs(value: str) -> None:
    assert bounded_id(value) == value


@pytest.mark.parametrize("value", ["", "a b", "a/b", "ä", "a\n", "x" * 65, "٣", "a:b", "\x00", "%2f"])
def test_nothing_else_is_an_id(value: str) -> None:
    with pytest.raises(ValueError, match="must be 1 to 64 letters"):
        bounded_id(value)


@pytest.mark.parametrize("value", [".", "..", "..."])
def test_dots_alone_lead_elsewhere_in_a_path_and_are_no_id(value: str) -> None:
    with pytest.raises(ValueError, match="dots alone"):
        bounded_id(value)


class Inner(BaseModel):
    count: Positive[int]


class Tagged(BaseModel):
    kind: Literal["a"]


class Other(BaseModel):
    kind: Literal["b"]


class Colour(Enum):
    RED = "red"


class Model(BaseModel):
    wait: NonNegative[timedelta] = timedelta()
    price: Positive[Decimal] = Decimal(1)
    names: NonEmpty[list[Trimmed]] = ["x"]
    run: Id = "r"
    inner: list[Inner] = []
    by_name: dict[str, int] = {}
    union: Annotated[Tagged | Other, Field(discriminator="kind")] | None = None
    uuid: UUID | None = None
    colour: Colour = Colour.RED
    thing: ImportString[Any] = None
    short: str = Field("", max_length=3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"wait": timedelta(-1)}, "wait must be a number, 0 or more"),
        ({"price": "NaN"}, "price should be a finite number"),
        ({"names": []}, "names must not be empty"),
        ({"names": ["a", "  "]}, "names.1 must not be empty"),
        ({"run": CANARY * 9}, "run must be 1 to 64 letters, digits, dots, dashes and underscores"),
        ({"inner": [{"count": 0}]}, "inner.0.count must be a number more than 0"),
        ({"by_name": {CANARY: "x"}}, "by_name.* should be a valid integer, unable to parse string as an integer"),
        ({"union": {"kind": CANARY}}, "union is refused: union_tag_invalid"),
        ({"uuid": CANARY}, "uuid is refused: uuid_parsing"),
        ({"colour": CANARY}, "colour should be 'red'"),
        ({"thing": CANARY}, "thing is refused: import_error"),
        ({"short": CANARY}, "short should have at most 3 characters"),
        (CANARY, "should be a valid dictionary or instance of Model"),
    ],
)
def test_a_sentence_says_what_is_wrong_and_nothing_of_the_input(given: Any, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate(given)
    assert sentences(caught.value, Model) == [said]
    assert CANARY not in str(sentences(caught.value))


def test_a_type_tells_its_bounds_to_the_schema() -> None:
    assert TypeAdapter(Positive[int]).json_schema() == {"type": "integer", "exclusiveMinimum": 0}
    assert TypeAdapter(NonNegative[float]).json_schema() == {"type": "number", "minimum": 0}
    assert TypeAdapter(Trimmed).json_schema() == {"type": "string", "minLength": 1}
    assert TypeAdapter(Id).json_schema() == {"type": "string", "pattern": "^(?![.]+$)[A-Za-z0-9._-]{1,64}$"}

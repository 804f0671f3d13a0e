import itertools
from collections import UserList, deque
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
from common_core.lists import CircularError, flatten
from hypothesis import given, settings
from hypothesis import strategies as st

UNHURRIED = settings(deadline=None)
leaves = (
    st.integers()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.none()
    | st.dictionaries(st.text(), st.lists(st.integers()))
)
nested = st.recursive(st.lists(leaves), lambda inner: st.lists(inner | leaves) | st.tuples(inner, leaves))


def by_recursion(value: Any) -> list[Any]:
    """The same by a way of its own, for what is shallow."""
    return [leaf for part in value for leaf in (by_recursion(part) if isinstance(part, list | tuple) else [part])]


@UNHURRIED
@given(nested)
def test_the_leaves_come_in_their_order(value: Any) -> None:
    assert list(flatten(value)) == by_recursion(value)


@UNHURRIED
@given(nested)
def test_flattening_twice_changes_nothing(value: Any) -> None:
    flat = list(flatten(value))
    assert list(flatten(flat)) == flat


@UNHURRIED
@given(nested, st.integers(0, 4))
def test_a_depth_opens_so_many_levels_and_no_more(value: Any, depth: int) -> None:
    step_by_step = list(value)
    for _ in range(depth):
        step_by_step = [leaf for part in step_by_step for leaf in (part if isinstance(part, list | tuple) else [part])]
    assert list(flatten(value, depth=depth)) == step_by_step


@pytest.mark.parametrize(
    "leaf", ["ab", b"ab", bytearray(b"ab"), memoryview(b"ab"), {"a": [1]}, MappingProxyType({"a": 1}), 1, None]
)
def test_text_bytes_mappings_and_single_values_are_leaves(leaf: Any) -> None:
    assert list(flatten([leaf, [leaf]])) == [leaf, leaf]


@pytest.mark.parametrize(
    "kind", [list, tuple, set, frozenset, deque, UserList, iter, lambda some: (one for one in some)]
)
def test_whatever_else_can_be_iterated_is_opened(kind: Any) -> None:
    assert list(flatten([0, kind([1, (2,)]), 3])) == [0, 1, 2, 3]
    assert list(flatten(kind([1, (2,)]))) == [1, 2]


@pytest.mark.parametrize("leaf", ["ab", b"ab", {"a": [1]}, 5])
def test_a_leaf_by_itself_is_its_only_leaf(leaf: Any) -> None:
    assert list(flatten(leaf)) == [leaf]


def test_nothing_is_taken_before_it_is_asked_for() -> None:
    taken: list[int] = []

    def endless() -> Iterator[Any]:
        for number in itertools.count():
            taken.append(number)
            yield [number]

    flat = flatten([[endless()], 1])
    assert taken == []
    assert list(itertools.islice(flat, 3)) == [0, 1, 2]
    assert taken == [0, 1, 2]


def test_a_hundred_thousand_levels_are_no_matter() -> None:
    deep: list[Any] = ["bottom"]
    for _ in range(100_000):
        deep = [deep]
    assert list(flatten(deep)) == ["bottom"]
    while deep[0] != "bottom":  # or the interpreter takes it apart by recursion
        deep = deep[0]


def circle(levels: int) -> list[Any]:
    inner: list[Any] = [1]
    outer: Any = inner
    for _ in range(levels):
        outer = [outer]
    inner.append(outer)
    return inner


@pytest.mark.parametrize("levels", [0, 1, 5])
def test_a_circle_is_an_error_that_says_how_long_it_is(levels: int) -> None:
    flat = flatten([0, circle(levels)])
    assert [next(flat), next(flat)] == [0, 1]
    with pytest.raises(CircularError, match=f"a list holds itself, {levels + 1} level"):
        next(flat)


def test_a_circle_that_the_depth_does_not_reach_is_none() -> None:
    itself: list[Any] = []
    itself.append(itself)
    assert list(flatten(itself, depth=0)) == [itself]


def test_a_generator_that_yields_itself_is_a_circle() -> None:
    def selfish() -> Iterator[Any]:
        yield generator

    generator = selfish()
    with pytest.raises(CircularError, match="a generator holds itself, 1 level down"):
        list(flatten(generator))


def test_the_same_list_side_by_side_is_no_circle() -> None:
    same = [1, 2]
    assert list(flatten([same, same, [same, [same]]])) == [1, 2] * 4


def test_lists_made_on_the_way_are_not_taken_for_a_circle() -> None:
    fresh = ([[number]] for number in range(1000))  # each is gone before the next is made, and may get its address
    assert list(flatten(fresh)) == list(range(1000))


def test_what_an_iterator_raises_comes_through() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise LookupError

    flat = flatten([failing()])
    assert next(flat) == 1
    with pytest.raises(LookupError):
        next(flat)


def test_a_negative_depth_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        flatten([], depth=-1)

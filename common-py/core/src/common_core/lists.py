"""Nested iterables made flat, one leaf at a time, however deep they are.

    >>> list(flatten([1, [2, (3, {4})], "five", {"six": [6]}, (n for n in (7, [8]))]))
    [1, 2, 3, 4, 'five', {'six': [6]}, 7, 8]
    >>> list(flatten([1, [2, [3, [4]]]], depth=1))
    [1, 2, [3, [4]]]

Strings, bytes and mappings are leaves, and so is whatever cannot be iterated. All else is opened: lists, tuples, sets,
generators, views. It is opened only when it is its turn, so that an endless generator is no harm to who stops in time.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


class CircularError(ValueError):
    """Something holds itself, and would never end. Twice the same list side by side is no circle."""


def flatten(nested: Any, *, depth: int | None = None) -> Iterator[Any]:
    """The leaves in order, lazily, without recursion. `depth` is how many levels inside the outermost are opened.

    A leaf by itself is its only leaf. Raises `CircularError` where something holds itself, ValueError for a negative
    depth, and what an iterator raises.

    >>> list(flatten([[1], [[2]]], depth=0))
    [[1], [[2]]]
    >>> same = [1]
    >>> list(flatten([same, [same]]))
    [1, 1]
    >>> same.append([same])
    >>> list(flatten(same))
    Traceback (most recent call last):
    common_core.lists.CircularError: a list holds itself, 2 levels down
    """
    if depth is not None and depth < 0:
        raise ValueError("depth is 0 or more")
    return iter((nested,)) if is_leaf(nested) else _leaves(nested, depth)


def is_leaf(value: object) -> bool:
    """Whether `flatten` leaves it as it is.

    >>> [is_leaf(value) for value in ("text", b"raw", {"a": 1}, 5, [], range(3))]
    [True, True, True, True, False, False]
    """
    return isinstance(value, str | bytes | bytearray | memoryview | Mapping) or not isinstance(value, Iterable)


def _leaves(nested: Iterable[Any], depth: int | None) -> Iterator[Any]:
    # What is open, outermost first: id → (the thing itself, held so that its id stays its own; its iterator).
    path: dict[int, tuple[object, Iterator[Any]]] = {id(nested): (nested, iter(nested))}
    while path:
        _, members = path[next(reversed(path))]
        for member in members:
            if is_leaf(member) or (depth is not None and len(path) > depth):
                yield member
                continue
            if id(member) in path:
                raise CircularError(_sentence(path, member))
            path[id(member)] = (member, iter(member))
            break
        else:
            path.popitem()


def _sentence(path: Mapping[int, object], member: object) -> str:
    levels = len(path) - list(path).index(id(member))
    return f"a {type(member).__name__} holds itself, {levels} level{'s' if levels > 1 else ''} down"

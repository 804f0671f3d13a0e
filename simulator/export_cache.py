"""What was used last, up to a bound."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Latest(Generic[Value]):
    """Keeps values until their costs together pass `most`; then the one that was not used for longest goes first.

    The value that was asked for last always stays. Not for several threads.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._cost = 0
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], tuple[Value, int]]) -> Value:
        """The value under `key`, made with its cost where it is not kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        value, cost = self._kept[key] = make()
        self._cost += cost
        while self._cost > self._most and len(self._kept) > 1:
            _, (_, freed) = self._kept.popitem(last=False)
            self._cost -= freed
        return value

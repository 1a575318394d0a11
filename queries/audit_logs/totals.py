"""Exact totals of the action log without a full count for every page."""

from collections import OrderedDict
from typing import Any


class Totals:
    """Totals of long lists, kept up with the log instead of counted again.

    The log only grows, and within a tenant in the order of `seq` (its writers queue), so a total counted up to one
    `seq` stays true of the rows up to there: only the newer ones are counted. Holds one entry a filter, the most
    recently used `size` of them.
    """

    def __init__(self, size: int = 512, worth: int = 1_000) -> None:
        self._size = size
        self._worth = worth
        self._known: OrderedDict[tuple[Any, ...], tuple[int, int]] = OrderedDict()

    def known(self, key: tuple[Any, ...]) -> tuple[int, int]:
        """The total so far and the `seq` that it was counted up to; (0, 0) when nothing is known."""
        found = self._known.get(key)
        if found is None:
            return 0, 0
        self._known.move_to_end(key)
        return found

    def keep(self, key: tuple[Any, ...], total: int, seq: int) -> None:
        """Remember a total, unless it is so small that counting is as quick as remembering."""
        if total < self._worth:
            return
        self._known[key] = (total, seq)
        self._known.move_to_end(key)
        while len(self._known) > self._size:
            self._known.popitem(last=False)

    def forget(self, key: tuple[Any, ...]) -> None:
        """Count this one from the start the next time."""
        self._known.pop(key, None)

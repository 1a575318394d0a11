"""Where deep pages of lists begin: remembered, so that who walks through a long list does not skip it all each time.

A place is a row of a list and how many rows stand before it. It holds while the tenant's history stands still, and for
seconds at most; what was remembered wrongly or not at all only costs the skipping.
"""

from collections import OrderedDict
from collections.abc import Hashable
from time import monotonic
from typing import Any

from msgspec import Struct

_SECONDS = 10.0
_LISTS = 500
_EACH = 64


class Place(Struct, frozen=True):
    """A row of a list: `offset` rows stand before it; `keys` are its sort keys as text, the id last."""

    offset: int
    seq: int
    keys: tuple[str, ...]
    until: float


class Places:
    """The places that this process remembers, those of the lists used last."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._lists: OrderedDict[Hashable, OrderedDict[int, Place]] = OrderedDict()

    def before(self, key: Hashable, offset: int) -> Place | None:
        """The last known place of a list that is not behind `offset`."""
        known = self._lists.get(key)
        if known is None:
            return None
        self._lists.move_to_end(key)
        now = monotonic()
        return max(
            (place for place in known.values() if place.offset <= offset and place.until > now),
            key=lambda place: place.offset,
            default=None,
        )

    def keep(self, key: Hashable, seq: int, found: list[tuple[int, Any]]) -> None:
        """Remember places (offset and keys) of a list as it was at `seq`."""
        known = self._lists.setdefault(key, OrderedDict())
        self._lists.move_to_end(key)
        for offset, keys in found:
            known[offset] = Place(offset, seq, tuple(keys), monotonic() + _SECONDS)
            known.move_to_end(offset)
        while len(known) > _EACH:
            known.popitem(last=False)
        while len(self._lists) > _LISTS:
            self._lists.popitem(last=False)

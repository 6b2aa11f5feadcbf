"""Keys that a door has posted lately: what is posted again under one never becomes an event of its own."""

from typing import Final

#: So many are known at least, and twice as many at most; some 70 bytes each.
MOST: Final = 50_000


class RecentKeys:
    """The latest keys, by stream: of two sets the older one goes when the newer one is full.

    Their hashes are kept, which nobody can foretell: should two ever be alike, one result says less.
    """

    def __init__(self) -> None:
        self._keys: set[int] = set()
        self._before: set[int] = set()

    def again(self, stream: str, key: str) -> bool:
        """Whether it was posted here before; it is from now on."""
        posted = hash((stream, key))
        keys = self._keys
        known = len(keys)
        keys.add(posted)
        if len(keys) == known:
            return True
        again = posted in self._before
        if known >= MOST - 1:
            self._before, self._keys = keys, set()
        return again

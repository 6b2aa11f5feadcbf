"""Keys that a door has posted lately: what is posted again under one never becomes an event of its own."""

from typing import Final

#: So many are known at least, and twice as many at most; some 100 bytes each.
MOST: Final = 50_000


class RecentKeys:
    """The latest keys, by stream: of two sets the older one goes when the newer one is full."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._before: set[str] = set()

    def again(self, stream: str, key: str) -> bool:
        """Whether it was posted here before; it is from now on."""
        posted = f"{stream} {key}"  # no stream has a space in it
        if posted in self._keys:
            return True
        if len(self._keys) >= MOST:
            self._before, self._keys = self._keys, set()
        self._keys.add(posted)
        return posted in self._before

"""Keys that a door has posted lately: what is posted again under one never becomes an event of its own."""

from collections.abc import Iterable, Sequence
from typing import Final

#: So many are known at least, and about twice as many at most; some 70 bytes each.
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
        return bool(self.again_of(stream, (key,)))

    def again_of(self, stream: str, keys: Sequence[str | None]) -> Sequence[int]:
        """Which of these (by number, from 0) were posted here before; all are from now on. None is no key."""
        salt = hash(stream)
        # Nearly always all of them are new: that is asked of many at once.
        posted = {hash(key) ^ salt for key in keys}
        now = self._keys
        if (
            None in keys
            or len(posted) < len(keys)
            or not (now.isdisjoint(posted) and self._before.isdisjoint(posted))
        ):
            return self._one_by_one(salt, keys)
        now |= posted
        self._forget()
        return ()

    def _one_by_one(self, salt: int, keys: Iterable[str | None]) -> list[int]:
        again: list[int] = []
        for number, key in enumerate(keys):
            if key is None:
                continue
            posted = hash(key) ^ salt
            if posted in self._keys or posted in self._before:
                again.append(number)
            self._keys.add(posted)
            self._forget()
        return again

    def _forget(self) -> None:
        if len(self._keys) >= MOST:
            self._before, self._keys = self._keys, set()

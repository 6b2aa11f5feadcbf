"""Which keys were seen within the window, by append time. A record read again is no repeat of itself."""

from typing import Final

_OFFSET_BITS: Final = 43
_OFFSET: Final = (1 << _OFFSET_BITS) - 1


class Repeats:
    """The keys of one ingest partition.

    Two generations, each as long as the window: a key is looked up in both, remembered in the younger, and
    the elder is dropped whole when it has run out. Forgetting costs nothing that way, and needs no timer.
    """

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}
        self._young_since = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def seen(self, key: str, append_ms: int, offset: int) -> bool:
        """Whether an accepted record before this one had this key within the window."""
        entry = self._young.get(key)
        if entry is None:
            entry = self._old.get(key)
            if entry is None:
                return False
        return append_ms - (entry >> _OFFSET_BITS) < self._window_ms and entry & _OFFSET < offset

    def first(self, key: str, append_ms: int, offset: int) -> tuple[int, int] | None:
        """Append time and offset of the record that makes this one a repeat; None where it is none."""
        if not self.seen(key, append_ms, offset):
            return None
        entry = self._young.get(key) or self._old[key]
        return entry >> _OFFSET_BITS, entry & _OFFSET

    def remember(self, key: str, append_ms: int, offset: int) -> None:
        """A record with this key was accepted."""
        if append_ms - self._young_since >= self._window_ms:
            # After a pause of two windows even the younger generation has run out.
            gone = append_ms - self._young_since >= 2 * self._window_ms
            self._old = {} if gone else self._young
            self._young, self._young_since = {}, append_ms
        self._young[key] = append_ms << _OFFSET_BITS | offset

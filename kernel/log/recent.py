"""Keys that a door has posted lately: what is posted again under one never becomes an event of its own."""

from collections import OrderedDict
from typing import Final

#: Some 200 bytes each.
MOST: Final = 50_000


class RecentKeys:
    """The latest keys, by stream."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[str, str], None] = OrderedDict()

    def again(self, stream: str, key: str) -> bool:
        """Whether it was posted here before; it is from now on."""
        posted = (stream, key)
        if posted in self._keys:
            return True
        self._keys[posted] = None
        if len(self._keys) > MOST:
            self._keys.popitem(last=False)
        return False

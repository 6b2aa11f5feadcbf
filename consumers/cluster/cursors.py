"""What each device has acknowledged, written to `touchline.cursors`: a record a stream, once a second."""

import contextlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from kernel.clock import Clock
from kernel.errors import TouchlineError
from schemas.codec import Codec

#: All that is held, whatever viewers do: some hundred bytes each.
MAX_CURSORS: Final = 100_000
#: Written at once and no more: what viewers publish goes through the same queue.
MAX_A_FLUSH: Final = 5_000

#: User, device and stream.
CursorKey = tuple[str, str, str]


class CursorBook:
    """Acknowledgements are cumulative, so of each device and stream the latest is all that is kept.

    A record is of one of these places, so that it replaces nothing which the device has acknowledged of other
    streams, here or at another edge.
    """

    def __init__(self, clock: Clock, codec: Codec, write: Callable[[str, bytes], None]) -> None:
        self._clock, self._codec, self._write = clock, codec, write
        self._acked: OrderedDict[CursorKey, int] = OrderedDict()
        #: In the order in which they changed: nobody waits behind those who acknowledge all the time.
        self._changed: dict[CursorKey, None] = {}

    def remember(self, user: str, device: str, stream: str, seq: int) -> None:
        """This device has seen everything of a stream up to here."""
        key = (user, device, stream)
        if seq > self._acked.get(key, -1):
            self._acked[key] = seq
            self._changed[key] = None
        self._acked.move_to_end(key)
        if len(self._acked) > MAX_CURSORS:
            self._forget_oldest()

    def flush(self, most: int | None = None) -> None:
        """Write what has changed; what does not go into a full queue is written the next time."""
        for key in list(self._changed)[:most]:
            try:
                self._write_one(key)
            except TouchlineError:
                return
            del self._changed[key]

    def _forget_oldest(self) -> None:
        oldest = next(iter(self._acked))
        if oldest in self._changed:
            with contextlib.suppress(TouchlineError):  # the device's next word makes up for it
                self._write_one(oldest)
            del self._changed[oldest]
        del self._acked[oldest]

    def _write_one(self, key: CursorKey) -> None:
        user, device, stream = key
        acked = {stream: self._acked[key]}
        value = {"user": user, "device": device, "at": self._clock.now_ms(), "acked": acked}
        self._write(key_of(key), self._codec.encode(value))


def key_of(key: CursorKey) -> str:
    """A JSON array: names of users and devices may hold any sign that one would put between them."""
    return msgspec.json.encode(key).decode()

"""What each device has acknowledged, written to `touchline.cursors`: the latest of each, once a second."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from kernel.clock import Clock
from schemas.codec import Codec

MAX_DEVICES: Final = 100_000
MAX_STREAMS: Final = 256


class CursorBook:
    """Acknowledgements are cumulative, so the latest of each stream is all that is kept."""

    def __init__(self, clock: Clock, codec: Codec) -> None:
        self._clock, self._codec = clock, codec
        #: A record replaces the one before it, so it holds all that the device has acknowledged here.
        self._devices: OrderedDict[tuple[str, str], dict[str, int]] = OrderedDict()
        self._changed: set[tuple[str, str]] = set()

    def remember(self, user: str, device: str, stream: str, seq: int) -> None:
        """This device has seen everything of a stream up to here."""
        key = (user, device)
        acked = self._devices.setdefault(key, {})
        self._devices.move_to_end(key)
        if seq > acked.get(stream, -1) and (stream in acked or len(acked) < MAX_STREAMS):
            acked[stream] = seq
            self._changed.add(key)
        if len(self._devices) > MAX_DEVICES:
            oldest, _ = self._devices.popitem(last=False)
            self._changed.discard(oldest)

    def flush(self, write: Callable[[str, bytes], None]) -> None:
        """Hand out what has changed since the last time, by key."""
        changed, self._changed = self._changed, set()
        for user, device in changed:
            acked = self._devices[user, device]
            value = {"user": user, "device": device, "at": self._clock.now_ms(), "acked": acked}
            write(f"{user}#{device}", self._codec.encode(value))

"""The latest position of everybody who is active, as it came: undecoded, until somebody's friend asks for it.

An edge reads all positions and needs few. Two generations, each as long as somebody stays active: a position
is looked up in both, kept in the younger, and the elder is dropped whole: forgetting costs nothing (0097).
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final, Self

from consumers.delivery.hub import Hub, Raw
from kernel.access.users import USER
from kernel.clock import Clock

_OWN: Final = USER.encode()
_LENGTH: Final = len(_OWN)


class Positions:
    """Of the channels of users; `heard` is called with those that somebody wants (channel -> record)."""

    def __init__(self, clock: Clock, active_s: float, awake: Collection[bytes]) -> None:
        """`awake` are the fan-out keys that are watched as streams: their records are passed on as well."""
        self._clock, self._active_s, self._awake = clock, active_s, awake
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}
        self._since = clock.monotonic()
        #: Channels whose positions concern a viewer here.
        self.wanted: set[bytes] = set()
        self.heard: Callable[[dict[bytes, bytes]], None] = lambda _: None

    @classmethod
    def of_hub(cls, hub: Hub, clock: Clock, active_s: float) -> Self:
        """Those that come by an edge's hub, which asks here how far streams are that it does not keep."""
        made = cls(clock, active_s, hub.awake)
        hub.passed_elsewhere = made.of_key
        return made

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def sift(self, records: Iterable[Raw]) -> list[Raw]:
        """Keep these; returns those that are streams' too."""
        if self._clock.monotonic() - self._since >= self._active_s:
            self._old, self._young, self._since = self._young, {}, self._clock.monotonic()
        rest: list[Raw] = []
        young, wanted, awake, found = self._young, self.wanted, self._awake, {}
        for raw in records:
            key = raw[1]
            if key[:_LENGTH] != _OWN:
                rest.append(raw)
                continue
            channel = key.partition(b"#")[0]
            young[channel] = raw[2]
            if channel in wanted:
                found[channel] = raw[2]
            if key in awake:
                rest.append(raw)
        if found:
            self.heard(found)
        return rest

    def get(self, channel: bytes) -> bytes | None:
        """The latest record of a user's channel."""
        return self._young.get(channel) or self._old.get(channel)

    def of_key(self, key: bytes) -> bytes | None:
        """The same by a fan-out key."""
        return self.get(key.partition(b"#")[0]) if key.startswith(_OWN) else None

    def forget(self, channel: bytes) -> None:
        """Nobody may have it any more."""
        self._young.pop(channel, None)
        self._old.pop(channel, None)

"""Broadcasts that somebody here waits for, found by their channels among all that an edge reads.

An edge reads the fan-out of all channels anyway: of these records only those are decoded whose channel is
waited for, of one of its shards. In a cell edges share the fan-out out among themselves; there the log of
broadcasts is read beside it, from when somebody first waits.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from consumers.cluster.partitions import Partition
from consumers.delivery.hub import Raw
from consumers.delivery.records import Decode, UnreadableRecord
from history.sources.log import readable
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, split_lane
from kernel.process.lines import Lines
from schemas.codec import Codec

_lines = Lines("touchline.feeds")
_BROADCAST: Final = b"broadcast:"
#: The header of a record's value, the length of the stream's name, and its kind end before.
_NAME_ENDS: Final = 5 + 2 + len(_BROADCAST)
#: Events that were told of: those of several versions of a channel's shards come more than once.
_REMEMBERED: Final = 10_000
_READY_S: Final = 5.0


class Heard(NamedTuple):
    """A broadcast."""

    #: Without the lane that it came by.
    channel: str
    seq: int
    type: str
    #: Its JSON object, as viewers see it.
    body: bytes
    sender: str | None = None


class Ear(Protocol):
    """Somebody who waits for broadcasts of a channel."""

    def hear(self, event: Heard) -> None:
        """One has come."""


class Thread(Protocol):
    """What reads the log of broadcasts."""

    def stop(self) -> None: ...

    def join(self, timeout: float | None = None) -> None: ...


class Broadcasts:
    """Who waits for broadcasts of which channel, at one edge."""

    def __init__(self, decode: Decode, codec: Codec, *, reads_all: bool) -> None:
        """`reads_all`: this edge reads the whole fan-out; else `reader` makes what reads the log."""
        self._decode, self._codec, self._reads_all = decode, codec, reads_all
        self._ears: dict[bytes, dict[Ear, None]] = {}
        self._told: OrderedDict[tuple[bytes, int], None] = OrderedDict()
        #: Makes and starts what reads the log of broadcasts (in a cell); it tells this one.
        self.read_log: Callable[[Broadcasts], Thread | None] = lambda _: None
        self.reader: Thread | None = None
        self._ready: asyncio.Event | None = None

    async def close(self) -> None:
        """End what reads the log."""
        if self.reader is not None:
            self.reader.stop()
            await asyncio.to_thread(self.reader.join)

    async def ready(self) -> None:
        """Return when nothing that comes from now on is missed. Raises `unavailable`."""
        if self._reads_all:
            return
        if self._ready is None:
            self._ready = asyncio.Event()
            self.reader = self.read_log(self)
        try:
            async with asyncio.timeout(_READY_S):
                await self._ready.wait()
        except TimeoutError:
            raise TouchlineError("unavailable", "Broadcasts are not read here yet: try again.") from None

    def listen(self, channel: str, ear: Ear) -> None:
        """Tell somebody of this channel's broadcasts."""
        self._ears.setdefault(channel.encode(), {})[ear] = None

    def ignore(self, channel: str, ear: Ear) -> None:
        """No more of it."""
        of_channel = self._ears.get(channel.encode())
        if of_channel is not None:
            of_channel.pop(ear, None)
            if not of_channel:
                del self._ears[channel.encode()]

    # ── what comes ───────────────────────────────────────────────────────────────────────────────────

    def sift(self, records: Iterable[Raw]) -> None:
        """Fan-out records, most of which nobody here waits for."""
        ears = self._ears
        if not ears or not self._reads_all:
            return
        for _, key, value in records:
            channel, _, shard = key.partition(b"#")
            if _base(channel) in ears and shard.endswith(b"#0") and _BROADCAST in value[:_NAME_ENDS]:
                try:
                    stream, seq, _, body, type_, sender, _, _ = self._decode(value)
                except UnreadableRecord:
                    continue  # the hub tells of it
                if stream.startswith("broadcast:"):
                    self._tell(channel, Heard(_base(channel).decode(), seq, type_, body, sender))

    def take(self, topic: str, records: list[Raw]) -> None:  # noqa: ARG002 - a Listener
        """Records of the log of broadcasts (it is its reader's Listener)."""
        for _, key, value in records:
            if _base(key) in self._ears:
                try:
                    event = self._codec.decode(value)
                    body = readable(Kind.BROADCAST, self._codec, value).body
                except TouchlineError as error:
                    _lines.error("a broadcast is not readable", error.code, why=error.message)
                    continue
                heard = Heard(_base(key).decode(), event["seq"], event["type"], body, event["sender"])
                self._tell(key, heard)

    def _tell(self, channel: bytes, event: Heard) -> None:
        what = (channel, event.seq)
        if what in self._told:
            return
        self._told[what] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        for ear in list(self._ears.get(_base(channel), ())):
            ear.hear(event)

    def assigned(self, partitions: set[Partition], whole: set[Partition], counts: dict[str, int]) -> None:  # noqa: ARG002
        """The log is read from here on."""
        if self._ready is not None:
            self._ready.set()

    def filled(self, partition: Partition) -> None:
        """Nothing of before is wanted."""

    def revoked(self, partitions: set[Partition]) -> None:
        """It reads all partitions: none is taken away."""

    def trouble(self, why: str) -> None:
        """The readers of the fan-out tell of it, too."""

    def failed(self, error: Exception) -> None:
        """Whoever waits asks for pages, until the edge is started again."""
        _lines.error("broadcasts are read no more", error=str(error))


def _base(channel: bytes) -> bytes:
    """The channel of a lane; any other as it is."""
    return split_lane(channel.decode("utf-8", "replace"))[0].encode() if b"~" in channel else channel

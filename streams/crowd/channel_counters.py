"""What channels are about, counted from what their partitions accept; told as a stream by a channel's owner.

A record a channel and partition, written before the offsets are committed that it rests on, so a crash
neither loses nor doubles what was said.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from control.crowd.counters import MOST_PARTS, Counters, Windows, counters_key, shown
from control.crowd.crowd import Crowd
from control.entity.fold import Written
from control.entity.tables import Tables
from control.entity.types import Stamp
from control.entity.writer import Writer, partition_of_key
from kernel.access.signing import Signer
from kernel.access.users import KEPT
from kernel.clock import Clock
from kernel.log.positions import Kind
from kernel.log.records import Write
from kernel.log.topics import TopicNames
from kernel.settings.reading import Settings
from schemas.ingest import make_ingest
from schemas.registry import codec_for

_EVERY_MS: Final = 10_000
#: Channels that are held; who turns very many on leaves the others uncounted for a moment.
_MOST: Final = 10_000
TYPE: Final = "counters"


class Heard(NamedTuple):
    """A message of a channel that counts."""

    channel: str
    sender: str | None
    text: str
    append_ms: int
    source: str
    offset: int


class ChannelCounters:
    """Those of this worker's partitions."""

    def __init__(
        self,
        settings: Settings,
        names: TopicNames,
        tables: Tables,
        crowd: Crowd,
        *,
        clock: Clock,
        owns: Callable[[str], bool],
        viewers: Callable[[str], int],
    ) -> None:
        """`owns` says whether this worker tells of a channel, `viewers` how many watch a stream."""
        self._clock, self._owns, self._viewers = clock, owns, viewers
        self._view = crowd.counters
        self._writer = Writer(tables)
        self._topic = names.ingest[Kind.BROADCAST]
        self._ingest, self._signer = codec_for(settings, "ingest-broadcast"), Signer(settings.auth)
        self._windows: dict[tuple[str, str], Windows] = {}
        self._changed: dict[tuple[str, str], None] = {}
        #: Channels of which there is something to tell, and what was told last, in which ten seconds.
        self._news: dict[str, None] = {}
        self._told: dict[str, int] = {}
        self._partitions = 0
        self._view.watch_all(self._heard_of)

    def opening(self, counters: int, broadcasts: int) -> None:
        """The topics of counters and of broadcasts have so many partitions; who has which is known anew."""
        self._writer.partitions = {self._view.type.topic: counters}
        self._partitions = broadcasts
        self._windows.clear()
        self._changed.clear()

    # ── what is counted ──────────────────────────────────────────────────────────────────────────────

    def said(self, partition: int, messages: Iterable[Heard]) -> None:
        """Messages that were accepted in a partition."""
        for one in messages:
            windows = self._of(one.channel, f"c{partition}", one.source, one.offset)
            if windows is not None:
                windows.said(one.sender, one.text, one.append_ms)

    def reacted(self, partition: int, channel: str, emoji: str, n: int, place: tuple[int, str, int]) -> None:
        """Reactions that were counted; `place`: append time, source and offset."""
        append_ms, source, offset = place
        windows = self._of(channel, f"r{partition}", source, offset)
        if windows is not None:
            windows.reacted(emoji, n, append_ms)

    def _of(self, channel: str, part: str, source: str, offset: int) -> Windows | None:
        """Where it counts; None: it is counted already."""
        of = (channel, part)
        windows = self._windows.get(of)
        if windows is None:
            if len(self._windows) >= _MOST:
                return None
            windows = self._windows[of] = Windows(self._view.get(counters_key(*of)))
        if offset < windows.places.get(source, 0):
            return None
        windows.places[source] = offset + 1
        self._changed[of] = None
        return windows

    def committing(self) -> list[Write]:
        """What is to be written before offsets are committed."""
        changed, self._changed = self._changed, {}
        return [write for of in changed for write in self._written(*of)]

    def _written(self, channel: str, part: str) -> list[Write]:
        key, type_ = counters_key(channel, part), self._view.type
        known = self._view.known(key)
        found = self._windows[channel, part].record(channel)
        stamp = Stamp(known.stamp.revision + 1, found.places)
        state = type_.with_stamp(found, stamp)
        written = Written(key, known._replace(state=state, stamp=stamp), type_.encode(state))
        return self._writer.write(type_, written)

    # ── what is told ─────────────────────────────────────────────────────────────────────────────────

    def _heard_of(self, _: bytes, counters: Counters | None) -> None:
        if counters is not None:
            self._news[counters.channel] = None

    def look(self) -> list[Write]:
        """Tell how channels of this worker stand, each every ten seconds while something happens there."""
        now_ms = self._clock.now_ms()
        slot, writes = now_ms // _EVERY_MS, list[Write]()
        for channel in list(self._news):
            if not self._owns(channel) or channel.startswith(KEPT):
                del self._news[channel]
            elif self._told.get(channel) != slot:
                said = self._shown(channel, now_ms)
                if not (said["messages_per_min"] or said["emoji"]):
                    del self._news[channel]
                    self._told.pop(channel, None)
                    continue
                self._told[channel] = slot
                writes.append(self._event(channel, said, slot))
        return writes

    def _shown(self, channel: str, now_ms: int) -> dict[str, Any]:
        viewers = max(self._viewers(f"{kind}:{channel}") for kind in (Kind.CHAT, Kind.BROADCAST))
        return {"viewers": viewers, **shown(self._parts(channel), now_ms)}

    def _parts(self, channel: str) -> list[Counters]:
        return [part for _, part in self._view.scan(counters_key(channel, ""), limit=MOST_PARTS)]

    def _event(self, channel: str, said: dict[str, Any], slot: int) -> Write:
        event = make_ingest(Kind.BROADCAST, TYPE, said, sender="touchline", key=f"{TYPE}:{slot}")
        value, key = self._ingest.encode(event), channel.encode()
        headers = self._signer.headers(Kind.BROADCAST, channel, value)
        return Write(self._topic, value, key, partition_of_key(key, self._partitions), headers=headers)

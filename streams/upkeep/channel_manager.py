"""Reshards channels as their audiences grow and shrink, publishes audiences, and reports hot partitions."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from itertools import chain
from typing import NamedTuple, TypeVar

import msgspec

from control.channels.channel import LEAD_MS, ChannelRecord, with_retired, with_shards
from control.channels.lists import SPREAD
from control.edges.presence import TOTAL_KEY, Slot, by_channel, by_stream, by_version, totals
from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.fairness.turns import TURN_S
from kernel.log.positions import Kind, Stream, is_channel, partition_of
from kernel.log.records import Write
from kernel.log.topics import topic_names
from kernel.process.logs import get_logger
from kernel.process.metrics import AUDIENCE, EDGES, HOT_PARTITION, RESHARDED
from kernel.settings.reading import Settings
from schemas.registry import codec_for
from streams.upkeep.hot_partitions import Hot
from streams.upkeep.shard_planning import Policy, is_due, reshard_due, retirable
from streams.worker import Worker

T = TypeVar("T")
_log = get_logger("touchline.channels")

#: What concerns operators is published on this channel, too: `touchline watch broadcast:touchline-ops`.
OPS_CHANNEL = "touchline-ops"
#: Over how long traffic is compared: a worker that catches up reads its partitions in large pieces.
_HOT_WINDOW_S = 10.0
#: For so long records are read in a look: of those that are as large as may be some twenty.
_READ_S = 0.02
#: So many slots are summed up on the loop.
_QUICK = 2000
#: A hot partition is published again after so long.
_TELL_AGAIN_S = 60.0


class Sums(NamedTuple):
    """What viewers come to: of each stream, of each channel, and of its versions."""

    streams: Counter[str]
    channels: dict[str, int]
    versions: dict[str, Counter[int]]
    #: The channels, those with most viewers first.
    order: list[str]


async def summed(viewers: Mapping[Slot, int]) -> Sums:
    """Of all slots."""

    def sum_up() -> Sums:
        channels = by_channel(viewers)
        order = sorted(filter(is_channel, channels), key=lambda name: (-channels[name], name))
        return Sums(by_stream(viewers), channels, by_version(viewers), order)

    return await _beside(len(viewers), sum_up)


async def _beside(slots: int, make: Callable[[], T]) -> T:
    """Beside the loop, where it is about many: sixty thousand took it a tenth of a second and more."""
    return await asyncio.to_thread(make) if slots > _QUICK else make()


class ChannelManager:
    """Called every other second; what it decides is about the channels that its worker owns."""

    def __init__(self, settings: Settings, clock: Clock, worker: Worker) -> None:
        stream = settings.stream
        self._clock, self._worker = clock, worker
        self._policy = Policy(stream.viewers_per_shard, stream.max_shards, round(stream.shard_hold_s * 1000))
        self._audience_every_s = stream.audience_every_s
        names = topic_names(settings)
        self._ingest, self._presence_topic = names.ingest, names.presence
        self._presence = codec_for(settings, "presence")
        self._audiences = worker.state.presence
        self._spreads = worker.spreads
        self._signer = Signer(settings.auth)
        if not self._signer.able:
            _log.warning(
                "nothing can be signed: alerts, audiences and hot partitions are refused",
                hint="set TOUCHLINE_AUTH_INTERNAL_SECRET, the same for all roles",
            )
        self._published: dict[str, int] = {}
        self._published_totals: Mapping[Slot, int] = {}
        self._published_at = clock.monotonic()
        self._looked = clock.monotonic()
        self._hot_told: dict[tuple[str, int], float] = {}

    async def look(self) -> None:
        """Look after everything once, in turns: there may be as many audiences as viewers."""
        now = self._clock.monotonic()
        viewers = self._audiences.viewers()
        EDGES.set(self._audiences.edges())
        AUDIENCE.set(viewers.total())
        sums = await summed(viewers)
        await self._reshard(sums)
        await self._publish_audience(viewers, sums, now)
        self._worker.write(self._hot(now))

    async def _reshard(self, sums: Sums) -> None:
        now_ms = self._audiences.broker_ms()
        registry, audiences, kept = self._worker.registry, sums.channels, set[str]()
        others = [name for name in registry.names_listed(SPREAD) if name not in audiences]
        until = self._clock.monotonic() + _READ_S
        # The largest audiences first: whose record was not read yet, and finds no time, has its turn later.
        async for name in self._in_turns(chain(sums.order, filter(is_channel, others))):
            kept.add(name)
            spread = self._spreads.of(name, read=self._clock.monotonic() < until)
            watching = audiences.get(name, 0)
            of_versions: Mapping[int, int] = sums.versions.get(name, {})
            if spread is None or not is_due(spread, watching, of_versions, now_ms, self._policy):
                continue
            before = registry.channel(name)
            after = self._changed(before, watching, of_versions, now_ms)
            if after is not before:
                self._worker.write(registry.write(after))
        self._spreads.only(kept)

    async def _in_turns(self, names: Iterable[str]) -> AsyncIterator[str]:
        """Those that are still this worker's when their turn comes."""
        ends = self._clock.monotonic() + TURN_S
        for name in names:
            if self._clock.monotonic() >= ends:
                await asyncio.sleep(0)
                ends = self._clock.monotonic() + TURN_S
            if self._worker.owns(name):
                yield name

    def _changed(
        self, record: ChannelRecord, viewers: int, by_version_: Mapping[int, int], now_ms: int
    ) -> ChannelRecord:
        shards = reshard_due(record, viewers, now_ms, self._policy)
        if shards is not None:
            _log.info("resharding", channel=record.channel, viewers=viewers, shards=shards)
            RESHARDED.labels("added").inc()
            record = with_shards(record, shards, now_ms)
        for version in retirable(record, by_version_, now_ms, self._policy):
            _log.info("version retired", channel=record.channel, version=version)
            RESHARDED.labels("retired").inc()
            record = with_retired(record, version, now_ms + LEAD_MS)
        return record

    async def _publish_audience(self, viewers: Mapping[Slot, int], sums: Sums, now: float) -> None:
        if not self._audience_every_s or now < self._published_at + self._audience_every_s:
            return
        self._published_at = now
        self._worker.write(await self._totals(viewers))
        before, published = self._published, dict[str, int]()
        # Who has nobody left is published so, once.
        left = [name for name, n in before.items() if n and name not in sums.channels]
        async for name in self._in_turns(chain(sums.order, left)):
            count = published[name] = sums.channels.get(name, 0)
            if before.get(name) != count:
                kinds: dict[str, int] = {kind: sums.streams[str(Stream(kind, name))] for kind in Kind}
                self._worker.write([self._post(name, "audience", {"viewers": count, **kinds})])
        self._published = published

    async def _totals(self, viewers: Mapping[Slot, int]) -> list[Write]:
        """All viewers, on touchline.presence: by one worker, and only where something has changed."""
        if viewers == self._published_totals or not self._worker.owns(OPS_CHANNEL):
            return []
        self._published_totals = Counter(viewers)
        at_ms = self._audiences.broker_ms()
        value = await _beside(len(viewers), lambda: self._presence.encode(totals(viewers, at_ms)))
        return [Write(self._presence_topic, value, TOTAL_KEY.encode(), 0)]

    def _hot(self, now: float) -> list[Write]:
        seconds = now - self._looked
        if seconds < _HOT_WINDOW_S:
            return []
        self._looked = now
        mine = Counter(place.topic for place in self._worker.positions)
        found = self._worker.traffic.look(seconds, mine)
        HOT_PARTITION.clear()
        writes = []
        for hot in found:
            HOT_PARTITION.labels(hot.topic, hot.partition).set(hot.times_share)
            place = (hot.topic, hot.partition)
            if now >= self._hot_told.get(place, -_TELL_AGAIN_S) + _TELL_AGAIN_S:
                self._hot_told[place] = now
                _log.warning("hot partition", **hot._asdict())
                writes.append(self._post(OPS_CHANNEL, "hot_partition", _shown(hot)))
        return writes

    def _post(self, channel: str, type_: str, data: Mapping[str, object]) -> Write:
        topic = self._ingest[Kind.BROADCAST]
        value = msgspec.json.encode({"type": type_, "sender": "touchline", "data": data})
        partition = partition_of(channel, self._worker.partitions[topic])
        headers = self._signer.headers(Kind.BROADCAST, channel, value)
        return Write(topic, value, channel.encode(), partition, headers=headers)


def _shown(hot: Hot) -> dict[str, object]:
    shown: dict[str, object] = json.loads(json.dumps(hot._asdict()))
    return shown | {"per_s": round(hot.per_s), "times_share": round(hot.times_share, 1)}

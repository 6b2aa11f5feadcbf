"""What a worker does with what it reads: a judge for each ingest partition, owners for all other inputs."""

import asyncio
from collections.abc import Mapping
from typing import Final

from control.channels.epochs import Epoch, Epochs
from control.entity.tables import Tables
from control.state import ControlState
from kernel.access.signing import Signer
from kernel.access.users import AUDIT, NOTIFY, ROOM
from kernel.clock import Clock
from kernel.log.cluster import Cluster
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, Stream, partition_of
from kernel.log.records import Partition, Write
from kernel.log.topics import topic_names
from kernel.process.health import Health
from kernel.process.logs import get_logger
from kernel.process.metrics import ACCEPTED, REJECTED, REPEATED, REPLACED, STREAM_LATENCY
from kernel.settings.reading import Settings
from schemas.registry import catalog_for
from streams.fences.watching import Watching
from streams.fold.channels import Channels
from streams.fold.checks.fair_shares import Shares, rates_of
from streams.fold.checks.moves import Moves
from streams.fold.checks.repeats import Repeats
from streams.fold.judge import Judge
from streams.fold.memory import Memory, Outcome
from streams.owned.owners import Owners
from streams.recovery.epoch_agreement import agree_on_epochs
from streams.recovery.restore import restore
from streams.transport.batch import PartitionBatch
from streams.transport.sink import Sink
from streams.upkeep.audiences import Spreads
from streams.upkeep.hot_partitions import Traffic

_log = get_logger("touchline.stream")
#: Of the records that there may be: who posts to new channels without end leaves them to who sets something.
_KEPT_FOR_SETTINGS: Final = 0.1
#: Kinds whose channels are registered by their first event. Every user may be a location channel: they are
#: too many, and there is nothing to know of them until somebody sets something.
_REGISTERED: Final = frozenset({Kind.BROADCAST, Kind.CHAT})


class Worker:
    """A worker's state, and its duties towards the transport (`streams.app.Work`)."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        health: Health,
        sink: Sink,
        state: ControlState,
        *,
        tables: Tables,
    ) -> None:
        self._settings, self._clock, self._health, self._sink = settings, clock, health, sink
        self._names = topic_names(settings)
        self._kind_of = {topic: kind for kind, topic in self._names.ingest.items()}
        self._cluster = Cluster(settings)
        # Looking a labelled metric up costs as much as judging a tenth of an event: at low traffic, in small
        # slices, that shows.
        self._accepted = {kind: ACCEPTED.labels(kind) for kind in Kind}
        self._judges: dict[Partition, Judge] = {}
        self._channels: dict[Kind, Channels] = {}
        self.positions: dict[Partition, int] = {}
        self.partitions: dict[str, int] = {}
        self.traffic = Traffic()
        self._tables = tables
        channels = state.channels
        self.state, self.registry = state, channels
        channels.on_change.append(self._forget)
        channel_type = channels.view.type
        self._owners = Owners(
            *(settings, self._names, tables, state, clock),
            partitions=lambda: self.partitions,
            has=self._has,
            forget=self._forget,
            write=self.write,
        )
        self.scheduled, self.crowd = self._owners.scheduled, self._owners.crowd
        self.owns, changes = self._owners.owns, self._owners.changes
        channels.writes_by(lambda written: changes.write(channel_type, written))
        moderated, view = state.moderation.sanctions, channels.view
        moderated.still_used = lambda key: any(
            key.removesuffix(b"\0") in channels.known for channels in self._channels.values()
        )
        view.on_stale = lambda key, known: self.write(changes.rewrite(channel_type, key, known))
        #: Who looks at them, goes by what was read until it changes.
        self.spreads = Spreads(channels)
        view.still_used = lambda key: (
            key.decode("utf-8", "replace") in self.spreads
            or any(key in channels.known for channels in self._channels.values())
        )
        self._signer = Signer(settings.auth)
        self._watching = Watching(
            *(settings, self._names, tables), consent=state.consent, clock=clock, write=self.write
        )

    @property
    def topics(self) -> frozenset[str]:
        """What a worker reads in turns."""
        return frozenset(self._kind_of) | self._owners.topics

    def _has(self, stream: Stream) -> bool:
        """Whether the stream's partition is this worker's."""
        topic = self._names.ingest[stream.kind]
        partitions = self.partitions.get(topic, 0)
        return partitions > 0 and Partition(topic, partition_of(stream.channel, partitions)) in self._judges

    # ── partitions come and go ─────────────────────────────────────────────────────────────────────────

    async def opening(self, starts: Mapping[Partition, int]) -> Mapping[Partition, int]:
        starts = {place: max(0, start) for place, start in starts.items()}
        self.partitions = await asyncio.to_thread(self._cluster.partitions)
        await self._owners.opening(starts, self._cluster, self._sink)
        sink = self._sink if Partition(self._names.control, 0) in starts else None
        epochs = await agree_on_epochs(self._cluster, self.registry, sorted(self._kind_of), self._clock, sink)
        self._channels = {kind: self._new_channels(kind, epochs) for kind in Kind}
        ingest = {place: start for place, start in starts.items() if place.topic in self._kind_of}
        kept = {p: j for p, j in self._judges.items() if ingest.get(p, -1) == self.positions.get(p)}
        self._judges = {place: self._judge(place, epochs, kept.get(place)) for place in ingest}
        new = {place: start for place, start in ingest.items() if place not in kept}
        # What a worker before this one has counted is in the table then.
        counted = asyncio.create_task(self._tables.at_end())
        read = await asyncio.to_thread(
            restore,
            client_config(self._settings),
            {place: self._judges[place] for place in new},
            new,
            lambda place: self._names.events[self._kind_of[place.topic]],
            window_ms=self._window_ms,
            now_ms=self._clock.now_ms(),
        )
        await counted
        await asyncio.to_thread(self._watching.load)
        self._watching.loaded()
        self._watching.opening(self.partitions, ingest, kept)
        self.crowd.opening(starts, self.positions)
        self.scheduled.opening()
        self.positions = dict(starts)
        self._health.ok("partitions")
        _log.info("reading", partitions=len(starts), taken_over=len(new), events_recalled=read)
        return starts

    async def closing(self) -> None:
        self._health.fail("partitions", "the group is sharing them out")

    def _new_channels(self, kind: Kind, epochs: Mapping[str, list[Epoch]]) -> Channels:
        ingest = epochs[self._names.ingest[kind]][-1].partitions
        fanout = self.partitions[self._names.fanout(kind)]
        record_of, sanctions = self.registry.channel, self._owners.moderators.of
        return Channels(kind, record_of, ingest=ingest, fanout=fanout, sanctions=sanctions)

    def _judge(self, place: Partition, epochs: Mapping[str, list[Epoch]], kept: Judge | None) -> Judge:
        kind = self._kind_of[place.topic]
        return Judge(
            kind,
            place.partition,
            names=self._names,
            channels=self._channels[kind],
            epochs=Epochs(epochs[place.topic], place.partition),
            memory=kept.memory if kept else self._new_memory(kind),
            catalog=catalog_for(self._settings),
            answers=self.partitions.get(self._names.answers, 0),
            attachments=self.partitions.get(self._names.attachments, 0),
            retractions=self.partitions.get(self._names.retractions, 0),
            reactions=self.partitions.get(self._names.reactions, 0),
            signer=self._signer,
            traces=self._settings.traces.sample > 0,
            auditing=self._owners.auditing,
            pinning=self._owners.pinning,
            rooms=self._owners.members.fold if kind is Kind.CHAT else None,
            tallies=self._owners.inboxes.tallies,
        )

    def _new_memory(self, kind: Kind) -> Memory:
        return Memory(
            Repeats(self._window_ms),
            shares=Shares(rates_of(self._settings.stream)),
            counts=self._owners.counting.states(kind),
            moves=Moves(self._window_ms, self._settings.nearby.max_speed_m_s),
        )

    @property
    def _window_ms(self) -> int:
        return round(self._settings.stream.repeat_window_s * 1000)

    def _forget(self, channel: str) -> None:
        for channels in self._channels.values():
            channels.forget(channel)
        self.crowd.forget(channel)

    # ── records ────────────────────────────────────────────────────────────────────────────────────────

    def fold(self, batches: list[PartitionBatch]) -> list[Write]:
        writes: list[Write] = []
        eldest_ms = 0
        for place, records in batches:
            judge = self._judges.get(place)
            outcome = Outcome(self._owners.fold(place, records)) if judge is None else judge.fold(records)
            self.positions[place] = records[-1].offset + 1
            if judge is None:
                for reason, count in outcome.rejected.items():
                    REJECTED.labels(reason).inc(count)
            else:
                self._note(judge.kind, outcome)
                outcome.writes += self._watching.crossed(place.partition, outcome.moved)
                self.crowd.counters.said(place.partition, outcome.said)
                self.traffic.note(place.topic, place.partition, outcome.accepted)
                eldest_ms = min(eldest_ms or records[0].append_ms, records[0].append_ms)
            writes += outcome.writes
        if eldest_ms:
            STREAM_LATENCY.observe(max(0, self._clock.now_ms() - eldest_ms) / 1000)
        return writes

    def committing(self, offsets: Mapping[Partition, int]) -> list[Write]:
        """What is to be kept of the streams before these offsets are committed."""
        writes: list[Write] = []
        for place, judge in self._judges.items():
            if place in offsets:
                writes += self._owners.counting.keep(judge.memory.counts.take(offsets[place]).values())
        return [*writes, *self._watching.committing(offsets), *self.crowd.committing(offsets)]

    def write(self, writes: list[Write]) -> None:
        """Write what no record caused."""
        self._sink.write_apart(writes)

    def look(self) -> None:
        """Take away what is kept of what is no more; close polls whose time is over."""
        self.write(self._owners.sweep(self._clock.now_ms()))

    async def keep_bounds(self) -> None:
        """End the friendships and fences that are too many."""
        bounds, written, at_end = self._owners.nearby.bounds, self._sink.barrier, self._tables.at_end
        self.write(await bounds.look(written=written, at_end=at_end, partitions=self.partitions))

    @property
    def _room_for_channels(self) -> bool:
        """Every role has all channels on its disk: who posts to new ones without end does not fill it."""
        return len(self.registry) < self._settings.stream.max_channels * (1 - _KEPT_FOR_SETTINGS)

    def _note(self, kind: Kind, outcome: Outcome) -> None:
        if outcome.accepted:
            self._accepted[kind].inc(outcome.accepted.total())
            if kind in _REGISTERED:
                for key in outcome.accepted:
                    name = key.decode()
                    if name.startswith((ROOM, NOTIFY, AUDIT)):
                        continue  # a room has a record of its own; of what users are told nothing is set
                    if name not in self.registry and self._room_for_channels:
                        # A channel is made by its first event, be it on a lane.
                        outcome.writes += self.registry.write(self.registry.channel(name))
        if outcome.repeated:
            REPEATED.labels(kind).inc(outcome.repeated)
        if outcome.replaced:
            REPLACED.labels(kind).inc(outcome.replaced)
        for reason, count in outcome.rejected.items():
            REJECTED.labels(reason).inc(count)

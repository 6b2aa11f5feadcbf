"""What a worker does with what it reads: a judge for each ingest partition, and commands about channels."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from control.channels.epochs import Epoch, Epochs
from control.channels.table import State, fold_of
from control.commands.checks import COMMANDS
from control.counts import count_type
from control.entity.fold import EntityFold
from control.entity.owner import Owner
from control.entity.tables import Tables
from control.entity.types import EntityType, source_of
from control.revocations import Revocations
from control.state import ControlState
from kernel.access.signing import Signer
from kernel.access.users import AUDIT, NOTIFY, ROOM
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.cluster import Cluster
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, Stream, partition_of
from kernel.log.records import Partition, Record, Write
from kernel.log.topics import topic_names
from kernel.process.health import Health
from kernel.process.lines import Lines
from kernel.process.logs import get_logger
from kernel.process.metrics import ACCEPTED, COMMANDS_REFUSED, REJECTED, REPEATED, REPLACED, STREAM_LATENCY
from kernel.settings.reading import Settings
from schemas.registry import catalog_for, codec_for
from schemas.rejections import Rejections
from streams.crowd.owner import CrowdOwner
from streams.fences.watching import Watching
from streams.fold.channels import Channels
from streams.fold.checks.moves import Moves
from streams.fold.checks.repeats import Repeats
from streams.fold.checks.shares import Shares, rates_of
from streams.fold.judge import Judge
from streams.fold.memory import Memory, Outcome
from streams.fold.outputs.auditing import Auditing
from streams.owned.counting import Counting
from streams.owned.feeds import FeedsOwner
from streams.owned.inboxes import InboxOwner
from streams.owned.members import Members
from streams.owned.moderators import Moderators, erased_in
from streams.owned.nearby import NearbyOwner
from streams.owned.scheduled import Posting
from streams.recovery.agreeing import agree_on_epochs
from streams.recovery.restore import restore
from streams.transport.batch import PartitionBatch
from streams.transport.sink import Sink
from streams.upkeep.hot import Traffic
from streams.upkeep.spreads import Spreads

_log = get_logger("touchline.stream")
_lines = Lines("touchline.stream")
#: Of the records that there may be: who posts to new channels without end leaves them to who sets something.
_KEPT_FOR_SETTINGS: Final = 0.1
#: Kinds whose channels are registered by their first event. Every user may be a location channel: they are
#: too many, and there is nothing to know of them until somebody sets something.
_REGISTERED: Final = frozenset({Kind.BROADCAST, Kind.CHAT})
_FULL: Final = "There are as many channels as TOUCHLINE_STREAM_MAX_CHANNELS allows"


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
        self._tables, self._control = tables, codec_for(settings, "control")
        self._rejections = Rejections(self._names.rejected, catalog_for(settings))
        channels = state.channels
        self.state, self.registry = state, channels
        channels.on_change.append(self._forget)
        channel_type = channels.view.type
        self._changes = self._owner(self._names.changes, tables, channel_type, source_of)
        # What was posted before there were changes counts too; its places in the records are of that time.
        self._commands = self._owner(self._names.control, tables, channel_type, lambda _, number: str(number))
        self._counting = Counting(count_type(settings), tables, owns=self._has, write=self.write)
        channels.writes_by(lambda written: self._changes.write(channel_type, written))
        self._members = Members(settings, self._names, tables, state.rooms, lambda: self.partitions)
        self._members.writes_late(self.write, self._changes)
        self._rooms = self._members.fold
        self._inboxes = InboxOwner(
            *(settings, self._names, tables, state.rooms),
            of_rooms=self._members.owner,
            refuse=self._refuse,
            partitions=lambda: self.partitions,
        )
        self._inboxes.writes_late(self.write)
        self._moderators = Moderators(state.moderation, self._forget)
        self._moderators.writes_late(self.write, self._changes)
        self._nearby = NearbyOwner(settings, state.consent, self.write, self._changes, clock)
        feeds = FeedsOwner(settings, state, self.write, self._changes)
        self.scheduled = Posting(
            *(settings, self._names, state.schedule, self._changes, clock),
            partitions=lambda: self.partitions,
            write=self.write,
        )
        owners = (self._members, self._moderators, self._nearby, feeds, self.scheduled)
        self._of_users = {name: how for owner in owners for name, how in owner.folds.items()}
        self.crowd = CrowdOwner(
            *(settings, self._names, tables, state.crowd),
            clock=clock,
            channel=channels.channel,
            sanctions=self._moderators.of,
            partitions=lambda: self.partitions,
            owns=self.owns,
            viewers=state.presence.watching,
            write=self.write,
        )
        moderated, view = state.moderation.sanctions, channels.view
        moderated.still_used = lambda key: any(
            key.removesuffix(b"\0") in channels.known for channels in self._channels.values()
        )
        view.on_stale = lambda key, known: self.write(self._changes.rewrite(channel_type, key, known))
        #: Who looks at them, goes by what was read until it changes.
        self.spreads = Spreads(channels)
        view.still_used = lambda key: (
            key.decode("utf-8", "replace") in self.spreads
            or any(key in channels.known for channels in self._channels.values())
        )
        self._signer = Signer(settings.auth)
        broadcasts = self._names.ingest[Kind.BROADCAST]
        self._auditing = Auditing(broadcasts, lambda: self.partitions.get(broadcasts, 0), self._signer)
        self._watching = Watching(
            *(settings, self._names, tables), consent=state.consent, clock=clock, write=self.write
        )

    @property
    def topics(self) -> frozenset[str]:
        """What a worker reads in turns."""
        ours = {self._names.control, self._names.changes, self.crowd.topic}
        return frozenset(self._kind_of) | ours | self._inboxes.topics

    def owns(self, channel: str) -> bool:
        """Whether this worker is the one that changes the channel's record."""
        return self._changes.owns(channel.encode())

    def _has(self, stream: Stream) -> bool:
        """Whether the stream's partition is this worker's."""
        topic = self._names.ingest[stream.kind]
        partitions = self.partitions.get(topic, 0)
        return partitions > 0 and Partition(topic, partition_of(stream.channel, partitions)) in self._judges

    # ── partitions come and go ─────────────────────────────────────────────────────────────────────────

    async def opening(self, starts: Mapping[Partition, int]) -> Mapping[Partition, int]:
        starts = {place: max(0, start) for place, start in starts.items()}
        self.partitions = await asyncio.to_thread(self._cluster.partitions)
        await self._open_owners(starts)
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

    async def _open_owners(self, starts: Mapping[Partition, int]) -> None:
        names = self._names
        of_rooms = [names.rooms, names.user_rooms, names.blocks, names.places, names.tallies]
        of_nearby = [names.friends, names.sharing, names.fences]
        of_feeds = [names.follows, names.notifying, names.webhooks]
        of_moderators = [names.sanctions, names.reports]
        states = [
            names.channels,
            names.scheduled,
            *of_rooms,
            *of_nearby,
            *of_feeds,
            *of_moderators,
            *self.crowd.states,
        ]
        chat = names.ingest[Kind.CHAT]
        inputs = [names.changes, names.control, names.acks, names.reactions, chat]
        topics = [*inputs, names.counts, names.inside, *states]
        await self._sink.learn(topics)
        now = await asyncio.to_thread(self._cluster.describe, topics)
        for topic, owner in (
            (names.changes, self._changes),
            (names.control, self._commands),
            (chat, self._members.owner),
            (names.acks, self._inboxes.places),
            (names.reactions, self.crowd.owner),
        ):
            await owner.opening(
                [place.partition for place in starts if place.topic == topic],
                topic_id=now[topic].topic_id,
                inputs=now[topic].partitions,
                partitions={name: now[name].partitions for name in states},
            )
        self._counting.opening(now[names.counts].partitions)

    async def closing(self) -> None:
        self._health.fail("partitions", "the group is sharing them out")

    def _new_channels(self, kind: Kind, epochs: Mapping[str, list[Epoch]]) -> Channels:
        ingest = epochs[self._names.ingest[kind]][-1].partitions
        fanout = self.partitions[self._names.fanout(kind)]
        record_of, sanctions = self.registry.channel, self._moderators.of
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
            auditing=self._auditing,
            rooms=self._rooms if kind is Kind.CHAT else None,
            tallies=self._inboxes.tallies if kind is Kind.CHAT else None,
        )

    def _new_memory(self, kind: Kind) -> Memory:
        return Memory(
            Repeats(self._window_ms),
            shares=Shares(rates_of(self._settings.stream)),
            counts=self._counting.states(kind),
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
            outcome = Outcome(self._fold_inputs(place, records)) if judge is None else judge.fold(records)
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
                writes += self._counting.keep(judge.memory.counts.take(offsets[place]).values())
        return [*writes, *self._watching.committing(offsets), *self.crowd.committing(offsets)]

    def write(self, writes: list[Write]) -> None:
        """Write what no record caused."""
        self._sink.write_apart(writes)

    def look(self) -> None:
        """Take away what is kept of what is no more; close polls whose time is over."""
        swept = [*self._members.sweep(self._clock.now_ms()), *self.crowd.sweep()]
        self.write([*swept, *self.crowd.look()])

    async def keep_bounds(self) -> None:
        """End the friendships and fences that are too many."""
        bounds, written, at_end = self._nearby.bounds, self._sink.barrier, self._tables.at_end
        self.write(await bounds.look(written=written, at_end=at_end, partitions=self.partitions))

    @property
    def _room_for_channels(self) -> bool:
        """Every role has all channels on its disk: who posts to new ones without end does not fill it."""
        return len(self.registry) < self._settings.stream.max_channels * (1 - _KEPT_FOR_SETTINGS)

    def _check_room(self, channel: str) -> None:
        if channel not in self.registry and len(self.registry) >= self._settings.stream.max_channels:
            raise TouchlineError("limit_reached", f"{_FULL}: nothing can be set for another one.")

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

    # ── commands ───────────────────────────────────────────────────────────────────────────────────────

    def _owner(
        self, topic: str, tables: Tables, type_: EntityType[State], source: Callable[[str, int], str]
    ) -> Owner:
        fold = fold_of(type_, self._check_room)

        def route(command: dict[str, Any]) -> EntityFold[Any]:
            if (of_users := self._of_users.get(command["command"])) is not None:
                return of_users
            if command["command"] not in COMMANDS:
                raise TouchlineError("bad_request", f"There is no command {command['command'][:40]!r}.")
            return fold

        return Owner(
            topic, tables, decode=self._control.decode, route=route, refuse=self._refuse, source=source
        )

    def _fold_inputs(self, place: Partition, records: list[Record]) -> list[Write]:
        if place.topic == self._names.changes:
            folded = self._changes.fold(place, records)
            origin = self._changes.origin
            folded += self._auditing.orders(
                records, self._control.decode, lambda record: "{}:{}".format(*origin(place, record))
            )
            return [*folded, *self._inboxes.erased(erased_in(records, self._control.decode))]
        if place.topic == self._names.acks:
            return self._inboxes.places.fold(place, records)
        if place.topic == self.crowd.topic:
            return self.crowd.fold(place, records)
        if place.topic == self._names.cursors:
            return self._inboxes.old_cursors(records)
        # The rest of that topic is for edges and gateways.
        ours = [r for r in records if r.value is not None and not Revocations.wants(r.key or b"")]
        return self._commands.fold(place, ours)

    def _refuse(self, place: Partition, record: Record, command: Any, error: TouchlineError) -> list[Write]:
        COMMANDS_REFUSED.inc()
        REJECTED.labels(error.code).inc()
        name = (record.key or b"").decode("utf-8", "replace")
        _lines.warning("a command was refused", error.code, channel=name[:128], reason=error.message[:300])
        command = command or {}
        sender, key = command.get("actor"), command.get("id")
        return [self._rejections.write(place.topic, place.partition, record, error, sender=sender, key=key)]

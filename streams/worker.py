"""What a worker does with what it reads: a judge for each ingest partition, and commands about channels."""

import asyncio
from collections.abc import Mapping
from typing import Final

from control.commands import apply_command
from control.epochs import Epoch, Epochs, advance
from control.registry import REGISTERED
from control.revocations import Revocations
from control.state import ControlState
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.health import Health
from kernel.kafka import client_config
from kernel.logs import get_logger
from kernel.metrics import ACCEPTED, COMMANDS_REFUSED, REJECTED, REPEATED, REPLACED, STREAM_LATENCY
from kernel.positions import Kind, partition_of
from kernel.records import Partition, Record, Write
from kernel.settings import Settings
from kernel.signing import Signer
from kernel.topics import topic_names
from schemas.registry import catalog_for, codec_for
from streams.cluster import Cluster
from streams.fold.channels import Channels
from streams.fold.judge import Judge, Memory, Outcome
from streams.fold.repeats import Repeats
from streams.recovery.restore import restore
from streams.transport.batch import PartitionBatch
from streams.transport.sink import Sink
from streams.upkeep.hot import Traffic

_log = get_logger("touchline.stream")
#: How long a worker waits for the one that writes the epochs.
_EPOCHS_S: Final = 30.0


class Worker:
    """A worker's state, and its duties towards the transport (`streams.app.Work`)."""

    def __init__(
        self, settings: Settings, clock: Clock, health: Health, sink: Sink, state: ControlState
    ) -> None:
        self._settings, self._clock, self._health, self._sink = settings, clock, health, sink
        self._names = topic_names(settings)
        self._kind_of = {topic: kind for kind, topic in self._names.ingest.items()}
        self._cluster = Cluster(client_config(settings))
        # Looking a labelled metric up costs as much as judging a tenth of an event: at low traffic, in small
        # slices, that shows.
        self._accepted = {kind: ACCEPTED.labels(kind) for kind in Kind}
        self._judges: dict[Partition, Judge] = {}
        self._channels: dict[Kind, Channels] = {}
        self._control_partitions = 1
        self.positions: dict[Partition, int] = {}
        self.partitions: dict[str, int] = {}
        self.traffic = Traffic()
        self._control = codec_for(settings, "control")
        self.state, self.registry = state, state.channels
        self.registry.on_change.append(self._forget)
        self.registry.on_stale = self._write_again
        self._signer = Signer(settings.auth)

    @property
    def topics(self) -> frozenset[str]:
        """What a worker reads in turns."""
        return frozenset(self._kind_of) | {self._names.control}

    def owns(self, channel: str) -> bool:
        """Whether this worker is the one that changes the channel's record."""
        place = Partition(self._names.control, partition_of(channel, self._control_partitions))
        return place in self.positions

    # ── partitions come and go ─────────────────────────────────────────────────────────────────────────

    async def opening(self, starts: Mapping[Partition, int]) -> Mapping[Partition, int]:
        starts = {place: max(0, start) for place, start in starts.items()}
        self.partitions = await asyncio.to_thread(self._cluster.partitions)
        self._control_partitions = self.partitions[self._names.control]
        epochs = await self._agree_on_epochs(Partition(self._names.control, 0) in starts)
        self._channels = {kind: self._new_channels(kind, epochs) for kind in Kind}
        ingest = {place: start for place, start in starts.items() if place.topic in self._kind_of}
        kept = {p: j for p, j in self._judges.items() if ingest.get(p, -1) == self.positions.get(p)}
        self._judges = {place: self._judge(place, epochs, kept.get(place)) for place in ingest}
        new = {place: start for place, start in ingest.items() if place not in kept}
        read = await asyncio.to_thread(
            restore,
            client_config(self._settings),
            {place: self._judges[place] for place in new},
            new,
            lambda place: self._names.events[self._kind_of[place.topic]],
            window_ms=self._window_ms,
            now_ms=self._clock.now_ms(),
        )
        self.positions = dict(starts)
        self._health.ok("partitions")
        _log.info("reading", partitions=len(starts), taken_over=len(new), events_recalled=read)
        return starts

    async def closing(self) -> None:
        self._health.fail("partitions", "the group is sharing them out")

    async def _agree_on_epochs(self, first: bool) -> Mapping[str, list[Epoch]]:
        """The epochs, as the registry has them. Whoever has the first control partition writes new ones."""
        deadline = self._clock.monotonic() + _EPOCHS_S
        while True:
            actual = await asyncio.to_thread(self._cluster.describe, sorted(self._kind_of))
            known = self.registry.epochs
            wanted = {
                topic: advance(
                    known.get(topic, ()), topic_id=now.topic_id, partitions=now.partitions, ends=now.ends
                )
                for topic, now in actual.items()
            }
            if wanted == {topic: list(known.get(topic, ())) for topic in wanted}:
                return wanted
            if first:
                _log.info("an epoch begins", epochs={t: e[-1].number for t, e in wanted.items()})
                self.write([self.registry.write_epochs(wanted)])
                await self._sink.barrier()
                self.registry.epochs = wanted
                return wanted
            if self._clock.monotonic() > deadline:
                raise TouchlineError("unavailable", "No worker has written the epochs of the ingest topics.")
            await asyncio.sleep(0.1)

    def _new_channels(self, kind: Kind, epochs: Mapping[str, list[Epoch]]) -> Channels:
        ingest = epochs[self._names.ingest[kind]][-1].partitions
        fanout = self.partitions[self._names.fanout(kind)]
        return Channels(kind, self.registry.channel, ingest=ingest, fanout=fanout)

    def _judge(self, place: Partition, epochs: Mapping[str, list[Epoch]], kept: Judge | None) -> Judge:
        kind = self._kind_of[place.topic]
        return Judge(
            kind,
            place.partition,
            names=self._names,
            channels=self._channels[kind],
            epochs=Epochs(epochs[place.topic], place.partition),
            memory=kept.memory if kept else Memory(Repeats(self._window_ms)),
            catalog=catalog_for(self._settings),
            signer=self._signer,
        )

    @property
    def _window_ms(self) -> int:
        return round(self._settings.stream.repeat_window_s * 1000)

    def _forget(self, channel: str) -> None:
        for channels in self._channels.values():
            channels.forget(channel)

    # ── records ────────────────────────────────────────────────────────────────────────────────────────

    def fold(self, batches: list[PartitionBatch]) -> list[Write]:
        writes: list[Write] = []
        eldest_ms = 0
        for place, records in batches:
            judge = self._judges.get(place)
            outcome = self._commands(place, records) if judge is None else judge.fold(records)
            self.positions[place] = records[-1].offset + 1
            if judge is not None:
                self._note(judge.kind, outcome)
                self.traffic.note(place.topic, place.partition, outcome.accepted)
                eldest_ms = min(eldest_ms or records[0].append_ms, records[0].append_ms)
            writes += outcome.writes
        if eldest_ms:
            STREAM_LATENCY.observe(max(0, self._clock.now_ms() - eldest_ms) / 1000)
        return writes

    def write(self, writes: list[Write]) -> None:
        """Write what no record caused."""
        self._sink.write_apart(writes)

    def _write_again(self, channel: str) -> None:
        """An older record came after the newest: its owner sees to it that the newest is the last."""
        if self.owns(channel):
            self.write([self.registry.write(self.registry.channel(channel))])

    def _note(self, kind: Kind, outcome: Outcome) -> None:
        if outcome.accepted:
            self._accepted[kind].inc(outcome.accepted.total())
            if kind in REGISTERED:
                for key in outcome.accepted:
                    name = key.decode()
                    if name not in self.registry:
                        # A channel is made by its first event, be it on a lane.
                        outcome.writes.append(self.registry.write(self.registry.channel(name)))
        if outcome.repeated:
            REPEATED.labels(kind).inc(outcome.repeated)
        if outcome.replaced:
            REPLACED.labels(kind).inc(outcome.replaced)
        for reason, count in outcome.rejected.items():
            REJECTED.labels(reason).inc(count)

    def _commands(self, place: Partition, records: list[Record]) -> Outcome:
        outcome = Outcome()
        for record in records:
            name = (record.key or b"").decode("utf-8", "replace")
            if record.value is None or Revocations.wants(record.key or b""):
                continue  # for edges and gateways
            try:
                command = self._control.decode(record.value)
                before = self.registry.channel(name)
                at = {"partition": place.partition, "offset": record.offset}
                after = apply_command(before, command, record.append_ms, about=name, **at)
                if after is before:
                    continue
                outcome.writes.append(self.registry.write(after))
            except Exception as error:
                # Whatever is wrong with a command ends that command, and nothing else.
                COMMANDS_REFUSED.inc()
                why = error.message if isinstance(error, TouchlineError) else repr(error)
                _log.warning("a command was refused", channel=name[:128], reason=why)
            else:
                _log.info("channel changed", channel=name, command=command["command"], actor=command["actor"])
        return outcome

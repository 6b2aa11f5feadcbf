"""Keeps receivers at the log: what each does not have yet, up to where all is settled, what is given up.

A receiver that keeps up holds back what is committed for a moment. One that does not has its own place on the
log, in touchline.deliveries: it holds up nobody, and goes on from there, whoever has the partition then.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final

from confluent_kafka import KafkaException
from msgspec.structs import replace

from control.commands.sending import CommandSender
from control.commands.signed import seal
from control.entity.fold import Written
from control.entity.known import Known
from control.entity.tables import Tables
from control.entity.types import Stamp
from control.entity.writer import Writer
from control.outlets.delivery import Delivery, delivery_key, delivery_type
from control.outlets.notifying import SET_NOTIFYING
from control.outlets.notifying import said_of as said_of_wishes
from control.outlets.webhooks import END_WEBHOOK, Webhook, said_of
from control.state import ControlState
from history.sources.log import Deadline, GoneError, LogReader
from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.turns import TURN_S
from kernel.log.positions import Kind, Stream
from kernel.log.records import Partition, Record
from kernel.log.topics import topic_names
from kernel.process.lines import Lines
from kernel.process.metrics import GIVEN_UP, OUTBOX_LAG, OUTBOX_WAITING, POST_LATENCY
from kernel.settings.reading import Settings
from outbox.events import Events
from outbox.forwarding.dead_letters import DeadLetters, sender_of
from outbox.forwarding.lanes import Lane, Receiver, Spawn, Told
from outbox.forwarding.receivers import OF_USER, Receivers
from outbox.outlets.outlet import Item
from outbox.source import EventSource
from outbox.writer import LogWriter
from schemas.registry import catalog_for, codec_for
from schemas.rejections import Rejections

_lines = Lines("touchline.outbox")
_CHUNK: Final = 1000
_READ_S: Final = 20.0
_DEAD_S: Final = 60.0
_AGAIN_S: Final = 1.0


class Forwarding:
    """All receivers of one outbox, and their places."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        state: ControlState,
        tables: Tables,
        *,
        receivers: Receivers,
        source: EventSource,
        writer: LogWriter,
        events: Events,
        spawn: Spawn,
    ) -> None:
        self._clock, self._state, self._receivers = clock, state, receivers
        self._source, self._log, self._events, self._spawn = source, writer, events, spawn
        self._signer, self._commands = Signer(settings.auth), CommandSender(settings, clock)
        names = self._names = topic_names(settings)
        self._rejections = Rejections(names.rejected, catalog_for(settings))
        self._type = delivery_type(settings)
        self._view = tables.view(self._type)
        self._places = Writer(tables)
        self._topic_ids: Mapping[str, str] = {}
        #: Places that are on the log, of receivers that were behind.
        self._kept: dict[tuple[str, Partition], int] = {}
        codecs = {kind: codec_for(settings, f"event-{kind}") for kind in Kind}
        self._new_reader = partial(LogReader, settings, codecs)
        self._reader: LogReader | None = None
        self._reading = asyncio.Lock()
        receivers.told = Told(self._sent, self._given_up, self._gone, self._room)
        receivers.read_again = self._fill_soon
        receivers.on_new, receivers.on_again = self._new, self._again
        self._dead = DeadLetters(settings, self._new_reader)

    # ── partitions come and go ───────────────────────────────────────────────────────────────────────

    def opening(
        self, starts: Mapping[Partition, int], *, partitions: Mapping[str, int], topic_ids: Mapping[str, str]
    ) -> None:
        """These are this outbox's, from these offsets on; who is behind goes on from its place."""
        self._places.partitions = {self._type.topic: partitions[self._type.topic]}
        self._topic_ids = topic_ids
        mine = {place: start for place, start in starts.items() if place.topic in self._events.topics}
        for place in list(self._receivers.positions):
            self._receivers.drop(place)
        self._kept.clear()
        self._receivers.positions.update(mine)
        after = b""
        while page := self._view.scan(b"", after=after):
            after = page[-1][0]
            for _, one in page:
                place = Partition(one.topic, one.partition)
                if place not in mine or one.topic_id != topic_ids.get(one.topic):
                    continue
                self._kept[one.receiver, place] = one.offset
                receiver = self._receivers.get(one.receiver)
                if receiver is not None and one.offset < mine[place]:
                    receiver.lane(place).behind_from = one.offset
                    self._receivers.read_again(receiver, place)

    def _new(self, receiver: Receiver, webhook: Webhook) -> None:
        """What came between its being set and its being heard of here is its own, too."""
        for place in self._receivers.positions:
            self._spawn(self._begin(receiver, place, webhook.since))

    async def _begin(self, receiver: Receiver, place: Partition, since_ms: int) -> None:
        lane = receiver.lane(place)
        if lane.place is not None:
            return
        lane.behind_from = self._receivers.positions.get(place)  # what comes meanwhile waits on the log
        start = await self._offset_at(place, since_ms)
        if receiver.lanes.get(place) is lane and lane.behind_from is not None and not lane.waiting:
            if start is not None:
                lane.behind_from = min(lane.behind_from, start)
            await self._fill(receiver, place)

    async def _offset_at(self, place: Partition, at_ms: int) -> int | None:
        while True:
            try:
                return await self._source.offset_at(place, at_ms)
            except KafkaException as error:
                _lines.warning("Kafka does not say where a receiver begins", why=str(error)[:200])
                await asyncio.sleep(_AGAIN_S)

    # ── what was left on the log ─────────────────────────────────────────────────────────────────────

    def _room(self, receiver: Receiver) -> None:
        for place, lane in receiver.lanes.items():
            if lane.behind_from is not None and not lane.reading:
                self._spawn(self._fill(receiver, place))

    def _fill_soon(self, receiver: Receiver, place: Partition) -> None:
        self._spawn(self._fill(receiver, place))

    async def _fill(self, receiver: Receiver, place: Partition) -> None:
        """Read on from where a receiver is, until it is where this outbox is, or has enough."""
        lane = receiver.lanes.get(place)
        if lane is None or lane.reading:
            return
        lane.reading = True
        try:
            while lane.behind_from is not None and not receiver.full and self._is(receiver, place, lane):
                start, stop = lane.behind_from, self._receivers.positions[place]
                if start >= stop:
                    lane.behind_from = None
                    break
                records = await self._read(place, start, min(stop, start + _CHUNK))
                await self._put_in_turns(receiver, place, lane, (records, min(stop, start + _CHUNK)))
        finally:
            lane.reading = False

    def _is(self, receiver: Receiver, place: Partition, lane: Lane) -> bool:
        here = place in self._receivers.positions and receiver.lanes.get(place) is lane
        return here and self._receivers.get(receiver.id) is receiver

    async def _put_in_turns(
        self, receiver: Receiver, place: Partition, lane: Lane, read: tuple[list[Record], int]
    ) -> None:
        """Hand on what was read, up to there. Others have turns in between: it may be theirs after one."""
        (records, stop), kind = read, self._events.kind(place.topic)
        after = records[::-1]
        while self._is(receiver, place, lane):
            ends = self._clock.monotonic() + TURN_S
            while after and self._clock.monotonic() < ends:
                if receiver.full:
                    lane.behind_from = after[-1].offset
                    return
                self._put(receiver, kind, place, after.pop())
            if not after:
                lane.behind_from = stop
                return
            lane.behind_from = after[-1].offset
            await asyncio.sleep(0)

    def _put(self, receiver: Receiver, kind: Kind, place: Partition, record: Record) -> None:
        if not self._receivers.waits_for(receiver.id, kind, record.key or b""):
            return
        event = self._events.decoded(kind, record)
        item = None if event is None else self._events.item(place, record, event)
        if item is not None and self._receivers.wants(receiver.id, item.type, item.at_ms):
            receiver.lane(place).behind_from = record.offset + 1
            receiver.put(item)

    async def _read(self, place: Partition, start: int, stop: int) -> list[Record]:
        async with self._reading:
            while True:
                try:
                    return await asyncio.to_thread(self._read_now, place, start, stop)
                except TouchlineError as error:
                    _lines.warning("what a receiver lacks cannot be read", error.code, why=error.message)
                    await asyncio.sleep(_AGAIN_S)

    def _read_now(self, place: Partition, start: int, stop: int) -> list[Record]:
        reader = self._reader = self._reader or self._new_reader()
        deadline = Deadline(_READ_S, self._clock.monotonic)
        try:
            low, _ = reader.bounds(place, deadline)
            return list(reader.between(place, max(low, start), stop, deadline))
        except GoneError:
            return self._read_now(place, start, stop)
        except TouchlineError:
            self._reader = None  # the next read has connections of its own
            reader.close()
            raise

    # ── what becomes of events ───────────────────────────────────────────────────────────────────────

    def _sent(self, receiver: Receiver, items: list[Item]) -> None:  # noqa: ARG002 - it is told of all
        now_ms = self._clock.now_ms()
        for item in items:
            POST_LATENCY.observe(max(0, now_ms - item.at_ms) / 1000)

    def _given_up(self, receiver: Receiver, item: Item, why: str) -> None:
        GIVEN_UP.inc()
        error = TouchlineError("not_delivered", f"{receiver.id} has not taken it: {why}")
        record = Record(item.offset, item.at_ms, item.channel.encode(), item.body)
        made = self._rejections.write(
            *(self._names.events[Stream.parse(item.stream).kind], item.place.partition, record, error),
            sender=sender_of(receiver.id),
            key=item.id,
        )
        # Its time is now: an operator who asks for it again means what was given up since they last did.
        self._spawn(self._log.write([made._replace(timestamp=0)]))

    def _again(self, receiver: Receiver, after_ms: int) -> None:
        """An operator wants what was given up since then to be tried once more."""
        self._spawn(self._retry(receiver, after_ms))

    async def _retry(self, receiver: Receiver, after_ms: int) -> None:
        end = Deadline(_DEAD_S, self._clock.monotonic)
        mine = frozenset(self._receivers.positions).__contains__
        try:
            items = await asyncio.to_thread(self._dead.of, receiver.id, after_ms, mine, end)
        except TouchlineError as error:
            _lines.warning("what was given up cannot be read", error.code, why=error.message)
            return
        for item in items:
            receiver.put(item)

    def _gone(self, receiver: Receiver) -> None:
        """It has answered 410: unsubscribed, until somebody sets it again."""
        self._receivers.end(receiver.id)
        if receiver.id.startswith(OF_USER):
            self._user_gone(receiver.id)
            return
        webhook = self._state.outlets.webhook(receiver.id)
        if webhook is None:
            return
        _lines.warning("a webhook wants nothing any more", receiver.id, webhook=receiver.id)
        said = seal(END_WEBHOOK, webhook.id, said_of(webhook), self._signer)
        self._spawn(self._commands.send(webhook.id, END_WEBHOOK, said, actor="touchline"))

    def _user_gone(self, id_: str) -> None:
        """A browser has ended its subscription, or a user's webhook: it is theirs to name another one."""
        sort, _, name = id_.removeprefix(OF_USER).partition(":")
        wishes = self._state.outlets.notifying_of_name(name)
        if wishes is None:
            return
        now = replace(wishes, push="") if sort == "p" else replace(wishes, webhook="", secret="")
        said = seal(SET_NOTIFYING, name, said_of_wishes(now), self._signer)
        self._spawn(self._commands.send(name, SET_NOTIFYING, said, actor="touchline"))

    # ── places ───────────────────────────────────────────────────────────────────────────────────────

    async def settle(self, upto: Mapping[Partition, int]) -> dict[Partition, int]:
        """Write the places of those that are behind; returns up to where all is settled, within `upto`."""
        settled = dict(upto)
        behind: dict[tuple[str, Partition], int] = {}
        for receiver in self._receivers:
            for place, lane in receiver.lanes.items():
                at = lane.place
                if at is None or place not in settled or at >= settled[place]:
                    continue
                if receiver.failures or lane.behind_from is not None:
                    behind[receiver.id, place] = at
                else:  # it has them in a moment
                    settled[place] = min(settled[place], at)
        changed = {key: at for key, at in behind.items() if self._kept.get(key) != at}
        caught_up = [key for key in self._kept if key not in behind and key[1] in upto]
        for (id_, place), offset in changed.items():
            delivery = Delivery(
                receiver=id_,
                topic=place.topic,
                partition=place.partition,
                topic_id=self._topic_ids.get(place.topic, ""),
                offset=offset,
            )
            await self._write(delivery_key(id_, place.topic, place.partition), delivery)
            self._kept[id_, place] = offset
        for id_, place in caught_up:
            del self._kept[id_, place]
            await self._write(delivery_key(id_, place.topic, place.partition), None)
        self._tell()
        return settled if await self._log.settle() else {}

    async def _write(self, key: bytes, delivery: Delivery | None) -> None:
        stamp = Stamp(self._view.known(key).stamp.revision + 1)
        delivery = None if delivery is None else self._type.with_stamp(delivery, stamp)
        value = None if delivery is None else self._type.encode(delivery)
        known = Known(delivery, stamp, self._view.known(key).partitions)
        await self._log.write(self._places.write(self._type, Written(key, known, value)))

    def _tell(self) -> None:
        OUTBOX_WAITING.clear()
        OUTBOX_LAG.clear()
        for receiver in self._receivers:
            if not receiver.id.startswith(OF_USER):
                OUTBOX_WAITING.labels(receiver.id).set(receiver.queued)
                OUTBOX_LAG.labels(receiver.id).set(receiver.oldest_s(self._clock.now_ms()))
        self._receivers.forget_idle()

    async def close(self) -> None:
        """End what reads."""
        self._receivers.close()
        if self._reader is not None:
            await asyncio.to_thread(self._reader.close)
        self._commands.close()

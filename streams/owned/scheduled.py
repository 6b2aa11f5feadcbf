"""Posts what is scheduled once its time has come: each exactly once, whatever dies meanwhile.

A worker posts for the channels whose commands are its own. It writes first that it begins (`tried`), then the
event, and when both are on all brokers that the post is gone. Who takes over in between posts again, under
the same key: the fold makes one event of both, for as long as it remembers keys. After longer than that the
ingest log itself is asked whether the event is on it (decision 0117).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from msgspec.structs import replace

from control.entity.fold import EntityFold, Written
from control.entity.owner import Owner
from control.entity.types import Stamp, entity_of_pair
from control.schedule.schedule import Schedule
from control.schedule.scheduled import WAITS, Scheduled, event_of, folds
from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, Stream, partition_of
from kernel.log.records import Partition, Write
from kernel.log.topics import TopicNames
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from schemas.registry import codec_for
from streams.owned.members import written_again
from streams.recovery.restore import read_between

_log = get_logger("touchline.scheduled")
#: How late a post may be, beside what it takes.
_EVERY_S: Final = 0.2
_AT_ONCE: Final = 500
#: Of the time for which keys are remembered: a post that was begun longer ago may be on the log unseen.
_SURE: Final = 0.5
#: Brokers' clocks and ours may differ by so much.
_SLACK_MS: Final = 60_000


class Posting:
    """The scheduled posts of this worker's channels."""

    def __init__(
        self,
        settings: Settings,
        names: TopicNames,
        schedule: Schedule,
        changes: Owner,
        clock: Clock,
        *,
        partitions: Callable[[], Mapping[str, int]],
        write: Callable[[list[Write]], None],
    ) -> None:
        """`changes` folds the commands; `partitions` of topics; `write` is for what no record caused."""
        self._settings, self._names, self._changes, self._clock = settings, names, changes, clock
        self._partitions, self._write = partitions, write
        self._view = view = schedule.posts
        self._ingest = {kind: codec_for(settings, f"ingest-{kind}") for kind in Kind}
        self.folds: Mapping[str, EntityFold[Scheduled]] = folds(view.type, Signer(settings.auth))
        view.on_stale = lambda key, known: written_again(write, changes, view.type, key, known)
        #: When each is due, of all channels.
        self._due: dict[bytes, int] = {}
        view.watch_all(self._changed)

    def opening(self) -> None:
        """Whose channels are whose is known anew. What is scheduled is told from here on."""
        self._due |= {key: post.at for key, post in self._view.listed(WAITS)}

    def _changed(self, key: bytes, post: Scheduled | None) -> None:
        if post is None:
            self._due.pop(key, None)
        else:
            self._due[key] = post.at

    async def run(self, check_awake: Callable[[], None], barrier: Callable[[], Awaitable[None]]) -> None:
        """Post what is due, again and again. `barrier` waits until all that was written is on the log."""
        while True:
            await asyncio.sleep(_EVERY_S)
            now_ms = self._clock.now_ms()
            due = sorted((at, key) for key, at in list(self._due.items()) if at <= now_ms and self._owns(key))
            if due:
                check_awake()
                try:
                    await self._post([key for _, key in due[:_AT_ONCE]], check_awake, barrier)
                except KafkaException as error:
                    _log.warning("what is scheduled waits for Kafka", reason=str(error)[:300])

    def _owns(self, key: bytes) -> bool:
        return self._changes.owns(entity_of_pair(key))

    def _mine(self, keys: list[bytes]) -> Iterator[tuple[bytes, Scheduled]]:
        """What there is of these now, of the channels that are this worker's now."""
        for key in keys:
            post = self._view.get(key) if self._owns(key) else None
            if post is not None:
                yield key, post

    async def _post(
        self, keys: list[bytes], check_awake: Callable[[], None], barrier: Callable[[], Awaitable[None]]
    ) -> None:
        for key in keys:
            if self._view.get(key) is None:
                self._due.pop(key, None)
        done = await self._done_before(keys)
        begun = [(key, post) for key, post in self._mine(keys) if key not in done]
        self._write(
            [w for key, post in begun for w in self._state(key, replace(post, tried=self._clock.now_ms()))]
        )
        await barrier()
        check_awake()
        posted = [key for key, _ in self._mine([key for key, _ in begun])]
        self._write([write for _, post in self._mine(posted) for write in self._events(post)])
        await barrier()
        check_awake()
        gone = [key for key, _ in self._mine([*posted, *done])]
        self._write([write for key in gone for write in self._state(key, None)])

    async def _done_before(self, keys: list[bytes]) -> set[bytes]:
        """Those that a worker before this one has posted so long ago that nobody remembers their keys."""
        sure_ms = self._settings.stream.repeat_window_s * 1000 * _SURE
        unsure = [
            (key, post)
            for key, post in self._mine(keys)
            if post.tried and self._clock.now_ms() - post.tried > sure_ms
        ]
        return {key for key, post in unsure if await asyncio.to_thread(self._is_on_log, post)}

    def _is_on_log(self, post: Scheduled) -> bool:
        """Whether the event was put into the ingest topic since it was begun."""
        stream = Stream.parse(post.stream)
        topic = self._names.ingest[stream.kind]
        place = Partition(topic, partition_of(stream.channel, self._partitions()[topic]))
        consumer = Consumer(
            {**client_config(self._settings), "group.id": "touchline-scheduled", "enable.auto.commit": False}
        )
        try:
            asked = TopicPartition(*place, post.tried - _SLACK_MS)
            (start,) = consumer.offsets_for_times([asked], timeout=10)
            low, high = consumer.get_watermark_offsets(TopicPartition(*place), timeout=10)
            if start.offset < 0:
                return False
            needle = post.key.encode()
            return any(
                needle in (m.value() or b"")
                for m in read_between(consumer, {place: (max(low, start.offset), high)})
            )
        finally:
            consumer.close()

    def _events(self, post: Scheduled) -> list[Write]:
        try:
            stream, event = event_of(post)
        except TouchlineError as error:
            _log.warning(
                "a scheduled post is no event any more", stream=post.stream, reason=error.message[:300]
            )
            return []
        topic, key = self._names.ingest[stream.kind], stream.channel.encode()
        partition = partition_of(stream.channel, self._partitions()[topic])
        return [Write(topic, self._ingest[stream.kind].encode(event), key, partition)]

    def _state(self, key: bytes, post: Scheduled | None) -> list[Write]:
        known, type_ = self._view.known(key), self._view.type
        stamp = Stamp(known.stamp.revision + 1, known.stamp.places)
        state = None if post is None else type_.with_stamp(post, stamp)
        value = None if state is None else type_.encode(state)
        return self._changes.write(type_, Written(key, known._replace(state=state, stamp=stamp), value))

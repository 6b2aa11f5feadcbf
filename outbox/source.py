"""The outbox's Kafka side: reads events as a member of its group. Calls that block run in a thread."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from kernel.errors import TouchlineError
from kernel.log.kafka import client_config, what_came
from kernel.log.lag import LagGauge, lags
from kernel.log.records import Partition, Record
from kernel.log.topics import outbox_group
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings

_log = get_logger("touchline.outbox")
_BATCH: Final = 1000
_WAIT_S: Final = 0.25
_ASK_S: Final = 10.0
#: The least that brokers allow as they come.
_SESSION_MS: Final = 6_000
#: Of a partition of which nothing was ever committed: from so long ago on.
_FIRST_MS: Final = 10 * 60 * 1000


class EventSource:
    """What comes, of the partitions that are this outbox's."""

    def __init__(self, settings: Settings, topics: Sequence[str]) -> None:
        outbox = settings.outbox
        properties: dict[str, Any] = {
            "group_id": outbox_group(settings),
            "enable_auto_commit": False,
            "enable_auto_offset_store": False,
            "auto_offset_reset": "earliest",
            "session_timeout_ms": _SESSION_MS,
            "heartbeat_interval_ms": _SESSION_MS // 4,
            "fetch_wait_max_ms": 100,
            "queued_max_messages_kbytes": 16 * 1024,
            "fetch_queue_backoff_ms": 10,
        }
        if outbox.instance or outbox.port:
            # One that was killed is known again by its name when it comes back, and goes on at once.
            properties["group_instance_id"] = outbox.instance or f"{socket.gethostname()}-{outbox.port}"
        self._consumer = Consumer(client_config(settings, **properties))
        self._topics, self._gauge = list(topics), LagGauge(topics)
        #: Set when partitions were given out anew: until `start` says where to begin, nothing is read.
        self.pending: list[Partition] | None = None

    def subscribe(self) -> None:
        """Join the group."""

        def assigned(consumer: Consumer, parts: list[TopicPartition]) -> None:
            consumer.assign(parts)
            consumer.pause(parts)
            self.pending = [Partition(part.topic, part.partition) for part in parts]

        def revoked(_: Consumer, __: list[TopicPartition]) -> None:
            self.pending = []

        self._consumer.subscribe(self._topics, on_assign=assigned, on_revoke=revoked, on_lost=revoked)

    async def committed(self, places: Sequence[Partition], now_ms: int) -> dict[Partition, int]:
        """Up to where each of these was settled; of new ones, from a little while ago on."""
        return await asyncio.to_thread(self._committed, list(places), now_ms)

    def _committed(self, places: list[Partition], now_ms: int) -> dict[Partition, int]:
        if not places:
            return {}
        found: dict[Partition, int] = {}
        for part in self._consumer.committed([TopicPartition(*place) for place in places], timeout=_ASK_S):
            place = Partition(part.topic, part.partition)
            low, high = self._consumer.get_watermark_offsets(part, timeout=_ASK_S)
            if part.offset >= 0:
                found[place] = min(max(low, part.offset), high)
                continue
            asked = [TopicPartition(*place, max(0, now_ms - _FIRST_MS))]
            (at,) = self._consumer.offsets_for_times(asked, timeout=_ASK_S)
            found[place] = high if at.offset < 0 else at.offset
        return found

    async def offset_at(self, place: Partition, at_ms: int) -> int | None:
        """The first record of this time or later; None: there is none."""
        asked = [TopicPartition(*place, max(0, at_ms))]
        (at,) = await asyncio.to_thread(self._consumer.offsets_for_times, asked, timeout=_ASK_S)
        return None if at.offset < 0 else at.offset

    def start(self, asked: list[Partition], starts: Mapping[Partition, int]) -> bool:
        """Read from these offsets, if `asked` is still what is pending."""
        if self.pending is not asked:
            return False
        parts = [TopicPartition(*place, offset) for place, offset in starts.items()]
        self._consumer.assign(parts)
        if parts:
            self._consumer.resume(parts)
        self.pending = None
        return True

    async def read(self) -> list[tuple[Partition, Record]]:
        """What has come."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> list[tuple[Partition, Record]]:
        found: list[tuple[Partition, Record]] = []
        for message in what_came(self._consumer, _BATCH, _WAIT_S):
            error = message.error()
            if error is not None:
                _check(error)
                continue
            place = Partition(message.topic() or "", message.partition() or 0)
            offset, at_ms = message.offset() or 0, message.timestamp()[1]
            found.append((place, Record(offset, at_ms, message.key(), message.value())))
        # What was read belongs to the assignment before.
        return found if self.pending is None else []

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """All before these offsets is settled."""
        await asyncio.to_thread(self._commit, dict(offsets))

    def _commit(self, offsets: Mapping[Partition, int]) -> None:
        self._gauge.tell(lags(self._consumer))
        if not offsets:
            return
        parts = [TopicPartition(*place, offset) for place, offset in offsets.items()]
        try:
            self._consumer.commit(offsets=parts, asynchronous=False)
        except KafkaException as error:
            _log.warning("kafka did not take the commit", reason=error.args[0].str())

    async def close(self) -> None:
        """Leave the group."""
        await asyncio.to_thread(self._consumer.close)


def _check(error: KafkaError) -> None:
    if error.fatal() or error.code() == KafkaError._FATAL:
        raise TouchlineError(
            "closed",
            f"Kafka has ended this outbox's membership: {error.str()}.",
            hint="It goes on when it is started again, unless another one has the same name:"
            " TOUCHLINE_OUTBOX_INSTANCE gives it its own.",
        )
    _log.warning("kafka", reason=error.str())

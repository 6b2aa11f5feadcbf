"""The operators' figures as a stream: one gateway puts what the roles say of themselves on `touchline.ops`.

Which one, the topic's only partition says: all gateways are a consumer group over it, and whoever has been
given it writes. The next one reads the last record first and numbers on from there, so the stream's `seq`
rises whatever the machines' clocks say. docs/decisions/0067.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from gateway.operators.published_metrics import EVERY_MS, LOOK_KEY, as_event, look_of
from kernel.clock import Clock
from kernel.log.kafka import client_config
from kernel.log.positions import OVERVIEW, OVERVIEW_SHARD
from kernel.log.topics import topic_names
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from schemas.codec import Codec, Undecodable
from schemas.registry import codec_for

_log = get_logger("touchline.overview")
_WAIT_S: Final = 0.25
_RETRY_S: Final = 1.0
_QUIET: Final = 8
#: A gateway that was killed is replaced after this time.
_SESSION_MS: Final = 6000
#: Figures that could not be written by then are old.
_TIMEOUT_MS: Final = 3000

Gather = Callable[[], Awaitable[Mapping[str, Any]]]


class Leadership(threading.Thread):
    """Whether this gateway is the one that writes, and the newest `seq` on the topic."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        super().__init__(name="overview-leadership", daemon=True)
        self._settings, self._codec = settings, codec
        self._topic = topic_names(settings).ops
        self._stopping = threading.Event()
        #: Where the topic's end was when it was given to us; None: it is another's.
        self._reads_to: int | None = None
        self._quiet = 0
        self.mine = False
        self.newest = 0

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        consumer = Consumer(
            client_config(
                self._settings,
                group_id=f"{self._settings.topics.prefix}-gateway-ops",
                enable_auto_commit=False,
                session_timeout_ms=_SESSION_MS,
                heartbeat_interval_ms=_SESSION_MS // 4,
            )
        )
        try:
            consumer.subscribe([self._topic], on_assign=self._begin, on_revoke=self._end, on_lost=self._end)
            while not self._stopping.is_set():
                try:
                    self._read(consumer)
                except KafkaException as error:
                    _log.warning("the operators' stream waits for kafka", why=str(error))
                    self._stopping.wait(_RETRY_S)
        finally:
            consumer.close()

    def _read(self, consumer: Consumer) -> None:
        message = consumer.poll(_WAIT_S)
        if message is not None and message.error() is None:
            with contextlib.suppress(Undecodable):
                self.newest = max(self.newest, self._codec.decode(message.value() or b"")["seq"])
        if self._reads_to is not None and not self.mine:
            at = consumer.position([TopicPartition(self._topic, 0)])[0].offset
            # The last record may have been deleted meanwhile: then quiet means the end.
            self._quiet = self._quiet + 1 if message is None else 0
            self.mine = at >= self._reads_to or self._quiet >= _QUIET

    def _begin(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        for part in parts:
            try:
                low, end = consumer.get_watermark_offsets(part, timeout=10)
            except KafkaException:
                low, end = 0, 0  # then the clock alone says where to go on
            part.offset = max(low, end - 1)
            self._reads_to, self._quiet = end, 0
        consumer.assign(parts)

    def _end(self, _: Consumer, __: list[TopicPartition]) -> None:
        self.mine, self._reads_to = False, None


class Overview:
    """Writes the figures while it is entered, while this gateway is the one that writes."""

    def __init__(self, settings: Settings, clock: Clock, gather: Gather) -> None:
        self._settings, self._clock, self._gather = settings, clock, gather
        self._codec = codec_for(settings, "fanout")
        names = topic_names(settings)
        self._topic, self._past_topic, self._last = names.ops, names.ops_past, 0
        self._keeps, self._kept_at = settings.ops.past_hours > 0, 0
        self._leadership = Leadership(settings, self._codec)
        self._kafka = Producer(client_config(settings, message_timeout_ms=_TIMEOUT_MS, linger_ms=0))
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Overview":
        self._leadership.start()
        self._task = asyncio.create_task(self._write_on())
        self._task.add_done_callback(_notify)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._leadership.stop()
        await asyncio.to_thread(self._leadership.join)
        await asyncio.to_thread(self._kafka.flush, 1)

    async def _write_on(self) -> None:
        every, monotonic = self._settings.gateway.ops_every_s, self._clock.monotonic
        while True:
            begun = monotonic()
            if self._leadership.mine:
                latest = await self._gather()
                if self._leadership.mine:  # another may have it since the roles were asked
                    self._write(latest)
            await asyncio.sleep(max(0.05, every - (monotonic() - begun)))

    def _write(self, latest: Mapping[str, Any]) -> None:
        now = self._clock.now_ms()
        seq = self._last = max(now, self._last + 1, self._leadership.newest + 1)
        body = as_event(seq, now, latest)
        record = {"stream": OVERVIEW, "seq": seq, "server_ts": now, "type": "figures", "body": body}
        value = self._codec.encode(record)
        # One that is lost is replaced by the next.
        with contextlib.suppress(BufferError, KafkaException):
            self._kafka.produce(self._topic, value, OVERVIEW_SHARD.key.encode())
            if self._keeps and now - self._kept_at >= EVERY_MS:
                self._kept_at = now
                self._kafka.produce(self._past_topic, look_of(self._codec, seq, now, latest), LOOK_KEY)
            self._kafka.poll(0)


def _notify(ended: asyncio.Task[None]) -> None:
    if not ended.cancelled() and (error := ended.exception()) is not None:
        _log.error("the operators' stream has ended; the page asks over HTTP", error=repr(error))

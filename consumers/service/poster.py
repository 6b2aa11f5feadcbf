"""Posts what viewers publish into the ingest topics, and waits until Kafka has it."""

import asyncio
import threading
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message

from control.numbering import Placed, placed
from control.rooms.state import is_room
from kernel.access.signing import Signer
from kernel.errors import TouchlineError
from kernel.log.first_write import first_write
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, Stream
from kernel.log.producing import LastingProducer
from kernel.log.records import Headers
from kernel.log.topics import topic_names
from kernel.process.health import Health
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from schemas.registry import codec_for

_log = get_logger("touchline.poster")


class KafkaPoster:
    """A producer with its thread; bounded by librdkafka's queue."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self._topics = topic_names(settings).ingest
        self._codecs = {kind: codec_for(settings, f"ingest-{kind}") for kind in Kind}
        self._settings, self._loop = settings, loop
        self._signer = Signer(settings.auth)
        self._producer = LastingProducer(
            client_config(
                settings,
                acks="all",
                enable_idempotence=True,
                linger_ms=2,
                compression_type="lz4",
                message_timeout_ms=10_000,
                queue_buffering_max_messages=20_000,
                partitioner="murmur2_random",
            )
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="poster", daemon=True)
        self._thread.start()

    async def first_write(self, health: Health) -> None:
        """Return when Kafka takes what is posted; the health's condition holds from then on."""
        await first_write(self._producer, self._settings, health)

    async def post(self, stream: Stream, event: dict[str, Any], headers: Headers | None = None) -> Placed:
        """An event of `ingest-<kind>`; done when all in-sync replicas have it. Raises TouchlineError."""
        value = self._codecs[stream.kind].encode(event)
        if is_room(stream):  # that its sender may write there, the room decides
            headers = [*(headers or ()), *(self._signer.headers(stream.kind, stream.channel, value) or ())]
        return await self.produce(self._topics[stream.kind], stream.channel, value, headers)

    async def produce(self, topic: str, key: str, value: bytes, headers: Headers | None = None) -> Placed:
        """A record on a topic, confirmed; where it lies."""
        done: asyncio.Future[Placed] = self._loop.create_future()

        def settle(error: KafkaError | None, at: Placed) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(at)
            else:
                done.set_exception(
                    TouchlineError("not_delivered", f"Kafka did not confirm the event ({error.str()}).")
                )

        def delivered(error: KafkaError | None, message: Message) -> None:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(settle, error, placed(message))

        try:
            self._producer.produce(topic, value, key.encode(), on_delivery=delivered, headers=headers)
        except BufferError:
            raise TouchlineError("queue_full", "Too many events are waiting for Kafka: try again.") from None
        except KafkaException as error:
            raise _refused(error) from None
        return await done

    def post_soon(self, topic: str, key: str, value: bytes | None) -> None:
        """A record on a topic, without waiting; None takes its key out of the table."""
        try:
            self._producer.produce(topic, value, key.encode())
        except BufferError:
            raise TouchlineError("queue_full", "Too many records are waiting for Kafka.") from None
        except KafkaException as error:
            raise _refused(error) from None

    async def close(self) -> None:
        """Wait for what is under way, then stop."""
        await asyncio.to_thread(self._producer.flush, 10)
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(0.1)


def _refused(error: KafkaException) -> TouchlineError:
    """A record that Kafka's client does not even take: that record is refused, and nothing else ends."""
    what = error.args[0]
    if what.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return TouchlineError("too_large", "The event is larger than a record may be.")
    return TouchlineError("not_delivered", f"Kafka's client did not take the event ({what.str()}).")

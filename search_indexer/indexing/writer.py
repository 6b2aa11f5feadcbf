"""What the indexer itself says on Kafka: what cannot be indexed, and alerts. Blocks: runs in a thread."""

from typing import Final

from confluent_kafka import Message, Producer

from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.first_write import first_write
from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.records import Headers, Record
from kernel.log.topics import MAX_RECORD_BYTES, topic_names
from kernel.process.health import Health
from kernel.process.metrics import ALERTED
from kernel.settings.reading import Settings
from schemas.registry import catalog_for
from schemas.rejections import Rejections
from search_indexer.alert_index import Suspension
from search_indexer.alerts import Alert, message_of, rest_message, rest_record
from search_indexer.indexing.documents import Indexable

_FULL_S: Final = 0.1
_FLUSH_S: Final = 30.0


class Outlet:
    """A producer for what is seldom said. What was said is on the log when `flush` returns."""

    def __init__(self, settings: Settings) -> None:
        names = topic_names(settings)
        self._ingest = names.ingest[Kind.BROADCAST]
        self._settings, self._alerts = settings, names.alerts
        self._signer = Signer(settings.auth)
        self._rejections = Rejections(names.rejected, catalog_for(settings))
        self._producer = Producer(
            client_config(
                settings,
                enable_idempotence=True,
                compression_type="lz4",
                linger_ms=5,
                message_max_bytes=2 * MAX_RECORD_BYTES,
                partitioner="murmur2_random",
            )
        )

    async def first_write(self, health: Health) -> None:
        """Return when Kafka takes what is said here; the health's condition holds from then on."""
        await first_write(self._producer, self._settings, health)

    def reject(self, message: Message, reason: str, sentence: str) -> None:
        """Put a record on touchline.rejected."""
        record = Record(message.offset() or 0, message.timestamp()[1], message.key(), message.value())
        made = self._rejections.write(
            message.topic() or "", message.partition() or 0, record, TouchlineError(reason, sentence)
        )
        self._send(made.topic, made.value or b"", made.key)

    def publish(self, alert: Alert, event: Indexable) -> None:
        """Send an event to the stream of an alert that it sets off."""
        key, value = message_of(alert, event)
        headers = self._signer.headers(Kind.BROADCAST, key.decode(), value)
        self._send(self._ingest, value, key, headers)
        ALERTED.inc()

    def suspend(self, rest: Suspension, clock: Clock) -> None:
        """Say on an alert's stream, and for whoever asks for the alert, that it rests."""
        key, value = rest_message(rest)
        self._send(self._ingest, value, key, self._signer.headers(Kind.BROADCAST, key.decode(), value))
        key, value = rest_record(rest, self._settings, clock)
        self._send(self._alerts, value, key)

    def poll(self) -> None:
        """Let the producer work off its reports."""
        self._producer.poll(0)

    def flush(self, seconds: float = _FLUSH_S) -> None:
        """Wait until all of it is on the log."""
        if self._producer.flush(seconds):
            raise TouchlineError("not_delivered", "Kafka did not take the rejected records in time.")

    def close(self) -> None:
        self._producer.flush(5)

    def _send(self, topic: str, value: bytes, key: bytes | None, headers: Headers | None = None) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key=key, headers=headers)
                return
            except BufferError:  # it holds as much as it may: wait for Kafka
                self._producer.poll(_FULL_S)

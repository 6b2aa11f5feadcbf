"""What the outbox writes on Kafka: notifications, places of receivers, what was given up."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any, Final

from kernel.errors import TouchlineError
from kernel.log.first_write import first_write
from kernel.log.kafka import client_config
from kernel.log.producing import LastingProducer
from kernel.log.records import Write
from kernel.log.topics import MAX_RECORD_BYTES
from kernel.process.health import Health
from kernel.settings.reading import Settings

_FLUSH_S: Final = 30.0
_POLL_S: Final = 0.1
_FULL_S: Final = 0.05


class LogWriter:
    """A producer of which one learns when all that was written is on the log."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = LastingProducer(
            client_config(
                settings,
                acks="all",
                enable_idempotence=True,
                compression_type="lz4",
                linger_ms=2,
                message_max_bytes=2 * MAX_RECORD_BYTES,
                partitioner="murmur2_random",
            )
        )
        self._failed: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="outbox-writer", daemon=True)
        self._thread.start()

    async def first_write(self, health: Health) -> None:
        """Return when Kafka takes what is written; the health's condition holds from then on."""
        await first_write(self._producer, self._settings, health)

    async def write(self, writes: Sequence[Write]) -> None:
        """Hand these over, in their order."""
        for write in writes:
            while not self._put(write):  # noqa: ASYNC110 - librdkafka does not say when there is room
                await asyncio.sleep(_FULL_S)

    async def settle(self) -> bool:
        """Whether all that was handed over is on the log; False: Kafka does not answer, and some is under way
        still. Raises `not_delivered` where some never will be."""
        left = await asyncio.to_thread(self._producer.flush, _FLUSH_S)
        failed, self._failed = self._failed, []
        if failed:
            raise TouchlineError("not_delivered", f"Kafka has not taken what the outbox wrote: {failed[0]}.")
        return not left

    async def close(self) -> None:
        """Write what is left, and end."""
        await asyncio.to_thread(self._producer.flush, _FLUSH_S)
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)

    def _put(self, write: Write) -> bool:
        more: dict[str, Any] = {} if write.partition < 0 else {"partition": write.partition}
        try:
            self._producer.produce(
                write.topic,
                write.value,
                write.key,
                headers=write.headers,
                **({"timestamp": write.timestamp} if write.timestamp else {}),
                on_delivery=self._reported,
                **more,
            )
        except BufferError:
            return False
        return True

    def _reported(self, error: Any, _: Any) -> None:
        if error is not None:
            self._failed.append(error.str())

    def _poll(self) -> None:
        while not self._stopping.is_set():
            if not self._producer.poll(_POLL_S):
                self._stopping.wait(0.005)

"""A thread that reads a small compacted topic from its beginning, and goes on reading it."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from kernel.kafka import check_read_error
from kernel.records import Record

_POLL_S: Final = 0.2
_AT_ONCE: Final = 500


class Follower(threading.Thread):
    """Hands the records of a one-partition topic to `on_records`, in the loop's thread.

    `caught_up` is set once all that was there at the start has been handed over.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        topic: str,
        on_records: Callable[[list[Record]], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name=f"follow-{topic}", daemon=True)
        self._topic, self._on_records, self._fail = topic, on_records, fail
        self._loop = asyncio.get_running_loop()
        self.caught_up = asyncio.Event()
        self._stopping = threading.Event()
        self._consumer = Consumer(
            {
                "fetch.wait.max.ms": 500,
                "queued.max.messages.kbytes": 8 * 1024,
                **config,
                "group.id": f"follow-{topic}",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
            }
        )

    def stop(self) -> None:
        """End the thread; returns at once."""
        self._stopping.set()

    def run(self) -> None:
        try:
            self._consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
            while not self._stopping.is_set():
                first = self._consumer.consume(1, _POLL_S)
                if first:
                    self._hand_over(first + self._consumer.consume(_AT_ONCE, 0))
        except BaseException as error:
            self._in_loop(self._fail, error)
        finally:
            self._consumer.close()

    def _hand_over(self, messages: list[Any]) -> None:
        records, at_end = [], False
        for message in messages:
            error = message.error()
            if error is None:
                records.append(
                    Record(message.offset(), message.timestamp()[1], message.key(), message.value())
                )
            elif error.code() == KafkaError._PARTITION_EOF:
                at_end = True
            else:
                check_read_error(error)
        if records:
            self._in_loop(self._on_records, records)
        if at_end:
            self._in_loop(self.caught_up.set)

    def _in_loop(self, call: Callable[..., Any], *arguments: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

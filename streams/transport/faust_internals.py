"""What the transport uses of Faust and aiokafka that they do not promise: all of it, under names of our own.

A version of theirs may move any of it without a word. `FOREIGN` lists it, and
tests/streams/test_faust_internals.py fails for a version in which something of it is gone, or has other
arguments.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import aiokafka
import faust
from aiokafka.consumer.group_coordinator import GroupCoordinator
from faust.transport.consumer import Consumer as CoreConsumer
from faust.transport.drivers import aiokafka as stock
from faust.types import TP

from kernel.clock import Clock

#: How often a topic that was just made is asked for.
_ASK_AGAIN_S: Final = 0.05


class Foreign(NamedTuple):
    """A private name of theirs: a method with these arguments, or (None) an attribute that is set."""

    owner: type
    name: str
    arguments: tuple[str, ...] | None = None
    #: Where it is set, if not in `__init__`.
    set_in: str = "__init__"


FOREIGN: Final = (
    Foreign(faust.App, "_on_agent_error", ("self", "agent", "exc")),
    Foreign(stock.AIOKafkaConsumerThread, "_create_worker_consumer", ("self", "transport")),
    Foreign(stock.AIOKafkaConsumerThread, "_ensure_consumer", ("self",)),
    Foreign(stock.AIOKafkaConsumerThread, "_assignor", set_in="_create_worker_consumer"),
    Foreign(stock.AIOKafkaConsumerThread, "_consumer", set_in="on_start"),
    Foreign(stock.Consumer, "_new_consumer_thread", ("self",)),
    Foreign(stock.Consumer, "_getmany", ("self", "active_partitions", "timeout")),
    Foreign(stock.Consumer, "_filter_committable_offsets", ("self", "tps")),
    Foreign(stock.Consumer, "_commit_offsets", ("self", "offsets", "start_new_transaction")),
    Foreign(stock.Consumer, "_commit", ("self", "offsets")),
    Foreign(CoreConsumer, "_paused_partitions", set_in="_reset_state"),
    Foreign(CoreConsumer, "_read_offset"),
    Foreign(CoreConsumer, "_committed_offset"),
    Foreign(aiokafka.AIOKafkaConsumer, "_fetch_max_wait_ms"),
    Foreign(aiokafka.AIOKafkaConsumer, "_partition_assignment_strategy"),
    Foreign(aiokafka.AIOKafkaConsumer, "_client"),
    Foreign(aiokafka.AIOKafkaConsumer, "_coordinator"),
    Foreign(GroupCoordinator, "_group_instance_id"),
)


class App(faust.App):
    """Says which agent failed."""

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        if not self.agent_failed(agent.channel.topics, exc):
            await super()._on_agent_error(agent, exc)

    def agent_failed(self, topics: Iterable[str], error: BaseException) -> bool:
        """An agent of these topics raised. True: that is dealt with, and Faust must not start it again."""
        raise NotImplementedError


class ConsumerThread(stock.AIOKafkaConsumerThread):
    """aiokafka's consumer as Faust runs it, with a few things set that Faust has no settings for."""

    fetch_wait_ms: int

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.fetch_wait_ms
        # Faust takes aiokafka's round robin where there is no table, which may give two topics' partitions of
        # one number to two workers. All that concerns a channel is to be with one.
        self._assignor = self.app.assignor
        consumer._partition_assignment_strategy = [self._assignor]
        return consumer

    def kafka_consumer(self) -> Any:
        """aiokafka's."""
        return self._ensure_consumer()

    def leave_group(self) -> None:
        """Let a static member that stops leave its group: else its partitions wait for the session's time."""
        if self._consumer is not None and self._consumer._coordinator is not None:
            self._consumer._coordinator._group_instance_id = None

    async def learn_of(self, topics: set[str], clock: Clock, limit_s: float) -> None:
        """Wait until these topics have partitions, for as long as that is likely to come."""
        client, deadline = self.kafka_consumer()._client, clock.monotonic() + limit_s
        known = client.cluster.partitions_for_topic
        while not all(map(known, topics)) and clock.monotonic() < deadline:
            await client.set_topics(topics)
            await client.force_metadata_update()
            await asyncio.sleep(_ASK_AGAIN_S)


class Consumer(stock.Consumer):
    """Faust's consumer, whose offsets and fetched records pass through methods that may be overridden."""

    Thread: type[ConsumerThread]

    def _new_consumer_thread(self) -> Any:
        return self.Thread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109
        return self.fetched(await super()._getmany(active_partitions, timeout))

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        return self.committable(super()._filter_committable_offsets(tps))

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:  # noqa: ARG002
        return await self.commit_offsets(offsets)

    def fetched(self, records: Mapping[TP, Any]) -> dict[TP, Any]:
        """What aiokafka has fetched; returns what of it is to be handed on."""
        raise NotImplementedError

    def committable(self, ordinary: dict[TP, int]) -> dict[TP, int]:
        """Faust would commit these offsets; returns what is to be committed."""
        raise NotImplementedError

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit these; whether they are."""
        raise NotImplementedError

    async def send_commit(self, offsets: Mapping[TP, int]) -> bool:
        """Ask the group's coordinator to keep these offsets, and remember that it did."""
        if not await self._commit(offsets):
            return False
        self._committed_offset.update(offsets)
        return True

    def is_paused(self, tp: TP) -> bool:
        """Whether Faust holds this partition back."""
        return tp in self._paused_partitions

    def start_of(self, tp: TP) -> int:
        """From where Faust would read it; -1: from its beginning."""
        read = self._read_offset[tp]
        return -1 if read is None else read

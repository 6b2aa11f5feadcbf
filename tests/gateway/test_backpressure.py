"""What Kafka cannot take is felt by whoever posts: 429 and 503 say when to come back; nothing is doubled."""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import ClientSession, TraceConfig
from confluent_kafka import Consumer, TopicPartition

from embedded.backends.servers import Servers
from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from schemas.codec import Codec
from tests.pipeline import Pipeline, eventually

#: Of the gateway under test: room for few events, and little patience.
ROOM = 50
PATIENCE_S = 0.3
TIMEOUT_S = 6.0
#: From then on a Kafka that has said nothing counts as away (producers.sending.outbox).
SILENT_S = 3.0


class Answer(NamedTuple):
    status: int
    code: str | None
    retry_after: str | None
    accepted: int
    took_s: float


class Slow:
    """A gateway on a Kafka that can be made to stand still."""

    def __init__(self, pipeline: Pipeline, servers: Servers) -> None:
        self.pipeline, self._servers = pipeline, servers

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """The broker holds its connections, and does nothing."""
        pids = [broker.pid for broker in self._servers.kafka.brokers]
        for pid in pids:
            assert pid is not None
            os.killpg(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                assert pid is not None
                os.killpg(pid, signal.SIGCONT)

    async def post(
        self, channel: str, texts: list[str], *, key: str | None = None, sent: asyncio.Event | None = None
    ) -> Answer:
        """`sent` is set when the body is on its way."""
        began, trace = time.monotonic(), TraceConfig()

        async def told(*_: object) -> None:
            if sent is not None:
                sent.set()

        trace.on_request_chunk_sent.append(told)
        url = f"{self.pipeline.gateway_url}/v1/streams/chat/{channel}/events"
        body = json.dumps([{"data": {"text": text}} for text in texts])
        given = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        async with (
            ClientSession(trace_configs=[trace]) as http,
            http.post(url, data=body, headers=given) as response,
        ):
            said = await response.json(content_type=None)
            return Answer(
                response.status,
                said.get("code"),
                response.headers.get("Retry-After"),
                said["accepted"],
                time.monotonic() - began,
            )

    def accepted(self, channel: str) -> Counter[str]:
        """What the worker has let through: key -> how often."""
        topic, codec = topic_names(self.pipeline.settings).events[Kind.CHAT], Codec("event-chat")
        consumer = Consumer(
            client_config(self.pipeline.settings, group_id="tests", enable_partition_eof=True)
        )
        found: Counter[str] = Counter()
        try:
            partitions = self.pipeline.settings.topics.partitions
            consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
            ended = 0
            while ended < partitions:
                message = consumer.poll(60)
                assert message is not None
                if message.error():
                    ended += 1
                elif message.key() == channel.encode():
                    found[codec.decode(message.value() or b"")["key"]] += 1
        finally:
            consumer.close()
        return found


@pytest.fixture
async def slow(make_servers: Callable[..., Servers], tmp_path: Path) -> AsyncIterator[Slow]:
    servers = make_servers(with_elasticsearch=False)
    await asyncio.to_thread(servers.start)
    pipeline = Pipeline(
        servers.bootstrap_servers,
        "http://127.0.0.1:9",
        tmp_path,
        TOUCHLINE_PRODUCER_MAX_IN_FLIGHT=str(ROOM),
        TOUCHLINE_GATEWAY_PATIENCE_S=str(PATIENCE_S),
        TOUCHLINE_GATEWAY_DELIVERY_TIMEOUT_S=str(TIMEOUT_S),
    )
    try:
        await asyncio.to_thread(pipeline.start, "gateway")
        yield Slow(pipeline, servers)
    finally:
        await asyncio.to_thread(pipeline.close)


async def test_a_full_or_silent_kafka_is_told_and_a_retry_with_a_key_doubles_nothing(slow: Slow) -> None:
    assert (await slow.post("before", ["warm"])).status == 202

    texts: list[Any] = [f"{n}" for n in range(ROOM)]
    for lot in (f"lot-{n}" for n in range(5)):
        with slow.standing_still():
            sent = asyncio.Event()
            waiting = asyncio.create_task(slow.post(lot, texts, sent=sent, key=lot))
            await sent.wait()
            # All room is taken now: who comes next is to come back, soon while Kafka was heard of just now.
            full = await first_refusal(slow)
            # Later on it counts as away.
            away = await eventually_away(slow)
            assert (away.status, away.retry_after, away.accepted) == (503, "5", 0)
            # Nobody waits for ever: what was on its way is given up, and may have arrived all the same.
            lost = await waiting
            assert (lost.status, lost.code, lost.retry_after) == (503, "not_delivered", "5")
            assert TIMEOUT_S / 2 < lost.took_s < TIMEOUT_S + 30

        # The same request again, under the same key, until it is taken.
        again = await eventually_taken(slow, lot, texts)
        assert again.accepted == ROOM
        # A machine that stood still meanwhile may have asked too late: of several tries one is in time.
        if full.status == 429 and full.took_s < SILENT_S:
            break
    assert (full.status, full.code, full.retry_after, full.accepted) == (429, "queue_full", "1", 0)
    assert full.took_s < SILENT_S
    wanted = {f"{lot}/{n}": 1 for n in range(ROOM)}
    await asyncio.to_thread(slow.pipeline.start, "stream")
    await asyncio.to_thread(eventually, "all are let through", lambda: len(slow.accepted(lot)) == ROOM)
    assert slow.accepted(lot) == wanted


async def first_refusal(slow: Slow) -> Answer:
    async with asyncio.timeout(60):
        while (answer := await slow.post("more", ["x"])).status not in (429, 503):
            pass
        return answer


async def eventually_away(slow: Slow) -> Answer:
    async with asyncio.timeout(60):
        while (answer := await slow.post("more", ["x"])).status == 429:
            pass
        return answer


async def eventually_taken(slow: Slow, channel: str, texts: list[str]) -> Answer:
    async with asyncio.timeout(60):
        while (answer := await slow.post(channel, texts, key=channel)).status != 202:
            pass
        return answer

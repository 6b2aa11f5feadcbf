"""A Faust app over the batch transport, as one would write it: `faust -A tests.streams.faust_example worker`.

Posts are read in batches and become ordinary records; an ordinary agent counts those in a table with a
changelog; a page of Faust's own web server shows a count.
"""

import os
from collections.abc import Mapping
from typing import Any, cast

from kernel.clock import SystemClock
from kernel.log.records import Partition, Write
from streams.transport import driver
from streams.transport.driver import BatchApp
from streams.transport.reader import Reader
from streams.transport.sink import Sink

KAFKA, NAME = os.environ["EXAMPLE_KAFKA"], os.environ["EXAMPLE_NAME"]
ANY_PARTITION = -1
POSTS, WORDS = f"{NAME}-posts", f"{NAME}-words"


async def opening(starts: Mapping[Partition, int]) -> Mapping[Partition, int]:
    return {place: max(0, start) for place, start in starts.items()}


async def closing() -> None:
    pass


driver.register()
config = {"bootstrap.servers": KAFKA}
clock = SystemClock()
sink = Sink(config, linger_ms=1, clock=clock)
app = BatchApp(
    NAME,
    broker=f"batch://{KAFKA}",
    store=os.environ.get("EXAMPLE_STORE", "memory://"),
    table_standby_replicas=int(os.environ.get("EXAMPLE_STANDBYS", "0")),
    broker_session_timeout=6.0,
    broker_heartbeat_interval=1.5,
    topic_partitions=2,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    batch_topics=frozenset({POSTS}),
    sink=sink,
    clock=clock,
    new_reader=lambda deliver: Reader({**config, "group.id": NAME}, deliver, clock=clock),
    on_opening=opening,
    on_closing=closing,
)
posts = app.topic(POSTS, key_serializer="raw", value_serializer="raw")
words = app.topic(WORDS, key_type=str, value_type=str, key_serializer="raw", value_serializer="raw")
counts = app.Table("counts", key_type=str, default=int, partitions=2)


@app.agent(posts, name="split")
async def split(stream: Any) -> None:
    async for event in stream.noack().events():
        batch = event.value
        for part in batch:
            await sink.ready()
            found = [word for record in part.records for word in record.value.split()]
            sink.write(Write(WORDS, word, word, ANY_PARTITION) for word in found)
        cast("driver.Consumer", app.consumer).finish(batch)
        event.ack()


@app.agent(words, name="count")
async def count(stream: Any) -> None:
    async for word in stream:
        counts[word] += 1


@app.page("/count/{word}")
async def show(self: Any, request: Any, word: str) -> Any:
    return self.json({"word": word, "count": counts[word]})

"""librdkafka gives a producer up: whoever waits is told, and what is posted after that arrives."""

import asyncio
from pathlib import Path

import pytest

from consumers.service.poster import KafkaPoster
from control.numbering import Placed
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from producers import Chat, Delivered, Producer, SyncProducer
from tests.fatal import give_up, producers
from tests.pipeline import Pipeline, eventually

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def made(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Topics; no role has to run."""
    return Pipeline(kafka_servers, "http://127.0.0.1:9", Path(tmp_path_factory.mktemp("given-up")))


async def test_the_sdk_goes_on_and_says_what_was_not_delivered(made: Pipeline) -> None:
    before = producers()  # kept, so that none of later ones is taken for one of them
    async with Producer(made.settings) as producer:
        first = await producer.send(Chat("a", "first", sender="ana"))
        (kafka,) = [each for each in producers() if all(each is not one for one in before)]
        under_way = [
            asyncio.create_task(producer.send(Chat("a", f"message {n}", sender="ana"))) for n in range(50)
        ]
        await asyncio.sleep(0)  # they are put
        give_up(kafka)
        ends = await asyncio.wait_for(asyncio.gather(*under_way, return_exceptions=True), 60)
        # Each is confirmed, or its sender is told that it is not.
        told = [end.code for end in ends if isinstance(end, TouchlineError)]
        assert set(told) <= {"not_delivered"}
        assert len(told) + sum(isinstance(end, Delivered) for end in ends) == 50
        again = await asyncio.wait_for(producer.send(Chat("a", "again", sender="ana")), 60)
        assert (again.offset or 0) > (first.offset or 0)
        assert await asyncio.wait_for(producer.send_many(Chat("a", f"{n}") for n in range(1000)), 60) == 1000


def test_programs_with_threads_go_on_as_well(made: Pipeline) -> None:
    before = producers()  # kept, so that none of later ones is taken for one of them
    with SyncProducer(made.settings) as producer:
        first = producer.send(Chat("a", "first", sender="ana"))
        (kafka,) = [each for each in producers() if all(each is not one for one in before)]
        give_up(kafka)
        ends: list[object] = []

        def taken() -> bool:
            try:
                ends.append(producer.send(Chat("a", "again", sender="ana")))
            except TouchlineError as error:
                ends.append(error.code)
                return False
            return True

        eventually("a new producer has taken its place", taken)
        assert set(ends[:-1]) <= {"not_delivered"}
        last = ends[-1]
        assert isinstance(last, Delivered)
        assert (last.offset or 0) > (first.offset or 0)


async def test_an_edge_posts_on(made: Pipeline) -> None:
    before = producers()  # kept, so that none of later ones is taken for one of them
    poster = KafkaPoster(made.settings, asyncio.get_running_loop())
    (kafka,) = [each for each in producers() if all(each is not one for one in before)]
    topic = topic_names(made.settings).ingest[Kind.CHAT]
    before_it = await poster.produce(topic, "a", b"one")
    give_up(kafka)
    ends, refused = list[Placed](), list[str]()
    async with asyncio.timeout(60):
        while not ends:  # what is posted while it is given up may be refused
            try:
                ends.append(await poster.produce(topic, "a", b"another"))
            except TouchlineError as error:
                refused.append(error.code)
                await asyncio.sleep(0.05)
    assert (ends[0].offset or 0) > (before_it.offset or 0)
    assert set(refused) <= {"not_delivered"}
    await poster.close()

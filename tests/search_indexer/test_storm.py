"""kill -9 at any moment: the index ends as exactly the log, and history is right all the while."""

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded.servers import Servers
from history import History
from history.elastic import elastic_client
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.positions import MAX_SEQ, Kind, Stream, split_seq
from schemas.rendering import render
from search_indexer.request import Page, Search
from search_indexer.search import Searcher
from tests.pipeline import Pipeline
from tests.search_indexer.conftest import QUICK
from tests.search_indexer.log import chat, write
from tests.search_indexer.reading import complete, documents

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    # Elasticsearch is killed and started again: minutes on a small machine.
    pytest.mark.skipif("TOUCHLINE_TEST_EVENTS" not in os.environ, reason="set TOUCHLINE_TEST_EVENTS=20000"),
]
#: For a longer storm: TOUCHLINE_TEST_EVENTS=100000 make test ARGS=tests/search_indexer/test_storm.py
EVENTS = int(os.environ.get("TOUCHLINE_TEST_EVENTS", "5000"))
STREAM = Stream.parse("chat:stormy")


@pytest.fixture
def killable(make_servers: Callable[..., Servers], tmp_path: Path) -> Iterator[tuple[Servers, Pipeline]]:
    """Servers of one's own, with an indexer: both may be killed."""
    servers = make_servers()
    servers.start()
    pipeline = Pipeline(servers.bootstrap_servers, servers.elasticsearch_url, tmp_path, **QUICK)
    pipeline.start("index")
    yield servers, pipeline
    pipeline.close()


class Storm:
    """A producer, a killer and a reader, all by one seed."""

    def __init__(self, servers: Servers, pipeline: Pipeline, seed: int) -> None:
        self.servers, self.pipeline, self.seed = servers, pipeline, seed
        self.dice = random.Random(seed)
        self.events = [chat("stormy", n, f"message {n} of the storm") for n in range(1, EVENTS + 1)]
        self.bodies = [render(Kind.CHAT, one) for one in self.events]
        self.written = 0
        self.over = False

    async def produce(self) -> None:
        while self.written < EVENTS:
            size = self.dice.randrange(200, 2000)
            some = self.events[self.written : self.written + size]
            await asyncio.to_thread(write, self.pipeline.settings, Kind.CHAT, some)
            self.written += len(some)
            await asyncio.sleep(self.dice.uniform(0, 0.1))

    async def kill(self) -> None:
        for _ in range(2):
            await asyncio.sleep(self.dice.uniform(0.3, 1.5))
            self.pipeline.kill("index")
            await asyncio.sleep(self.dice.uniform(0, 0.5))
            await asyncio.to_thread(self.pipeline.start, "index")
        await asyncio.sleep(self.dice.uniform(0, 0.5))
        self.servers.elasticsearch.kill()
        self.pipeline.kill("index")
        await asyncio.to_thread(self.servers.elasticsearch.start)
        await asyncio.to_thread(self.pipeline.start, "index")

    async def read(self, history: History) -> int:
        """Pages at random places, until the storm is over; how many came."""
        pages = 0
        while not self.over:
            try:
                await self.check_a_page(history)
                pages += 1
            except TouchlineError as error:
                # Said, never wrong; anything else is a bug.
                if error.code != "unavailable":
                    raise
            await asyncio.sleep(0.01)
        return pages

    async def check_a_page(self, history: History) -> None:
        """It is complete as far as was written, in order, without doubles, and byte for byte the log's."""
        least = self.written
        at, limit = self.dice.randrange(0, max(1, least)), self.dice.randrange(1, 200)
        if at and self.dice.random() < 0.4:
            page = await history.read(STREAM, before=self.events[at]["seq"], limit=limit)
            expected = list(range(max(1, at + 1 - limit), at + 1))
        elif self.dice.random() < 0.2:
            page = await history.read(STREAM, before=MAX_SEQ, limit=limit)
            last = split_seq(page.seqs[-1])[1] if page.seqs else 0
            assert last >= least, f"seed {self.seed}"
            expected = list(range(max(1, last + 1 - limit), last + 1))
        else:
            page = await history.read(STREAM, after=self.events[at - 1]["seq"] if at else 0, limit=limit)
            expected = list(range(at + 1, at + 1 + max(len(page.seqs), min(limit, least - at))))
        offsets = [split_seq(seq)[1] for seq in page.seqs]
        assert offsets == expected, f"seed {self.seed}, degraded: {page.degraded}"
        assert page.events == [self.bodies[offset - 1] for offset in offsets], f"seed {self.seed}"


async def test_kills_at_any_moment_end_with_exactly_the_log(
    killable: tuple[Servers, Pipeline], record_property: Callable[[str, object], None]
) -> None:
    seed = int(os.environ.get("TOUCHLINE_TEST_SEED", random.randrange(10**6)))
    record_property("seed", seed)
    storm, settings = Storm(*killable, seed), killable[1].settings
    async with History(settings, SystemClock()) as history, elastic_client(settings) as client:
        reader = asyncio.create_task(storm.read(history))
        await asyncio.gather(storm.produce(), storm.kill())
        await complete(settings, client, str(STREAM), EVENTS)
        storm.over = True
        assert await reader > 5, f"seed {seed}"
        found = await documents(client, settings, str(STREAM))
        assert len(found) == EVENTS, f"seed {seed}"
        for one, body in zip(storm.events, storm.bodies, strict=True):
            document = found[one["id"]]
            assert document["body"].encode() == body
            fields = {name: document[name] for name in ("seq", "at", "sender", "channel", "text")}
            assert fields == {
                "seq": one["seq"],
                "at": one["server_ts"],
                "sender": one["sender"],
                "channel": "stormy",
                "text": one["data"]["text"].replace("message", "messag"),
            }
        total = (await Searcher(client, settings, SystemClock()).search(Search(q="storm"), Page())).total
        assert total == EVENTS

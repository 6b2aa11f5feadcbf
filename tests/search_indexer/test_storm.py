"""kill -9 at any moment: the index ends as exactly the log, and history is right all the while."""

import asyncio
import os
import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import AsyncElasticsearch

from embedded.backends.servers import Servers
from history import History
from history.sources.elasticsearch_client import elastic_client
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ, Kind, Stream, split_seq
from schemas.rendering import render
from search_indexer.searching.request import Page, Search
from search_indexer.searching.search import Searcher
from tests.accepted import chat, write
from tests.pipeline import Pipeline, eventually
from tests.search_indexer.conftest import QUICK
from tests.search_indexer.reading import complete, documents, empty

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1200)]
#: For a longer storm: TOUCHLINE_TEST_EVENTS=100000 make test ARGS=tests/search_indexer/test_storm.py
EVENTS = int(os.environ.get("TOUCHLINE_TEST_EVENTS", "4000"))
#: A round kills the indexer, then Elasticsearch, then the indexer while Elasticsearch is away.
ROUNDS = max(1, EVENTS // 50_000)
#: Parts in which a round's share of the events is written, over its whole time.
PARTS = 60
STREAM = Stream.parse("chat:stormy")


@pytest.fixture
def killable(
    kafka_servers: str, make_servers: Callable[..., Servers], tmp_path: Path
) -> Iterator[tuple[Servers, Pipeline]]:
    """An Elasticsearch of one's own, with an indexer: both may be killed."""
    servers = make_servers()
    servers.elasticsearch.start()
    pipeline = Pipeline(kafka_servers, servers.elasticsearch_url, tmp_path, **QUICK)
    pipeline.start("index")
    yield servers, pipeline
    pipeline.close()


class Storm:
    """A producer, a killer and a reader, all by one seed."""

    def __init__(self, servers: Servers, pipeline: Pipeline, seed: int) -> None:
        self.servers, self.pipeline, self.seed = servers, pipeline, seed
        self.events = [chat("stormy", n, f"message {n} of the storm") for n in range(1, EVENTS + 1)]
        self.bodies = [render(Kind.CHAT, one) for one in self.events]
        self.written = 0
        self.calm, self.over = asyncio.Event(), False

    def dice(self, who: str) -> random.Random:
        return random.Random(f"{self.seed} {who}")

    async def produce(self) -> None:
        """Write on over the whole storm, and what is left when it is over."""
        dice, most = self.dice("producer"), 2 * EVENTS // (ROUNDS * PARTS)
        while self.written < EVENTS:
            some = self.events[self.written : self.written + dice.randrange(1, most)]
            await asyncio.to_thread(write, self.pipeline.settings, Kind.CHAT, some)
            self.written += len(some)
            if not self.calm.is_set():
                await asyncio.sleep(dice.uniform(0, 0.7))
            if EVENTS - self.written < 2 * most:
                await self.calm.wait()

    async def kill(self) -> None:
        dice = self.dice("killer")
        for _ in range(ROUNDS):
            await asyncio.sleep(dice.uniform(0, 2))
            self.pipeline.kill("index")
            await asyncio.sleep(dice.uniform(0, 0.5))
            await asyncio.to_thread(self.pipeline.start, "index")
            await asyncio.sleep(dice.uniform(0, 2))
            self.servers.elasticsearch.kill()
            await asyncio.sleep(dice.uniform(0, 1))
            self.pipeline.kill("index")
            self.pipeline.launch("index")
            await asyncio.to_thread(self.servers.elasticsearch.start)
        ready = partial(self.pipeline.is_ready, "index")
        await asyncio.to_thread(eventually, "the indexer is ready", ready, within=180)
        self.calm.set()

    async def read(self, history: History) -> int:
        """Pages at random places, until the storm is over; how many came."""
        dice, pages = self.dice("reader"), 0
        while not self.over:
            try:
                await self.check_a_page(history, dice)
                pages += 1
            except TouchlineError as error:
                # Said, never wrong; anything else is a bug.
                if error.code != "unavailable":
                    raise
            await asyncio.sleep(0.05)  # it is to watch the storm, not to be one
        return pages

    async def check_a_page(self, history: History, dice: random.Random) -> None:
        """It is complete as far as was written, in order, without doubles, and byte for byte the log's."""
        least = self.written
        at, limit = dice.randrange(0, max(1, least)), dice.randrange(1, 200)
        if at and dice.random() < 0.4:
            asked = f"before {at + 1}"
            page = await history.read(STREAM, before=self.events[at]["seq"], limit=limit)
            expected = list(range(max(1, at + 1 - limit), at + 1))
        elif dice.random() < 0.2:
            asked = "the last"
            page = await history.read(STREAM, before=MAX_SEQ, limit=limit)
            last = split_seq(page.seqs[-1])[1] if page.seqs else 0
            assert last >= least, f"seed {self.seed}: {last} is the last, {least} were written"
            expected = list(range(max(1, last + 1 - limit), last + 1))
        else:
            asked = f"after {at}"
            page = await history.read(STREAM, after=self.events[at - 1]["seq"] if at else 0, limit=limit)
            expected = list(range(at + 1, at + 1 + max(len(page.seqs), min(limit, least - at))))
        offsets = [split_seq(seq)[1] for seq in page.seqs]
        assert offsets == expected, f"seed {self.seed}, {asked}, limit {limit}, degraded: {page.degraded}"
        assert page.events == [self.bodies[offset - 1] for offset in offsets], f"seed {self.seed}"

    def check_documents(self, found: Mapping[str, Mapping[str, Any]]) -> None:
        """Exactly the log, field by field."""
        assert len(found) == EVENTS, f"seed {self.seed}"
        for one, body in zip(self.events, self.bodies, strict=True):
            assert found[one["id"]] == {
                "stream": str(STREAM),
                "kind": "chat",
                "channel": "stormy",
                "type": "message",
                "seq": one["seq"],
                "at": one["server_ts"],
                "place": one["partition"] << 2 | 1,
                "body": body.decode(),
                "sender": one["sender"],
                "words": one["data"]["text"],
                "text": one["data"]["text"].replace("message", "messag"),
            }, f"seed {self.seed}"


async def test_kills_at_any_moment_end_with_exactly_the_log(killable: tuple[Servers, Pipeline]) -> None:
    seed = int(os.environ.get("TOUCHLINE_TEST_SEED", random.randrange(10**6)))
    print(f"TOUCHLINE_TEST_EVENTS={EVENTS} TOUCHLINE_TEST_SEED={seed}")  # noqa: T201 - shown when it fails
    storm, settings = Storm(*killable, seed), killable[1].settings
    async with (
        History(settings, SystemClock()) as history,
        elastic_client(settings) as client,
        asyncio.TaskGroup() as tasks,
    ):
        reader = tasks.create_task(storm.read(history))
        await asyncio.gather(storm.produce(), storm.kill())
        await check(storm, client)
        # What is in Elasticsearch can be lost: the log makes it again, while history goes on.
        await empty(client, settings)
        await check(storm, client)
        storm.over = True
        assert await reader > 20, f"seed {seed}"
        total = (await Searcher(client, settings, SystemClock()).search(Search(q="storm"), Page())).total
        assert total == EVENTS, f"seed {seed}"


async def check(storm: Storm, client: AsyncElasticsearch) -> None:
    settings = storm.pipeline.settings
    await complete(settings, client, str(STREAM), EVENTS)
    storm.check_documents(await documents(client, settings, str(STREAM)))

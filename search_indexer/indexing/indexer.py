"""The indexer: decode -> fold -> batch -> bulk write -> refresh -> watermark -> commit, in that order.

Positions come from the index's own watermarks, never from the group's offsets: an Elasticsearch that was
emptied or restored from a snapshot is filled again from where it is, whatever Kafka thinks was read.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from elasticsearch import ApiError, AsyncElasticsearch, TransportError

from history.sources.elasticsearch_client import is_away, is_passing
from kernel.clock import Clock
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.process.health import Health
from kernel.process.lines import Lines
from kernel.process.logs import get_logger
from kernel.process.metrics import INDEX_LATENCY, INDEX_WATERMARK, INDEXED
from kernel.process.tracing import open_tracing
from kernel.settings.reading import Settings
from search_indexer.indexing.bulk import BulkWriter
from search_indexer.indexing.changes import Changes
from search_indexer.indexing.progress import Mark, Partition, Progress
from search_indexer.indexing.source import Batch, EventSource
from search_indexer.indexing.state import IndexState
from search_indexer.text.embeddings import meanings_of

_log = get_logger("touchline.index")
_lines = Lines("touchline.index")
_KEEP_ALIVE_S: Final = 5.0
_RETRY_S: Final = 1.0
_FINISH_S: Final = 5.0
#: How often it is asked at most which generation is live, however often is refreshed.
_LOOK_EVERY_S: Final = 0.4

T = TypeVar("T")


class Indexer:
    """Writes what the source reads into one generation."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        client: AsyncElasticsearch,
        source: EventSource,
        *,
        health: Health,
        follow: bool = True,
    ) -> None:
        self._settings, self._clock, self._client, self._source = settings, clock, client, source
        self._health, self._follow = health, follow
        self._tracing = open_tracing(settings, "index", clock) if follow else None
        self._prefix = settings.elasticsearch.index_prefix
        self.state = IndexState(client, settings, clock)
        self._writer = BulkWriter(client, health, batch_bytes=settings.indexer.batch_bytes)
        self._changes = Changes(client, self._prefix, source.foldings.of, meanings_of(settings))
        self._slots = asyncio.Semaphore(settings.indexer.parallel_requests)
        self._progress = Progress(0, {})
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._tasks: set[asyncio.Task[None]] = set()
        self._generation = 0
        self._topic_ids: dict[Kind, str] = {}
        self._dirty: set[str] = set()
        self._published: dict[Partition, object] = {}
        self._refreshing = asyncio.Lock()
        self._failed: BaseException | None = None

    async def open(self, generation: int | None = None) -> None:
        """Find (or make) the generation to write to, trying until Elasticsearch answers."""
        self._topic_ids = await self._blocking(self._source.topic_ids)
        if generation is None:
            self._generation = await self._insist(self.state.open)
            await self._insist(self.make_days)
        else:
            self._generation = generation

    async def make_days(self) -> None:
        """Have the indices of today, and of tomorrow when it is near: to be called several times an hour."""
        await self.state.make_days(self._generation)

    async def run(self, stop: asyncio.Event) -> None:
        """Index until `stop` is set; then write what was read, publish and commit."""
        refresher = asyncio.create_task(self._refresh_regularly())
        reading, asked = asyncio.create_task(self._read_on()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({reading, asked}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            # Whatever it waits for: a step that is given up has promised nothing.
            reading.cancel()
            await asyncio.wait({reading})
            await self._finish()
        finally:
            for task in (refresher, reading, asked):
                task.cancel()
            await asyncio.gather(refresher, reading, asked, return_exceptions=True)
            await self.close()

    async def _read_on(self) -> None:
        while True:
            await self.step()

    async def _finish(self) -> None:
        """Write what was read; an Elasticsearch that does not take it is not waited for."""
        try:
            async with asyncio.timeout(_FINISH_S):
                await self.drain()
                await self.refresh()
        except (ApiError, TransportError, TimeoutError) as error:
            if not isinstance(error, TimeoutError) and not is_passing(error):
                raise
            _log.warning("elasticsearch does not answer: the next start reads again from the watermark")

    async def step(self) -> bool:
        """Read one batch and send it on its way; whether there was any."""
        if self._failed is not None:
            raise self._failed
        generation, wait_s = self._progress.generation, self._settings.indexer.linger_ms / 1000
        batch = await self._blocking(lambda: self._source.read(generation, wait_s))
        if self._source.pending is not None:
            await self.take(self._source.pending)
            return False
        if not batch.ends:
            return False
        changes = bool(batch.changes)
        if changes:
            await self.drain()  # a change's target is written before the change looks for it
        await self._slot()
        if self._source.moved():
            self._slots.release()  # the group has moved on while we waited; the next owner reads it again
            return False
        marks = self._progress.begin(batch.ends)
        task = asyncio.create_task(self._write(batch, marks, self._progress))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        if changes:
            await self.drain()
        return True

    async def take(self, partitions: list[Partition]) -> None:
        """Go on where the index is complete, in these partitions."""
        self._progress = Progress(0, {})  # batches of the old assignment confirm to the old one
        self._published = {}
        generation = self._generation
        positions = await self._insist(lambda: self.state.watermarks(generation, partitions, self._topic_ids))
        if not await self._blocking(lambda: self._source.start_at(partitions, positions)):
            return  # the group has moved on meanwhile; the next step takes what it gave us
        self._progress = Progress(generation, positions)
        INDEX_WATERMARK.clear()
        self._health.ok("partitions")
        _log.info("indexing", partitions=len(partitions), generation=generation)

    async def drain(self) -> None:
        """Wait until every batch that is on its way is written."""
        while self._tasks:
            await asyncio.wait(self._tasks, timeout=_KEEP_ALIVE_S)
            if self._tasks:
                await self._blocking(self._source.keep_alive)
        if self._failed is not None:
            raise self._failed

    async def refresh(self) -> None:
        """Make what is written findable, say how far that goes, and commit."""
        async with self._refreshing:
            progress, confirmed = self._progress, self._progress.confirmed
            dirty, self._dirty = self._dirty, set()
            try:
                if dirty:
                    await self._refresh_indices(dirty)
            except BaseException:
                self._dirty |= dirty
                raise
            news = {p: mark for p, mark in confirmed.items() if self._published.get(p) != mark}
            await self.state.publish(progress.generation, news, self._topic_ids)
            if progress is not self._progress:
                return
            self._published.update(news)
        await self._blocking(lambda: self._source.settle(news))
        topics = topic_names(self._settings).events
        for (kind, number), mark in news.items():
            INDEX_WATERMARK.labels(topics[kind], str(number)).set(mark.offset)

    async def take_all(self) -> None:
        """Take every partition, outside of the group."""
        await self._blocking(self._source.read_tables)
        partitions = await self._blocking(self._source.all_partitions)
        self._source.reposition(partitions)
        await self.take(partitions)

    async def remaining(self) -> int:
        """Records between the positions and the end of the log, as the brokers say it now."""
        return await self._blocking(self._source.remaining)

    async def close(self) -> None:
        """Let go of Kafka; batches on their way are given up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._blocking(self._source.close)
        self._thread.shutdown()

    async def _write(self, batch: Batch, marks: list[Mark], progress: Progress) -> None:
        try:
            refused = await self._writer.write(batch.lines)
            for position, reason in refused:
                _lines.error("a document was refused for good", reason=reason.partition(":")[0])
                self._source.reject(batch.records[position], "not_indexable", f"Elasticsearch: {reason}")
            if batch.changes:
                lines = await self._insist(lambda: self._changes.lines(batch.generation, batch.changes))
                await self._writer.write(lines)
                # A target may lie in another day's index.
                self._dirty |= {f"{self._prefix}-{Kind.CHAT}-g{batch.generation}-*"}
            self._dirty |= batch.indices
            progress.confirm(marks)
            self._count(batch)
            if self._tracing is not None:
                self._tracing.together("index", batch.traces, {"batch.events": len(batch.records)})
        finally:
            self._slots.release()

    def _count(self, batch: Batch) -> None:
        now = self._clock.now_ms()
        if batch.kinds:
            INDEX_LATENCY.observe(max(0, now - batch.first_ms) / 1000)
        for kind, count in Counter(batch.kinds).items():
            INDEXED.labels(kind.value).inc(count)

    async def _refresh_indices(self, dirty: set[str]) -> None:
        answer = await self._client.indices.refresh(
            index=",".join(sorted(dirty)), ignore_unavailable=True, allow_no_indices=True
        )
        shards = answer["_shards"]
        if shards["failed"]:
            raise TransportError(f"{shards['failed']} shards could not be refreshed")

    async def _refresh_regularly(self) -> None:
        """Refresh while there is news, and follow when another generation goes live."""
        every_s, begun = self._settings.indexer.refresh_ms / 1000, self._clock.monotonic()
        looked = begun
        while True:
            # On a schedule: the time that a refresh takes is not added to what an event waits for.
            await asyncio.sleep(max(every_s / 10, begun + every_s - self._clock.monotonic()))
            begun = self._clock.monotonic()
            try:
                await self.refresh()
                if self._follow and begun - looked >= _LOOK_EVERY_S:
                    looked = begun
                    await self._follow_live()
                self._health.ok("elasticsearch")
            except (ApiError, TransportError) as error:
                if not is_away(error):
                    self._failed = error
                    return
                self._health.fail("elasticsearch", str(error)[:200])
            except Exception as error:
                self._failed = error
                return

    async def _follow_live(self) -> None:
        live = await self.state.live()
        if live == self._generation:
            return
        self._generation = live if live is not None else await self.state.open()
        await self.make_days()
        _log.info("another index is live now", generation=self._generation)
        # As if the group had assigned the partitions anew: positions are those of the new generation.
        partitions = list(self._progress.confirmed)
        await self._blocking(lambda: self._source.reposition(partitions))

    async def _slot(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._slots.acquire(), _KEEP_ALIVE_S)
                return
            except TimeoutError:
                await self._blocking(self._source.keep_alive)

    async def _insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask Elasticsearch until it answers; meanwhile the log waits."""
        while True:
            try:
                return await ask()
            except (ApiError, TransportError) as error:
                if not is_passing(error):
                    raise
                self._health.fail("elasticsearch", str(error)[:200])
                _log.warning("waiting for elasticsearch", retry_in_s=_RETRY_S)
                await asyncio.sleep(_RETRY_S)
                await self._blocking(self._source.keep_alive)

    async def _blocking(self, call: Callable[[], T]) -> T:
        """Everything that speaks to Kafka happens in one thread: a consumer is not to be shared."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed = error

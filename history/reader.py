"""`History`: one way to read a stream's past, for the edges and the gateway.

Up to the watermark the index answers, whatever the log holds; from there the log does. Both meet at a
`seq`, so nothing is missing between them and nothing is there twice. While Elasticsearch is down the log
answers alone.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from confluent_kafka import TopicCollection
from elasticsearch import ApiError, TransportError

from control.channels.retention import Retention
from control.rooms.membership import ALL, Spans
from history.feed import FeedPage, Followed, check_limit, range_of
from history.feed_pages import FeedPages
from history.pages import MAX_LIMIT, Bound, Entry, Page, Span, Watermark, first_page, joined, last_page
from history.replies import Asked
from history.retractions import TakenBack, head_of, shown_by
from history.sources.elasticsearch_client import elastic_client, is_away
from history.sources.index import Read, StreamIndex
from history.sources.log import Deadline, GoneError, LogReader, log_ends
from history.sources.names import day_of
from history.sources.tail import Tail
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.fair import FairSemaphore
from kernel.log.kafka import admin_client, client_config, unreachable
from kernel.log.positions import MAX_SEQ, Kind, Stream, lanes_of, may_hold, partition_of, time_of_id
from kernel.log.records import Partition
from kernel.log.topics import topic_names
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from schemas.registry import codec_for

_log = get_logger("touchline.history")
READERS: Final = 4
_READ_S: Final = 10.0
_TOPICS_S: Final = 10.0
_EPOCHS: Final = b"$epochs"
_INDEX_S: Final = 5.0
#: After Elasticsearch has failed, for how long it is not asked: each page would wait for it.
_INDEX_PAUSE_S: Final = 2.0

T = TypeVar("T")


class _Topic(NamedTuple):
    """What is known of an events topic."""

    name: str
    partitions: int
    id: str
    #: Partition counts that it had in earlier epochs: events of then lie where they were right then.
    earlier: tuple[int, ...] = ()

    def partitions_of(self, channel: str) -> list[Partition]:
        """Where a channel's events lie: usually one partition."""
        return [Partition(self.name, n) for n in _places_of(channel, (self.partitions, *self.earlier))]


@lru_cache(maxsize=32_768)  # a feed asks it of each channel that is followed, lanes and all
def _places_of(channel: str, counts: tuple[int, ...]) -> list[int]:
    return sorted({partition_of(channel, count) for count in counts})


class History:
    """Reads pages of a stream's past. Use it as an async context manager, or call `close`.

    Whoever follows the channels gives their `retention`: else all that index and log hold is read.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        retention: Retention | None = None,
        taken_back: TakenBack | None = None,
    ) -> None:
        """`taken_back` says what is not to be shown any more: without it all is shown as it was posted."""
        self._settings, self._clock, self._taken_back = settings, clock, taken_back
        self._retention = retention or Retention(settings.indexer)
        self._names = topic_names(settings).events
        self._client = elastic_client(settings, timeout_s=_INDEX_S)
        self._index = StreamIndex(self._client, settings.elasticsearch.index_prefix, clock)
        self._index_at = float("-inf")
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="history")
        #: Describes topics; another takes its place when it has failed.
        self.admin = admin_client(client_config(settings))
        codecs = {kind: codec_for(settings, f"event-{kind}") for kind in Kind}
        self._feeds = FeedPages(
            clock=clock,
            codec=codecs[Kind.BROADCAST],
            index=self._index,
            partitions=self._partitions_of_broadcasts,
            reading=self._with_reader,
            ends=lambda places: log_ends(self.admin, places),
            index_answers=lambda: self._clock.monotonic() >= self._index_at,
            index_failed=self._index_failed,
        )
        #: Makes what reads the log, when it is first needed, and again after a failure.
        self.new_reader: Callable[[], LogReader] = lambda: LogReader(settings, codecs)
        self._places = FairSemaphore(READERS)
        #: Readers that nobody uses; more are made when they are needed.
        self._idle: list[LogReader] = []
        self._topics: dict[Kind, tuple[float, _Topic]] = {}

    async def __aenter__(self) -> "History":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)  # those that are read by end first
        for reader in self._idle:
            await asyncio.to_thread(reader.close)
        await self._client.close()

    async def read(
        self,
        stream: Stream,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = 50,
        replies_to: str = "",
    ) -> Page:
        """Up to `limit` events, in order: the first ones after `after`, or the last ones before `before`.

        With neither, the last ones of all; `replies_to` an event only what answers it. A page ends at a size
        too (`limits.page_bytes`), and says `more`. Raises TouchlineError: `bad_request`, `unavailable`.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise TouchlineError("bad_request", f"limit is {limit}: it must be from 1 to {MAX_LIMIT}.")
        if after is not None and before is not None:
            raise TouchlineError("bad_request", "Give after or before, not both.")
        topic = await self._topic(stream.kind)
        bound = Bound(limit, self._settings.limits.page_bytes)
        span = Span(stream, self._kept_since(stream), replies_to)
        forward, upto = after is not None, MAX_SEQ if before is None else min(before, MAX_SEQ + 1) - 1
        pages = [
            await (
                self._backward(span, partition, topic.id, upto, bound)
                if after is None
                else self._forward(span, partition, topic.id, min(max(after, 0), MAX_SEQ), bound)
            )
            for partition in topic.partitions_of(stream.channel)
        ]
        page = pages[0] if len(pages) == 1 else joined(pages, bound, forward=forward)
        return page._replace(events=shown_by(self._taken_back, stream, page.events))

    async def feed(
        self,
        followed: Mapping[str, Followed],
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> FeedPage:
        """Up to `limit` broadcasts of these channels by their ids, the newest first: the last ones before an
        id, the first ones after one, or the last ones of all. Raises `bad_request`, `unavailable`."""
        wanted, bound = range_of(before, after), Bound(check_limit(limit), self._settings.limits.page_bytes)
        if not followed:
            return FeedPage([], more=False, ids=[])
        page = await self._feeds.read(followed, wanted, bound)
        if self._taken_back is None:
            return page
        return page._replace(events=self._taken_back.shown_of_many(page.events))

    async def _partitions_of_broadcasts(self, channels: Iterable[str]) -> tuple[str, set[Partition]]:
        """Their topic's id, and where in it events of these channels lie."""
        topic = await self._topic(Kind.BROADCAST)
        return topic.id, {place for channel in channels for place in topic.partitions_of(channel)}

    async def replies(self, stream: Stream, events: Sequence[bytes], spans: Spans = ALL) -> dict[str, int]:
        """How many replies each of these events has, of those that have some; retracted ones not counted.

        As far as the index is, about a second behind; nothing while Elasticsearch does not answer.
        """
        return await self.replies_in([(stream, events, spans)])

    async def replies_in(self, asked: Iterable[tuple[Stream, Sequence[bytes], Spans]]) -> dict[str, int]:
        """The same of events of several streams, of each what somebody may see."""
        if self._clock.monotonic() < self._index_at:
            return {}
        known = [
            Asked(stream, ids, spans)
            for stream, events, spans in asked
            if stream.kind is Kind.CHAT
            and (ids := [head.id for body in events if (head := head_of(body)) is not None and head.id])
        ]
        if not known:
            return {}
        try:
            return await self._index.replies(known)
        except (ApiError, TransportError) as error:
            self._index_failed(error)
            return {}

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None:
        """The event of that id as it may be shown; None where there is none. Raises `unavailable`.

        Of a channel with `lanes` it may be on any of them: whoever posted it may have another lane now.
        """
        found = await self._find(stream, event_id, lanes)
        return None if found is None else shown_by(self._taken_back, stream, [found])[0]

    async def _find(self, stream: Stream, event_id: str, lanes: int) -> bytes | None:
        try:
            at_ms = time_of_id(event_id)
            day = day_of(at_ms)
        except (ValueError, OverflowError, OSError):
            return None  # a number that no event's id is
        if at_ms < self._kept_since(stream):
            return None
        streams = lanes_of(stream, lanes) if lanes else [stream]
        if self._clock.monotonic() >= self._index_at:
            try:
                if (body := await self._index.find(streams, event_id, day)) is not None:
                    return body
            except (ApiError, TransportError) as error:
                self._index_failed(error)
        topic = await self._topic(stream.kind)
        for one in streams:
            for partition in topic.partitions_of(one.channel):
                if not may_hold(partition.partition, event_id):
                    continue
                found = await self._with_reader(_finding(one, partition, event_id, at_ms))
                if found is not None:
                    return found
        return None

    def _kept_since(self, stream: Stream) -> int:
        return self._retention.kept_since(stream.channel, self._clock.now_ms())

    async def _forward(
        self, span: Span, partition: Partition, topic_id: str, after: int, bound: Bound
    ) -> Page:
        async def read(generation: int, mark: Watermark) -> list[Entry]:
            if after >= mark.seq:
                return []
            return await self._index.after(generation, span, after, mark.seq, bound)

        entries, watermark, degraded = await self._indexed(span.stream.kind, partition, topic_id, read)
        size = sum(len(entry.body) for entry in entries)
        if not bound.exceeded(len(entries), size):
            tail = Tail(span, partition, watermark)
            wanted = Bound(bound.events - len(entries), bound.bytes - size)
            entries += await self._with_reader(
                lambda reader, deadline: tail.after(
                    reader, max(after, watermark.seq), wanted, deadline=deadline
                )
            )
        return first_page(entries, bound, degraded=degraded)

    async def _backward(
        self, span: Span, partition: Partition, topic_id: str, upto: int, bound: Bound
    ) -> Page:
        async def read(generation: int, mark: Watermark) -> list[Entry]:
            if not mark.seq:
                return []
            return await self._index.before(generation, span, min(upto, mark.seq), bound)

        # The older part first: if Elasticsearch fails now, the log answers alone.
        entries, watermark, degraded = await self._indexed(span.stream.kind, partition, topic_id, read)
        if upto > watermark.seq:
            tail = Tail(span, partition, watermark)
            entries += await self._with_reader(
                lambda reader, deadline: tail.before(reader, upto, bound, deadline=deadline)
            )
        return last_page(entries, bound, degraded=degraded)

    async def _indexed(
        self, kind: Kind, partition: Partition, topic_id: str, read: Read
    ) -> tuple[list[Entry], Watermark, bool]:
        """What the index has, how far it is complete, and whether it was not to be asked at all."""
        if self._clock.monotonic() >= self._index_at:
            try:
                entries, watermark = await self._index.complete(kind, partition.partition, topic_id, read)
            except (ApiError, TransportError) as error:
                self._index_failed(error)
            else:
                return entries, watermark, False
        return [], Watermark(), True

    def _index_failed(self, error: Exception) -> None:
        if not is_away(error):
            raise error
        self._index_at = self._clock.monotonic() + _INDEX_PAUSE_S
        _log.warning(
            "elasticsearch does not answer: history comes from the log alone", reason=str(error)[:200]
        )

    async def _topic(self, kind: Kind) -> _Topic:
        now = self._clock.monotonic()
        read_at, topic = self._topics.get(kind, (float("-inf"), None))
        if topic is None or now - read_at > _TOPICS_S:
            try:
                found = await asyncio.to_thread(self._describe, self._names[kind])
            except TouchlineError as error:
                if topic is None:
                    raise
                # What is known holds nearly always; where the log can't be read either, the read will say so.
                _log.warning("the events' topic was not described", topic=topic.name, reason=error.message)
                found = topic
            if topic is None or found[:3] != topic[:3]:
                topic = found._replace(earlier=await self._earlier(kind))
            self._topics[kind] = (now, topic)
        return topic

    async def _earlier(self, kind: Kind) -> tuple[int, ...]:
        """Partition counts of all epochs, as the workers noted them in the channel registry."""
        names = topic_names(self._settings)
        value = await self._with_reader(
            lambda reader, deadline: reader.latest(Partition(names.channels, 0), _EPOCHS, deadline)
        )
        epochs = codec_for(self._settings, "channel").decode(value)["epochs"] if value else []
        return tuple({e["partitions"] for e in epochs if e["topic"] == names.ingest[kind]})

    def _describe(self, name: str) -> _Topic:
        admin = self.admin
        try:
            asked = admin.describe_topics(TopicCollection([name]), request_timeout=5)
            found = asked[name].result(timeout=6)
        except Exception as error:
            # A client that has once failed may fail for ever: the next one is asked next time.
            if self.admin is admin:
                self.admin = admin_client(client_config(self._settings))
            del admin  # its end takes a moment: here, in this thread
            raise unreachable(self._settings, str(error)) from error
        return _Topic(name, len(found.partitions), str(found.topic_id))

    async def _with_reader(self, read: Callable[[LogReader, Deadline], T]) -> T:
        """Run a read of the log in a thread, when one of the few readers is idle."""
        deadline = Deadline(_READ_S, self._clock.monotonic)
        try:
            whose = await asyncio.wait_for(self._places.take(), _READ_S)
        except TimeoutError:
            raise TouchlineError(
                "unavailable", "Too many are reading the past right now.", hint="Try again in a moment."
            ) from None
        reader = self._idle.pop() if self._idle else self.new_reader()
        running = asyncio.get_running_loop().run_in_executor(self._threads, insisting, read, reader, deadline)

        def give_back(done: "asyncio.Future[T]") -> None:
            # Whoever waited may be gone; then nobody else asks for the error.
            if done.exception() is None:
                self._idle.append(reader)
            else:  # as with the admin client: the next read has connections of its own
                self._threads.submit(reader.close)
            self._places.give_back(whose)

        running.add_done_callback(give_back)
        # Shielded: a caller that is cancelled leaves the reader to its thread until that is done with it.
        return await asyncio.shield(running)


def _finding(
    stream: Stream, partition: Partition, event_id: str, at_ms: int
) -> Callable[[LogReader, Deadline], bytes | None]:
    return lambda reader, deadline: reader.find(stream, partition, event_id, at_ms, deadline)


def insisting(read: Callable[[LogReader, Deadline], T], reader: LogReader, deadline: Deadline) -> T:
    """Read, and read again where the log's beginning was dropped under our feet."""
    while True:
        try:
            return read(reader, deadline)
        except GoneError:
            deadline.left()

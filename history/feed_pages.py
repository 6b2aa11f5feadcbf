"""Reads the pages of feeds: from what is known of them, from the index and the log, or from the log alone."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Mapping
from functools import partial
from typing import Protocol, TypeVar

from elasticsearch import ApiError, TransportError

from history.feed import FeedPage, FeedTail, Followed, Range, indexed, is_past, page_of
from history.known_pages import Ends, EndsOf, KnownPages, newest
from history.pages import Bound, Watermark
from history.sources.index import StreamIndex
from history.sources.log import Deadline, LogReader, event_of
from kernel.clock import Clock
from kernel.log.positions import Kind
from kernel.log.records import Partition
from schemas.codec import Codec
from schemas.rendering import render

T = TypeVar("T")
#: The id of the log's topic, and partitions of it.
Where = tuple[str, Collection[Partition]]


class Reading(Protocol):
    """Runs a read of the log, when a reader is idle."""

    def __call__(self, read: Callable[[LogReader, Deadline], T], /) -> Awaitable[T]: ...


class FeedPages:
    """Of one gateway, or edge."""

    def __init__(
        self,
        *,
        clock: Clock,
        codec: Codec,
        index: StreamIndex,
        partitions: Callable[[Iterable[str]], Awaitable[Where]],
        reading: Reading,
        ends: EndsOf,
        index_answers: Callable[[], bool],
        index_failed: Callable[[Exception], None],
    ) -> None:
        """`partitions`: the id of the log's topic, and where in it events of channels lie."""
        self._clock, self._codec, self._index, self._partitions = clock, codec, index, partitions
        self._reading, self._ends = reading, ends
        self._index_answers, self._index_failed = index_answers, index_failed
        self._known = KnownPages()

    async def read(self, followed: Mapping[str, Followed], wanted: Range, bound: Bound) -> FeedPage:
        """A page as it was posted. Raises `unavailable`."""
        key = (wanted, bound, tuple(sorted((name, one.types) for name, one in followed.items())))
        now = self._clock.monotonic()
        page = self._known.past(key, now)
        if page is not None:
            return page
        where = await self._partitions(followed)
        places = where[1]
        if wanted == Range():
            page = await self._with_news(key, followed, places, bound)
        if page is None:
            ends = Ends(self._ends)
            page = await self._whole(followed, wanted, bound, where, ends)
            if not page.degraded and is_past(wanted, self._clock.now_ms()):
                self._known.keep_past(key, page, now)
            elif not page.degraded and wanted == Range() and set(places) <= ends.found.keys():
                self._known.keep_newest(key, newest(page, ends.found, now))
        return page

    async def _with_news(
        self, key: Hashable, followed: Mapping[str, Followed], places: Collection[Partition], bound: Bound
    ) -> FeedPage | None:
        """The newest page by the one that is known, and what came since; None: it is not known."""
        known = self._known.newest(key, self._clock.monotonic())
        if known is None or not set(places) <= known.ends.keys():
            return None
        ends = Ends(self._ends)
        starts = {place: Watermark(end, 0) for place, end in known.ends.items()}
        found = await self._reading(self._tail(followed, starts, Range(), bound, ends).read)
        if not known.ends.keys() <= ends.found.keys():
            return None
        known, page = known.with_news(found, ends.found, bound)
        self._known.keep_newest(key, known)
        return page

    async def _whole(
        self, followed: Mapping[str, Followed], wanted: Range, bound: Bound, where: Where, ends: Ends
    ) -> FeedPage:
        topic_id, places = where[0], sorted(where[1])

        def tail(marks: Mapping[int, Watermark]) -> FeedTail:
            of_places = {place: marks[place.partition] for place in places}
            return self._tail(followed, of_places, wanted, bound, ends)

        async def both(generation: int, marks: Mapping[int, Watermark]) -> dict[int, bytes]:
            # At once: the log from the watermarks on has what came since, whatever the index has of it.
            older = indexed(self._index, generation, followed, wanted, bound)
            found, newer = await asyncio.gather(older, self._reading(tail(marks).read))
            return {**found, **newer}

        numbers, found = [place.partition for place in places], None
        if self._index_answers():
            try:
                found = await self._index.complete_all(Kind.BROADCAST, numbers, topic_id, both)
            except (ApiError, TransportError) as error:
                self._index_failed(error)
        if found is None:
            alone = await self._reading(tail(dict.fromkeys(numbers, Watermark())).read)
            return page_of(alone, wanted, bound, degraded=not self._index_answers())
        return page_of(found, wanted, bound, degraded=False)

    def _tail(
        self,
        followed: Mapping[str, Followed],
        marks: Mapping[Partition, Watermark],
        wanted: Range,
        bound: Bound,
        ends: Ends,
    ) -> FeedTail:
        event, shown = partial(event_of, self._codec), partial(render, Kind.BROADCAST)
        return FeedTail(followed, marks, wanted, bound, decode=event, render=shown, ends=ends)

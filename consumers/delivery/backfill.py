"""Reads what no ring holds any more, once for all who ask: one read a stream is under way at a time.

Ten thousand viewers who come back at once with cursors of their own cost a few reads: each starts at the
lowest cursor that waits, and its page serves everybody whose cursor lies in it. docs/protocol.md §5.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Final, Protocol, TypeVar

from consumers.delivery.feeds import Feed, base_of
from consumers.delivery.subscription import Page
from consumers.transport.frames import event_frame
from history.visible import Reader, ReadPage, members_at
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ, Stream
from kernel.process.logs import get_logger

_log = get_logger("touchline.backfill")
PAGE_EVENTS: Final = 500
#: Pages of the past do not change; so many of the latest stay at hand for whoever comes with a like cursor.
MAX_PAGES: Final = 64
MAX_PAGE_BYTES: Final = 64 * 1024 * 1024
MAX_FRUITLESS: Final = 100
FRUITLESS_PAUSE_S: Final = 0.05
K = TypeVar("K")
V = TypeVar("V")
Wake = Callable[[TouchlineError | None], None]


class History(Reader, Protocol):
    """Reading a stream's past, complete up to its head."""

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None: ...


class _Reads:
    """What is asked of one feed's past."""

    __slots__ = ("feed", "fruitless", "heads", "lasts", "pages", "task")

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.heads: list[Wake] = []
        self.lasts: dict[int, list[Wake]] = {}
        self.pages: list[tuple[int, Wake]] = []
        self.task: asyncio.Task[None] | None = None
        self.fruitless = 0

    def all_waiting(self) -> list[Wake]:
        waiting = [*self.heads, *(w for ws in self.lasts.values() for w in ws), *(w for _, w in self.pages)]
        self.heads, self.lasts, self.pages = [], {}, []
        return waiting


class Backfill:
    """Pages of history for subscriptions."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._reads: dict[Feed, _Reads] = {}
        self._pages: OrderedDict[tuple[Feed, int], Page] = OrderedDict()
        self._page_bytes = 0
        self._starts: OrderedDict[tuple[Feed, int, int], int] = OrderedDict()

    def page(self, feed: Feed, after: int, wake: Wake) -> Page | None:
        """The page in which `after` lies, or None, and `wake` is called when it is there."""
        if not feed.in_history:
            floor = feed.ring.floor
            return Page(feed, start=after, end=floor, seqs=[], frames=[], missing_below=floor + 1)
        for place, page in self._pages.items():
            if place[0] is feed and page.start <= after < page.end:
                self._pages.move_to_end(place)
                return page
        self._ask(feed).pages.append((after, wake))
        return None

    def head(self, feed: Feed, wake: Wake) -> int | None:
        """The stream's latest sequence number; history is asked only where no record has told."""
        if feed.ring.head or feed.ring.floor == 0 or not feed.in_history:
            return feed.ring.head
        self._ask(feed).heads.append(wake)
        return None

    def start_of_last(self, feed: Feed, count: int, wake: Wake) -> int | None:
        """The place after which the last `count` events follow."""
        if not feed.in_history:
            return max(feed.ring.floor, 0)
        found = self._starts.get((feed, count, feed.ring.head))
        if found is None:
            self._ask(feed).lasts.setdefault(count, []).append(wake)
        return found

    async def newest(self, stream: Stream) -> int:
        """As of which change of its room the latest event that is in history counts."""
        page = await self._history.read(stream, before=MAX_SEQ, limit=1)
        return members_at(page.events[-1]) if page.events else 0

    async def close(self) -> None:
        """Stop reading."""
        tasks = [reads.task for reads in self._reads.values() if reads.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def forget(self, channels: Collection[str] | None) -> None:
        """Something of these channels (None: of any) is not to be shown any more: pages of them, and of
        streams that hold copies of others, are read again."""
        self._drop(lambda feed: channels is None or feed.copies or base_of(feed) in channels)

    def _drop(self, which: Callable[[Feed], bool]) -> None:
        for place in [place for place in self._pages if which(place[0])]:
            self._page_bytes -= self._pages.pop(place).bytes

    def _ask(self, feed: Feed) -> _Reads:
        reads = self._reads.get(feed)
        if reads is None:
            reads = self._reads[feed] = _Reads(feed)
            reads.task = asyncio.get_running_loop().create_task(self._serve(reads))
        return reads

    async def _serve(self, reads: _Reads) -> None:
        try:
            while reads.heads or reads.lasts or reads.pages:
                try:
                    waiting = await self._read_once(reads)
                    failure = None
                except TouchlineError as error:
                    _log.warning("history cannot be read", stream=reads.feed.stream, why=str(error))
                    waiting, failure = reads.all_waiting(), error
                for wake in waiting:
                    wake(failure)
        finally:
            del self._reads[reads.feed]

    async def _read_once(self, reads: _Reads) -> list[Wake]:
        feed = reads.feed
        stream, ring = Stream.parse(feed.stream), feed.ring
        if reads.heads:
            found = await self._history.read(stream, before=MAX_SEQ, limit=1)
            if await self._lags(reads, found):
                return []
            head = found.seqs[-1] if found.seqs else 0
            ring.learn_head(head)
            waiting, reads.heads = reads.heads, []
            return waiting
        if reads.lasts:
            count, head = next(iter(reads.lasts)), ring.head
            before = await self._history.read(stream, before=head + 1, limit=count)
            if await self._lags(reads, before):
                return []
            first = before.seqs[0] - 1 if before.more else 0
            if before.events:
                # Not up to the head: what the ring holds the log may not have yet.
                self._keep(_page(feed, first, before, reaches=ring.floor))
            missing = count - len(before.events)
            while before.more and missing > 0:  # pages end at a size too: what lies before is only counted
                before = await self._history.read(stream, before=first + 1, limit=missing)
                first = before.seqs[0] - 1 if before.more and before.seqs else 0
                missing -= len(before.events)
            self._remember(self._starts, (feed, count, head), first)
            # If the head moves on meanwhile, what was read is still the last `count` events of the past.
            self._remember(self._starts, (feed, count, ring.head), first)
            return reads.lasts.pop(count)
        after, floor = min(place for place, _ in reads.pages), ring.floor
        found = await self._history.read(stream, after=after, limit=PAGE_EVENTS)
        if not found.more and await self._lags(reads, found, after):
            return []
        page = _page(
            feed,
            after,
            found,
            reaches=0 if found.more else floor,
            missing_below=await self._missing_below(feed, stream, after, found),
        )
        if not found.more and ring.head == 0:
            ring.learn_head(page.end)
        if page.end <= after and not ring.covers(after):
            # The log lags behind the fan-out, by milliseconds: it is asked again, for some time.
            if not await _once_more(reads):
                raise _not_yet()
        else:
            reads.fruitless = 0
        self._keep(page)
        served = [(at, wake) for at, wake in reads.pages if at <= max(page.end, after)]
        reads.pages = [entry for entry in reads.pages if entry not in served]
        return [wake for _, wake in served]

    async def _lags(self, reads: _Reads, found: ReadPage, after: int = 0) -> bool:
        """Whether the log lacks what has come by here and was not kept: then it is to be asked again.

        It lags behind the fan-out, by milliseconds, and for as long as a broker is away by seconds. Retention
        takes the oldest first: where there is something, but not that, it is still to come. Where there is
        nothing it is taken for gone, after some time.
        """
        feed = reads.feed
        if (found.seqs[-1] if found.seqs else after) >= feed.passed:
            if found.seqs and feed.passed:
                feed.passed = reads.fruitless = 0  # from now on the log can be relied on
            return False
        if await _once_more(reads):
            return True
        if found.seqs or after:
            raise _not_yet()
        reads.fruitless = feed.passed = 0
        return False

    async def _missing_below(self, feed: Feed, stream: Stream, after: int, found: ReadPage) -> int:
        """Up to where events above `after` may be gone: retention takes the oldest first.

        So they are not gone if anything up to `after` is still there (§5.4).
        """
        continues = any(place[0] is feed and page.end == after for place, page in self._pages.items())
        if after == 0 or continues or feed.conflates:
            return 0
        earlier = await self._history.read(stream, before=after + 1, limit=1)
        if earlier.seqs:
            return 0
        if earlier.degraded:
            raise TouchlineError("unavailable", "The index, which alone knows this part, does not answer.")
        return found.seqs[0] if found.seqs else max(after, feed.ring.head)

    def _keep(self, page: Page) -> None:
        before = self._pages.get((page.feed, page.start))
        self._page_bytes += page.bytes - (before.bytes if before else 0)
        self._pages[page.feed, page.start] = page
        self._pages.move_to_end((page.feed, page.start))
        while len(self._pages) > MAX_PAGES or (self._page_bytes > MAX_PAGE_BYTES and len(self._pages) > 1):
            self._page_bytes -= self._pages.popitem(last=False)[1].bytes

    @staticmethod
    def _remember(cache: OrderedDict[K, V], key: K, value: V) -> None:
        cache[key] = value
        if len(cache) > MAX_PAGES:
            cache.popitem(last=False)


async def _once_more(reads: _Reads) -> bool:
    """Whether to ask the log again, after a pause; False when it was asked often enough."""
    reads.fruitless += 1
    if reads.fruitless > MAX_FRUITLESS:
        return False
    await asyncio.sleep(FRUITLESS_PAUSE_S)
    return True


def _not_yet() -> TouchlineError:
    return TouchlineError("unavailable", "The log does not hold yet what has been fanned out.")


def _page(feed: Feed, start: int, found: ReadPage, *, reaches: int, missing_below: int = 0) -> Page:
    """Frames of a page. The first event does not say what came before it: that was not read."""
    seqs = found.seqs
    prevs = [0, *seqs] if feed.ring.chained else [0] * len(seqs)
    frames = [event_frame(prev, body) for prev, body in zip(prevs, found.events, strict=False)]
    end = max(start, reaches, seqs[-1] if seqs else 0)
    return Page(feed, start=start, end=end, seqs=seqs, frames=frames, missing_below=missing_below)

"""Pure parts of reading history: what a page is, where in a partition a sequence number lies, merging.

What all of it rests on: in a partition of `touchline.events.*` the `seq` of first occurrences rises, also
across streams, because all of them come from one ingest partition. A worker that was killed repeats a
stretch; then `seq` jumps back, and rises again without leaving anything out until it is past where it was.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from kernel.log.positions import Stream

MAX_LIMIT: Final = 1000


class Bound(NamedTuple):
    """What a page may hold: so many events, and so many bytes of them unless it is one event alone."""

    events: int
    bytes: int = 1 << 62

    def exceeded(self, events: int, size: int) -> bool:
        """Whether so much is more than it may hold: then nothing further needs to be read for it."""
        return events > self.events or (events > 1 and size > self.bytes)

    def fitting(self, entries: "Sequence[Entry]") -> int:
        """How many of these entries fit, from the first one on."""
        size = 0
        for number, entry in enumerate(entries, 1):
            size += len(entry.body)
            if self.exceeded(number, size):
                return number - 1
        return len(entries)


class Page(NamedTuple):
    """Events of one stream in the order of their `seq`: no doubles, nothing missing between them."""

    #: Each event's JSON object, as viewers see it.
    events: list[bytes]
    #: Whether there are more in the direction that was asked for.
    more: bool
    #: The events' `seq`.
    seqs: list[int]
    #: Read from the log alone, because Elasticsearch did not answer: slower, and only as far as the log goes.
    degraded: bool = False


class Watermark(NamedTuple):
    """How far the index is complete and findable in one partition."""

    #: Everything before this offset of the events topic.
    offset: int = 0
    #: The highest `seq` before that offset; 0 where there is none.
    seq: int = 0


class Span(NamedTuple):
    """What is read of a stream: events of an append time that its channel's retention class still keeps."""

    stream: Stream
    #: Earlier ones are not there, though the log holds them and the index may for a while. 0: all are.
    since: int = 0
    #: Only replies to this event; empty: all.
    replies_to: str = ""


class Entry(NamedTuple):
    """An event that a reader found."""

    seq: int
    body: bytes


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """In order, one of each `seq`."""
    return [entry for _, entry in sorted({entry.seq: entry for entry in entries}.items())]


def joined(pages: list[Page], bound: Bound, *, forward: bool) -> Page:
    """One page of several partitions' pages, each of which has all that its partition holds there.

    What a page leaves out lies beyond what it holds, so beyond the page that is made of all of them, which
    ends where the first of them does that leaves something out.
    """
    pages = _up_to_the_first_end(pages, forward=forward)
    entries = merged(Entry(*e) for page in pages for e in zip(page.seqs, page.events, strict=True))
    degraded = any(page.degraded for page in pages)
    made = (first_page if forward else last_page)(entries, bound, degraded=degraded)
    return made._replace(more=made.more or any(page.more for page in pages))


def _up_to_the_first_end(pages: list[Page], *, forward: bool) -> list[Page]:
    """The pages without what lies beyond the end of one that has more behind it."""
    ends = [page.seqs[-1 if forward else 0] for page in pages if page.more and page.seqs]
    if not ends:
        return pages
    end = min(ends) if forward else max(ends)
    cut = []
    for page in pages:
        kept = [n for n, seq in enumerate(page.seqs) if (seq <= end if forward else seq >= end)]
        left_out = len(kept) < len(page.seqs)
        cut.append(
            page._replace(
                events=[page.events[n] for n in kept],
                seqs=[page.seqs[n] for n in kept],
                more=page.more or left_out,
            )
        )
    return cut


def first_page(entries: list[Entry], bound: Bound, *, degraded: bool) -> Page:
    """As many as fit of entries that are in order, from the first on."""
    fit = bound.fitting(entries)
    return _page(entries[:fit], more=len(entries) > fit, degraded=degraded)


def last_page(entries: list[Entry], bound: Bound, *, degraded: bool) -> Page:
    """As many as fit of entries that are in order, up to the last."""
    fit = bound.fitting(entries[::-1])
    return _page(entries[len(entries) - fit :], more=len(entries) > fit, degraded=degraded)


def _page(entries: list[Entry], *, more: bool, degraded: bool) -> Page:
    return Page([entry.body for entry in entries], more, [entry.seq for entry in entries], degraded)


def place_of(seq: int, low: int, high: int, seq_at: Callable[[int], int | None], *, near: int = 1) -> int:
    """An offset of [low, high] with every event of at least `seq` at or after it, and every lower one's first
    occurrence before it (to within `near` records after it).

    `seq_at(offset)` is the `seq` of the first record at or after the offset, None at the end. Binary search
    works although repeats make `seq` jump back: what it finds is a place where `seq` rises past the wanted
    one, and such a place lies inside a stretch that leaves nothing out.
    """
    while high - low > near:
        middle = (low + high) // 2
        found = seq_at(middle)
        if found is None or found >= seq:
            high = middle
        else:
            low = middle + 1
    return low

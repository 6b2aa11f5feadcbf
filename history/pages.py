"""Pure parts of reading history: what a page is, where in a partition a sequence number lies, merging.

What all of it rests on: in a partition of `touchline.events.*` the `seq` of first occurrences rises, also
across streams, because all of them come from one ingest partition. A worker that was killed repeats a
stretch; then `seq` jumps back, and rises again without leaving anything out until it is past where it was.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from kernel.positions import Stream

MAX_LIMIT: Final = 1000


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


class Entry(NamedTuple):
    """An event that a reader found."""

    seq: int
    body: bytes


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """In order, one of each `seq`."""
    return [entry for _, entry in sorted({entry.seq: entry for entry in entries}.items())]


def joined(pages: list[Page], limit: int, *, forward: bool) -> Page:
    """One page of several partitions' pages, each of which has all that its partition holds there.

    What a page leaves out lies beyond its `limit` events, so beyond the page made of all of them.
    """
    entries = merged(Entry(*e) for page in pages for e in zip(page.seqs, page.events, strict=True))
    degraded = any(page.degraded for page in pages)
    made = (first_page if forward else last_page)(entries, limit, degraded=degraded)
    return made._replace(more=made.more or any(page.more for page in pages))


def first_page(entries: list[Entry], limit: int, *, degraded: bool) -> Page:
    """The first `limit` of entries that are in order."""
    return _page(entries[:limit], more=len(entries) > limit, degraded=degraded)


def last_page(entries: list[Entry], limit: int, *, degraded: bool) -> Page:
    """The last `limit` of entries that are in order."""
    return _page(entries[-limit:], more=len(entries) > limit, degraded=degraded)


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

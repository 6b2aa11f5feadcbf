"""Feeds' pages that were read lately: those of the past as they were, the newest with how far the log was.

Who looks at a feed again, or follows the same channels as somebody else, is given the newest page that is
known and what the log has from there on: the index is not asked.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

from history.feed import FeedPage, Range, page_of
from history.pages import Bound
from kernel.log.records import Partition

#: How long pages are kept, and how much of them: retention and erasures go on meanwhile.
_KNOWN_S: Final = 30.0
_KNOWN_BYTES: Final = 16 * 1024 * 1024

T = TypeVar("T")
#: Says where partitions end, of all at once; nothing where that is not answered.
EndsOf = Callable[[Collection[Partition]], Mapping[Partition, int]]


class Newest(NamedTuple):
    """The newest page of a feed."""

    entries: Mapping[int, bytes]
    more: bool
    #: Up to here the log is in it.
    ends: Mapping[Partition, int]
    #: When all of it was read: from then on only what came was.
    since: float

    def with_news(
        self, found: Mapping[int, bytes], ends: Mapping[Partition, int], bound: Bound
    ) -> tuple["Newest", FeedPage]:
        """The same with what the log has had since, up to these ends."""
        page = page_of({**self.entries, **found}, Range(), bound, degraded=False)
        page = page._replace(more=page.more or self.more)
        return newest(page, ends, self.since), page


def newest(page: FeedPage, ends: Mapping[Partition, int], since: float) -> Newest:
    """A page as what is known of a feed."""
    entries = dict(zip(map(int, page.ids), page.events, strict=True))
    return Newest(entries, page.more, ends, since)


class Ends:
    """Asks where partitions end, and remembers the answer."""

    def __init__(self, of: EndsOf) -> None:
        self._of = of
        self.found: Mapping[Partition, int] = {}

    def __call__(self, places: Collection[Partition]) -> Mapping[Partition, int]:
        self.found = self._of(places)
        return self.found


class Kept(Generic[T]):
    """What was read lately, as long as it counts, and as much as there is room for."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[float, int, T]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, now: float) -> T | None:
        """What is known; None: nothing, or it was read too long ago."""
        found = self._kept.get(key)
        if found is None or now - found[0] > _KNOWN_S:
            return None
        self._kept.move_to_end(key)
        return found[2]

    def put(self, key: Hashable, value: T, size: int, read_at: float) -> None:
        """Keep it for a while from when it was read."""
        old = self._kept.pop(key, None)
        self._kept[key] = read_at, size + 1024, value
        self._bytes += size + 1024 - (0 if old is None else old[1])
        while self._bytes > _KNOWN_BYTES:
            _, (_, gone, _) = self._kept.popitem(last=False)
            self._bytes -= gone


class KnownPages:
    """Of one gateway, or edge."""

    def __init__(self) -> None:
        self._past, self._newest = Kept[FeedPage](), Kept[Newest]()

    def past(self, key: Hashable, now: float) -> FeedPage | None:
        """A page of which nothing can change any more but what is shown of it."""
        return self._past.get(key, now)

    def keep_past(self, key: Hashable, page: FeedPage, now: float) -> None:
        """Nothing comes before an id that is a minute old."""
        self._past.put(key, page, sum(map(len, page.events)), now)

    def newest(self, key: Hashable, now: float) -> Newest | None:
        """The newest page, and how far it goes."""
        return self._newest.get(key, now)

    def keep_newest(self, key: Hashable, known: Newest) -> None:
        """It counts from when all of it was read."""
        self._newest.put(key, known, sum(map(len, known.entries.values())), known.since)

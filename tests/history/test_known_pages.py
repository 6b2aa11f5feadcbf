"""What is known of feeds: the newest page goes on with what came since, and nothing counts for ever."""

from history.feed import FeedPage
from history.known_pages import Kept, KnownPages, newest
from history.pages import Bound
from kernel.log.records import Partition

PLACE = Partition("events", 0)


def page(*ids: int, more: bool = False) -> FeedPage:
    return FeedPage([b"%d" % one for one in ids], more, [str(one) for one in ids])


def test_the_newest_page_goes_on_with_what_came_since() -> None:
    known = newest(page(5, 4, 3), {PLACE: 10}, since=1.0)
    known, shown = known.with_news({6: b"6", 5: b"5"}, {PLACE: 12}, Bound(4))
    assert (shown.ids, shown.more) == (["6", "5", "4", "3"], False)
    known, shown = known.with_news({7: b"7"}, {PLACE: 13}, Bound(4))
    assert (shown.ids, shown.more) == (["7", "6", "5", "4"], True)
    known, shown = known.with_news({}, {PLACE: 13}, Bound(4))
    assert (shown.ids, shown.more) == (["7", "6", "5", "4"], True), (
        "there are more, though they are not known"
    )
    assert (known.ends, known.since) == ({PLACE: 13}, 1.0)


def test_it_counts_from_when_all_of_it_was_read() -> None:
    known = KnownPages()
    first = newest(page(1), {PLACE: 1}, since=100.0)
    known.keep_newest("ana", first)
    again, _ = first.with_news({2: b"2"}, {PLACE: 2}, Bound(4))
    known.keep_newest("ana", again)
    assert known.newest("ana", 130.0) == again
    assert known.newest("ana", 130.1) is None
    assert known.newest("bob", 100.0) is None


def test_there_is_room_for_so_much() -> None:
    kept = Kept[str]()
    for number in range(20):
        kept.put(number, "large", 1024 * 1024, 0.0)
    assert [number for number in range(20) if kept.get(number, 1.0)] == list(range(5, 20))
    for _ in range(100):
        kept.put(19, "the same again", 1024 * 1024, 0.0)
    assert kept.get(5, 1.0) == "large"

"""The log lags behind the fan-out, and an edge keeps no location that nobody watches: nothing is missed."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import given

from consumers.delivery.backfill import Backfill
from consumers.delivery.hub import Hub
from consumers.delivery.subscription import Subscription
from consumers.protocol.messages import Subscribe
from kernel.log.positions import Stream
from tests.consumers.delivery import viewers as chat
from tests.consumers.delivery.test_conflation import SHARD, decode, moved, place, watching
from tests.consumers.delivery.viewers import Socket


class HistoryPage(NamedTuple):
    seqs: list[int]
    events: list[bytes]
    more: bool = False
    degraded: bool = False


class Lagging:
    """A log of which only so much can be read yet."""

    def __init__(self, body: Callable[[int], bytes]) -> None:
        self.seqs: list[int] = []
        self.shown = 0
        self._body = body

    async def read(
        self,
        stream: Stream,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
        replies_to: str = "",
    ) -> HistoryPage:
        await asyncio.sleep(0)
        there = [seq for seq in self.seqs[: self.shown] if (after or 0) < seq < (before or 1 << 60)]
        found = there[:limit] if after is not None else there[-limit:]
        return HistoryPage(found, [self._body(seq) for seq in found], more=len(there) > limit)

    async def replies(self, stream: Stream, events: Any, spans: Any = None) -> dict[str, int]:
        return {}

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None:
        raise AssertionError(event_id, stream)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.delivery.backfill.FRUITLESS_PAUSE_S", 0)


def sender(seq: int) -> str:
    return "abc"[seq % 3]


def locations() -> tuple[Hub, Lagging, Backfill]:
    log = Lagging(lambda seq: place(seq, sender(seq)))
    return Hub(decode, ring_events=8, ring_bytes=1 << 20, selective="location"), log, Backfill(log)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0)


def here(viewer: Socket) -> Subscription:
    assert viewer.subscription is not None
    return viewer.subscription


@pytest.mark.parametrize("watched", [False, True], ids=["nobody watched", "somebody watched, and left"])
@pytest.mark.parametrize("goes_on", [False, True], ids=["and nothing follows", "and more follows at once"])
async def test_a_position_that_came_by_before_the_log_showed_it_is_not_missed(
    watched: bool, goes_on: bool
) -> None:
    edge, log, past = locations()
    left = here(watching(edge, past)) if watched else None
    log.seqs, log.shown = [1, 2, 3], 1
    edge.take("location", [moved(seq, sender(seq)) for seq in log.seqs])
    if left is not None:
        left.close()
        edge.leave(left.audience)
    viewer = watching(edge, past, after=1)
    if goes_on:
        log.seqs.append(4)
        edge.take("location", [moved(4, sender(4))])
    for _ in range(20):
        await asyncio.sleep(0)
    log.shown = len(log.seqs)
    await until(lambda: here(viewer).positions is None)
    assert viewer.seqs == log.seqs[1:]
    edge.take("location", [moved(5, sender(5))])
    assert viewer.seqs == [*log.seqs[1:], 5]
    await past.close()


async def test_where_the_log_lags_for_long_the_viewer_is_told_to_come_again() -> None:
    edge, log, past = locations()
    log.seqs, log.shown = [1, 2], 1
    edge.take("location", [moved(1), moved(2)])
    viewer = watching(edge, past, after=1)
    await until(lambda: viewer.refusals)
    assert [refusal.code for refusal in viewer.refusals] == ["unavailable"]
    assert viewer.seqs == []
    log.shown = 2
    assert await arrives(watching(edge, past, after=1)) == [2]
    await past.close()


@pytest.mark.parametrize("watched", [False, True], ids=["nobody watches", "somebody watches"])
async def test_what_a_full_ring_forgot_before_the_log_showed_it_is_not_missed(watched: bool) -> None:
    log = Lagging(lambda seq: place(seq, f"s{seq}"))
    edge, past = Hub(decode, ring_events=8, ring_bytes=1500, selective="location"), Backfill(log)
    log.seqs, log.shown = list(range(1, 10)), 1
    if watched:
        await arrives(watching(edge, past))
    else:  # of the channel's chat somebody sees, so that its locations are taken, too
        edge.feed("chat:match", SHARD.key.encode(), whole=True)
    edge.take("location", [moved(seq, f"s{seq}") for seq in log.seqs])
    if not watched:
        edge.take("live", [chat.raw(seq, "other") for seq in range(1, 20)])
        edge.feed("chat:other", b"other#1#0", whole=True)
        edge.take("live", [chat.raw(seq, "other") for seq in range(20, 40)])
    viewer = watching(edge, past, after=1)
    for _ in range(20):
        await asyncio.sleep(0)
    log.shown = len(log.seqs)
    assert await arrives(viewer) == log.seqs[1:]
    await past.close()


async def test_what_the_log_has_no_more_is_not_waited_for_for_ever() -> None:
    edge, _, past = locations()
    edge.take("location", [moved(1)])
    viewer = watching(edge, past)
    await until(lambda: viewer.sent)
    edge.take("location", [moved(2)])
    assert viewer.seqs == [2]
    await past.close()


async def test_what_the_ring_holds_and_the_log_does_not_yet_is_among_the_last() -> None:
    log = Lagging(chat.body)
    edge, past = Hub(chat.decode, ring_events=8, ring_bytes=1 << 20), Backfill(log)
    log.seqs, log.shown = [1, 2, 3, 4], 2
    edge.take("live", [chat.raw(3), chat.raw(4)])
    audience = edge.audience(chat.STREAM, chat.SHARD, 0, lambda _: False)
    viewer = Socket()
    viewer.subscription = Subscription(viewer, audience, Subscribe(id=1, stream="chat:final", last=4))
    viewer.subscription.advance(past)
    assert await arrives(viewer) == [1, 2, 3, 4]
    await past.close()


async def arrives(viewer: Socket) -> list[int]:
    await until(lambda: here(viewer).positions is None)
    return viewer.seqs


Step = tuple[str, int]
STEPS: Any = st.lists(
    st.one_of(
        st.tuples(st.just("fan out"), st.integers(1, 3)),
        st.tuples(st.just("catch up"), st.integers(1, 3)),
        st.tuples(st.just("come"), st.integers(0, 3)),
        st.tuples(st.just("leave"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.integers(1, 9)),
    ),
    max_size=30,
)


@given(STEPS)
async def test_whoever_comes_whenever_has_everybodys_latest_position_in_the_end(steps: list[Step]) -> None:
    edge, log, past = locations()
    log.seqs = [1]  # of a time before this edge
    log.shown = 1
    viewers: list[tuple[int, Socket]] = []
    for what, number in steps:
        match what:
            case "fan out":
                new = [log.seqs[-1] + 1 + n for n in range(number)]
                log.seqs += new
                edge.take("location", [moved(seq, sender(seq)) for seq in new])
            case "catch up":
                log.shown = min(len(log.seqs), log.shown + number)
            case "come":
                after = max(1, log.seqs[-1] - number)
                viewers.append((after, watching(edge, past, after=after)))
            case "leave" if viewers:
                gone = here(viewers.pop(number % len(viewers))[1])
                gone.close()
                edge.leave(gone.audience)
            case "wait":
                for _ in range(number):
                    await asyncio.sleep(0)
    log.shown = len(log.seqs)
    for after, viewer in viewers:
        await until(lambda viewer=viewer: here(viewer).positions is None)  # type: ignore[misc]
        latest = {sender(seq): seq for seq in log.seqs if seq > after}
        assert {sender(seq): seq for seq in viewer.seqs} == latest
        assert viewer.seqs == sorted(set(viewer.seqs))
    await past.close()

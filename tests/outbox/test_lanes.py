"""A receiver's queue: in order of each channel, whatever fails; what is not sent yet is on the log."""

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace
from prometheus_client import REGISTRY

from kernel.clock import SystemClock
from kernel.log.records import Partition
from kernel.settings.outbox import Outbox
from outbox.forwarding.lanes import Receiver, Told
from outbox.outlets.outlet import DONE, Item, Outcome

PLACE = Partition("t.events.chat", 0)
QUICK = Outbox(first_retry_s=0.01, max_retry_s=0.05, connections=4, queued=50)


def item(offset: int, channel: str = "a", at_ms: int | None = None, body: bytes = b"{}") -> Item:
    at = SystemClock().now_ms() if at_ms is None else at_ms
    return Item(PLACE, offset, channel, f"chat:{channel}", str(offset), "message", at, body)


class Way:
    """An outlet that answers as a test says."""

    sort = "test"

    def __init__(self, answer: Callable[[Item], Outcome] = lambda _: DONE, *, digests: bool = False) -> None:
        self.digests, self.answer, self.at_once = digests, answer, 0
        self.sent: list[int] = []
        self.messages = self.under_way = self.most_under_way = 0
        self.hold = 0

    async def deliver(self, items: Sequence[Item]) -> Outcome:
        assert len(items) == 1 or self.digests
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        outcome = self.answer(items[0])
        if outcome is DONE:
            self.sent += [one.offset for one in items]
            self.messages += 1
        return outcome

    def hold_until(self, now_ms: int) -> int:
        return self.hold


class Watched:
    """A receiver, and what it has told."""

    def __init__(self, way: Way, settings: Outbox = QUICK) -> None:
        self.given_up: list[int] = []
        self.gone = self.rooms = 0
        self.tasks: set[asyncio.Task[None]] = set()
        told = Told(
            lambda *_: None, lambda _, one, __: self.given_up.append(one.offset), self._gone, self._room
        )
        self.receiver = Receiver("r", way, settings, SystemClock(), spawn=self._spawn, told=told)

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _gone(self, _: Receiver) -> None:
        self.gone += 1

    def _room(self, _: Receiver) -> None:
        self.rooms += 1

    async def until_idle(self) -> None:
        async with asyncio.timeout(60):
            while not self.receiver.idle:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


async def test_a_channels_events_go_out_in_order_whatever_fails() -> None:
    dice = random.Random(7)
    way = Way(lambda _: DONE if dice.random() < 0.7 else Outcome("again", "at random"))
    watched = Watched(way)
    for offset in range(40):
        watched.receiver.offer(item(offset, "abcd"[offset % 4]))
    await watched.until_idle()
    assert sorted(way.sent) == list(range(40))
    for rest in range(4):
        of_channel = [offset for offset in way.sent if offset % 4 == rest]
        assert of_channel == sorted(of_channel)
    assert way.most_under_way > 1


async def test_channels_do_not_wait_for_one_another() -> None:
    way = Way(lambda one: Outcome("again", "never") if one.channel == "a" else DONE)
    watched = Watched(way, Outbox(first_retry_s=60, connections=4))
    watched.receiver.offer(item(0, "a"))
    for offset in range(1, 10):
        watched.receiver.offer(item(offset, "b"))
    async with asyncio.timeout(60):
        while len(way.sent) < 9:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert watched.receiver.lane(PLACE).place == 0
    watched.receiver.close()


async def test_who_is_down_is_tried_by_one_event_alone_and_as_late_as_it_asks() -> None:
    tried = 0

    def down(_: Item) -> Outcome:
        nonlocal tried
        tried += 1
        return Outcome("again", "503", 60.0 if tried == 10 else None)

    way = Way(down)
    watched = Watched(way)
    for offset in range(20):
        watched.receiver.offer(item(offset, str(offset)))
    async with asyncio.timeout(60):
        while tried < 10:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.2)
    assert tried == 10  # Retry-After is kept, by all channels
    way.answer = lambda _: DONE
    watched.receiver.again()  # an operator knows better
    await watched.until_idle()
    assert sorted(way.sent) == list(range(20))


async def test_what_does_not_fit_into_memory_stays_on_the_log() -> None:
    way = Way()
    way.hold = 1 << 60
    watched = Watched(way)
    for offset in range(60):
        watched.receiver.offer(item(offset))
    lane = watched.receiver.lane(PLACE)
    assert watched.receiver.queued == 50
    assert (lane.place, lane.behind_from) == (0, 50)
    way.hold = 0
    watched.receiver.again()
    async with asyncio.timeout(60):
        while not watched.rooms:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert way.sent == sorted(way.sent)
    watched.receiver.close()


async def test_large_events_stay_on_the_log_sooner_and_one_is_in_memory_however_large() -> None:
    way = Way()
    way.hold = 1 << 60
    watched = Watched(way, replace(QUICK, queued_bytes=1000))
    for offset in range(10):
        watched.receiver.offer(item(offset, body=bytes(400)))
    lane = watched.receiver.lane(PLACE)
    assert (watched.receiver.queued, lane.behind_from) == (3, 3)
    way.hold = 0
    watched.receiver.again()
    async with asyncio.timeout(60):
        while not watched.rooms:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    watched.receiver.close()
    large = Watched(Way(), replace(QUICK, queued_bytes=1000))
    large.receiver.offer(item(0, body=bytes(5000)))
    await large.until_idle()
    assert not large.receiver.queued_bytes


async def test_a_partition_that_comes_back_while_a_post_is_under_way_goes_on() -> None:
    held = asyncio.Event()
    way = Way()
    deliver = way.deliver

    async def slowly(items: Sequence[Item]) -> Outcome:
        await held.wait()
        return await deliver(items)

    way.deliver = slowly  # type: ignore[method-assign]
    watched = Watched(way)
    watched.receiver.offer(item(0))
    await asyncio.sleep(0)
    watched.receiver.drop(PLACE)
    assert watched.receiver.idle
    watched.receiver.offer(item(0))
    watched.receiver.offer(item(1))
    held.set()
    await watched.until_idle()
    assert way.sent == [0, 0, 1]  # at least once


async def test_who_rests_has_one_alarm_however_much_comes() -> None:
    watched = Watched(Way(lambda _: Outcome("again", "429", 60.0)))
    watched.receiver.offer(item(0, "a"))
    async with asyncio.timeout(60):
        while not watched.receiver.failures:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    before = len(asyncio.all_tasks())
    for offset in range(1, 40):
        watched.receiver.offer(item(offset, str(offset)))
    assert watched.receiver.queued == 40
    assert len(asyncio.all_tasks()) == before
    watched.receiver.close()


async def test_who_is_gone_and_who_never_takes_it() -> None:
    gone = Watched(Way(lambda _: Outcome("gone", "410")))
    gone.receiver.offer(item(0))
    late = Watched(Way(lambda _: Outcome("again", "500")), Outbox(first_retry_s=0.01, give_up_s=0.001))
    late.receiver.offer(item(0, at_ms=1))
    late.receiver.offer(item(1, at_ms=2))
    async with asyncio.timeout(60):
        while not gone.gone or late.given_up != [0, 1]:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await late.until_idle()
    assert late.receiver.lane(PLACE).place is None


async def test_who_takes_one_at_a_time_gets_no_other_channel_beside_it() -> None:
    way = Way()
    way.at_once, way.hold = 1, 1 << 60
    watched = Watched(way)
    for offset in range(6):
        watched.receiver.offer(item(offset)._replace(channel=f"channel-{offset % 3}"))
    way.hold = 0
    watched.receiver.again()
    await watched.until_idle()
    assert (sorted(way.sent), way.most_under_way) == (list(range(6)), 1)


def counted() -> tuple[float, ...]:
    """Events that this sort of outlet has handed over, and posts that failed."""
    names = ("touchline_posted_total", "touchline_posts_failed_total")
    return tuple(REGISTRY.get_sample_value(name, {"outlet": Way.sort}) or 0 for name in names)


async def test_what_was_taken_and_what_was_not_is_counted_by_sort_of_outlet() -> None:
    posted, failed = counted()
    answers = iter([Outcome("again", "503"), DONE, Outcome("again", "503"), DONE, Outcome("gone")])
    watched = Watched(Way(lambda _: next(answers)))
    for offset in range(3):
        watched.receiver.offer(item(offset))
    async with asyncio.timeout(60):
        while not watched.gone:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert counted() == (posted + 2, failed + 2)
    way = Way(digests=True)
    way.hold = 1 << 60
    watched = Watched(way)
    for offset in range(30):
        watched.receiver.offer(item(offset))
    way.hold = 0
    watched.receiver.again()
    await watched.until_idle()
    assert (way.messages, counted()) == (1, (posted + 32, failed + 2))


@pytest.mark.parametrize("number", [1, 3, 30])
async def test_many_at_once_become_a_digest(number: int) -> None:
    way = Way(digests=True)
    way.hold = 1 << 60
    watched = Watched(way)
    for offset in range(number):
        watched.receiver.offer(item(offset))
    way.hold = 0
    watched.receiver.again()
    await watched.until_idle()
    assert way.sent == list(range(number))
    assert way.messages == (number if number < 4 else 1)

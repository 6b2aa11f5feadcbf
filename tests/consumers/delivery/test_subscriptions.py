"""What concerns a channel or a partition is done for who watches it, and asks nothing about the others."""

from collections.abc import Iterable
from typing import Any

from bench.rig.edge_alone import bare_service
from bench.rig.known import KnownByHand
from consumers.service.service import Service
from control.channels.acl import ChannelAcl
from control.channels.channel import ChannelRecord
from kernel.access.tokens import Grants, StaticKeys, Verifier, sign
from kernel.clock import SystemClock
from kernel.log.positions import Kind, Shard, split_lane
from kernel.settings.reading import Auth, Settings
from tests.consumers.delivery.test_unreadable_history import happen
from tests.consumers.heard import messages
from tests.consumers.protocol.test_one_frame import ask, lose, opened, subscribe, watching
from tests.security.wire import HANDSHAKE, Transport

MANY = 20
SECRET = "a-secret-of-thirty-two-bytes-or-more"


class Counting(ChannelAcl):
    """Notes of which channels it was asked."""

    def __init__(self) -> None:
        self.named: dict[str, tuple[str, ...]] = {}
        super().__init__(lambda channel: self.named.get(split_lane(channel)[0], ()))
        self.asked: list[str] = []

    def allow(self, grants: Grants, channel: str) -> bool:
        self.asked.append(channel)
        return super().allow(grants, channel)


def edge() -> tuple[Service, KnownByHand, Counting]:
    registry, readers, auth = KnownByHand(Settings(), SystemClock()), Counting(), Auth(secret=SECRET)
    registry.readers = readers
    verifier = Verifier(auth, StaticKeys(auth), SystemClock())
    return bare_service(registry=registry, verifier=verifier), registry, readers


def spread(channel: str, lanes: int) -> ChannelRecord:
    return ChannelRecord(channel=channel, lanes=lanes)


def watch(service: Service, streams: Iterable[str]) -> Transport:
    token = sign("eve", {"subscribe": ("*",)}, expires_s=2**40, key=SECRET)
    viewer = opened(service, HANDSHAKE[:-2] + f"Authorization: Bearer {token}\r\n\r\n".encode())
    ask(viewer, *(subscribe(number, stream) for number, stream in enumerate(streams, 1)))
    viewer.written.clear()
    return viewer


async def test_a_channels_new_readers_are_checked_against_who_watches_it_and_nobody_else() -> None:
    service, _, readers = edge()
    others = [watch(service, ["chat:other"]) for _ in range(MANY)]
    one = watch(service, ["chat:a", "location:a", "chat:a~0", "chat:other"])
    readers.asked.clear()
    readers.named["a"] = ("ana",)
    service.subscriptions.recheck("a")
    assert readers.asked == ["a"] * 3
    refused = {message["stream"] for message in messages(one, "error")}
    assert refused == {"chat:a", "location:a", "chat:a~0"}
    assert watching(service) == MANY + 1
    for viewer in (one, *others):
        lose(viewer)
    await service.close()


async def test_partitions_that_go_are_asked_for_once_an_audience_and_their_viewers_wait() -> None:
    service, _, _ = edge()
    asked: list[Shard] = []

    def serves(_: Kind, shard: Shard) -> bool:
        asked.append(shard)
        return shard.channel != "a"

    viewers = [watch(service, ["chat:a", "chat:b"]) for _ in range(MANY)]
    service.subscriptions.suspend(serves)
    assert sorted(shard.channel for shard in asked) == ["a", "b"]
    happen(service, 1, 1)
    assert not any(messages(viewer, "event") for viewer in viewers)
    assert service.subscriptions.move(serves, lambda _: None) == MANY, "nobody serves it yet"
    assert service.subscriptions.move(lambda *_: True, lambda _: None) == 0
    happen(service, 2, 1)
    assert {events(viewer) for viewer in viewers} == {(1, 2)}
    for viewer in viewers:
        lose(viewer)
    await service.close()


def events(viewer: Transport) -> tuple[Any, ...]:
    return tuple(event["seq"] for event in messages(viewer, "event"))


async def test_who_waits_for_a_partition_and_leaves_is_not_waited_for() -> None:
    service, _, _ = edge()
    gone, stays = watch(service, ["chat:a"]), watch(service, ["chat:a"])
    service.subscriptions.suspend(lambda *_: False)
    lose(gone)
    assert service.subscriptions.move(lambda *_: False, lambda _: None) == 1
    lose(stays)
    asked: list[Shard] = []

    def serves(_: Kind, shard: Shard) -> bool:
        asked.append(shard)
        return False

    service.subscriptions.suspend(serves)
    assert not asked, "nothing is kept of who has left"
    await service.close()


async def test_lanes_that_a_channel_gets_are_watched_by_who_watches_it_already() -> None:
    service, registry, _ = edge()
    viewers = [watch(service, ["chat:a"]), watch(service, ["chat:b"])]
    registry.set_channel(spread("a", 2))
    service.subscriptions.widen("a")
    feeds = {
        audience.name: [feed.stream for feed in audience.feeds]
        for audience in service.subscriptions.hub.audiences()
    }
    assert feeds == {"chat:a": ["chat:a", "chat:a~0", "chat:a~1"], "chat:b": ["chat:b"]}
    for viewer in viewers:
        lose(viewer)
    await service.close()

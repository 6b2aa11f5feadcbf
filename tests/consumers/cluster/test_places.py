"""docs/protocol.md §3.4: what a device has acknowledged, up to the record that is sent of it."""

from typing import Any

import pytest

from bench.rig.edge_alone import bare_service
from consumers.cluster import acknowledgements
from consumers.cluster.acknowledgements import PlaceBook
from consumers.delivery.hub import Raw
from consumers.service.service import Service
from control.inbox.tables import Inboxes
from control.inbox.unread import ReadUpTo
from history.pages import Page
from kernel.access.tokens import StaticKeys, Verifier, sign
from kernel.clock import ManualClock
from kernel.errors import TouchlineError
from kernel.log.positions import Stream
from kernel.settings.reading import Auth, Settings
from schemas.codec import Codec
from tests.consumers.heard import messages
from tests.consumers.protocol.test_one_frame import ask, closed_but_to, lose, opened
from tests.security.wire import HANDSHAKE, Transport

CODEC = Codec("ack")
SECRET = "a-secret-of-thirty-two-bytes-or-more"
PHONE = ("ana", "phone")


class Log:
    """What was written, by key; a queue that may be full."""

    def __init__(self) -> None:
        self.written: list[tuple[str, bytes]] = []
        self.room = 10**9

    def write(self, key: str, value: bytes) -> None:
        if self.room <= 0:
            raise TouchlineError("queue_full", "Too many records are waiting for Kafka.")
        self.room -= 1
        self.written.append((key, value))

    def taken(self) -> dict[str, dict[str, Any]]:
        """What has been written since the last look; no key twice."""
        written, self.written = self.written, []
        found = {key: CODEC.decode(value) for key, value in written}
        assert len(found) == len(written)
        return found

    def acked(self) -> dict[tuple[str, str], dict[str, int]]:
        """By user and device."""
        return {
            (value["user"], device["device"]): device["acked"]
            for value in self.taken().values()
            for device in value["devices"]
            if device["acked"]
        }


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def book(log: Log) -> PlaceBook:
    return PlaceBook(ManualClock(), CODEC, log.write, Inboxes(Settings()))


class Past:
    """A log of which every stream's newest event is the tenth."""

    def __init__(self) -> None:
        self.asked = 0

    async def read(self, stream: Stream, **_: Any) -> Page:
        self.asked += 1
        return Page([b"{}"], more=True, seqs=[10])

    async def replies(self, stream: Stream, events: Any, spans: Any = None) -> dict[str, int]:
        return {}

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None:
        raise NotImplementedError


def edge(book: PlaceBook, clock: ManualClock, **given: Any) -> Service:
    auth = Auth(secret=SECRET)
    keys = Verifier(auth, StaticKeys(auth), clock)
    return bare_service(clock=clock, verifier=keys, book=book, **{"history": Past(), **given})


def put(service: Service, stream: str, seq: int) -> None:
    """An event comes by."""
    body = b'{"stream":"%b","seq":%d}' % (stream.encode(), seq)
    record = {"stream": stream, "seq": seq, "server_ts": 0, "body": body}
    key = f"{stream.partition(':')[2]}#1#0".encode()
    service.subscriptions.hub.take("live", [Raw(0, key, Codec("fanout").encode(record))])


async def ack(
    service: Service, viewer: Transport, stream: str, seq: int, **more: int
) -> list[tuple[int, str]]:
    """Acknowledge, and wait: whether the stream goes so far may have to be asked."""
    at_once = ask(viewer, {"op": "ack", "stream": stream, "seq": seq, **more})
    if at_once:
        return at_once
    await service.tasks.settled()
    replies = [*messages(viewer, "ok"), *messages(viewer, "error")]
    return [(reply["id"], reply.get("code", reply["op"])) for reply in replies if "id" in reply]


def come(service: Service, user: str, device: str) -> Transport:
    expires_s = service.clock.now_ms() / 1000 + 60
    token = sign(user, {"subscribe": ("chat:*",)}, expires_s=expires_s, key=SECRET)
    path = f"/v1/ws?token={token}&device={device}".encode()
    return opened(service, HANDSHAKE.replace(b"/v1/ws", path, 1))


async def test_what_a_viewer_acknowledges_is_written_for_their_user_and_device(log: Log) -> None:
    clock = ManualClock()
    service = edge(book := PlaceBook(clock, CODEC, log.write, Inboxes(Settings())), clock)
    said = [("ana", "phone", 5), ("ana", "tv", 7), ("ben", "phone", 9), ("eve", "", 2)]
    viewers = [come(service, user, device) for user, device, _ in said]
    for viewer, (_, _, seq) in zip(viewers, said, strict=True):
        assert await ack(service, viewer, "chat:a", seq, id=1) == [(1, "ok")]
    clock.advance(2)
    book.flush()
    assert log.acked() == {(user, device): {"chat:a": seq} for user, device, seq in said}
    for viewer in viewers:
        lose(viewer)
    await service.close()


async def test_a_stream_that_one_may_not_watch_cannot_be_acknowledged(book: PlaceBook, log: Log) -> None:
    service = edge(book, ManualClock())
    viewer = come(service, "ana", "phone")
    assert await ack(service, viewer, "location:a", 3, id=1) == [(1, "forbidden")]
    book.flush()
    assert log.acked() == {}
    lose(viewer)
    await service.close()


async def test_an_acknowledgement_without_an_id_counts_and_is_not_answered(book: PlaceBook, log: Log) -> None:
    service = edge(book, ManualClock())
    viewer = come(service, "ana", "phone")
    await ack(service, viewer, "chat:a", 3)
    assert not viewer.written
    book.flush()
    assert log.acked() == {PHONE: {"chat:a": 3}}
    lose(viewer)
    await service.close()


async def test_of_who_came_without_a_token_nothing_is_kept(book: PlaceBook, log: Log) -> None:
    service = bare_service(book=book, history=Past())
    viewer = opened(service, HANDSHAKE)
    assert await ack(service, viewer, "chat:a", 3, id=1) == [(1, "ok")]
    book.flush()
    assert log.acked() == {}
    lose(viewer)
    await service.close()


async def test_nobody_has_what_the_stream_does_not_have_yet(book: PlaceBook, log: Log) -> None:
    service = edge(book, ManualClock())
    viewer = come(service, "ana", "phone")
    assert await ack(service, viewer, "chat:a", 11, id=1) == [(1, "bad_request")]
    assert await ack(service, viewer, "chat:a", 10, id=2) == [(2, "ok")]
    book.flush()
    assert log.acked() == {PHONE: {"chat:a": 10}}
    lose(viewer)
    await service.close()


async def test_whoever_watches_the_stream_is_believed_by_what_its_ring_has(book: PlaceBook, log: Log) -> None:
    past = Past()
    service = edge(book, ManualClock(), history=past)
    viewer = come(service, "ana", "phone")
    ask(viewer, {"op": "subscribe", "id": 1, "stream": "chat:a"})
    await service.tasks.settled()
    put(service, "chat:a", 500)
    assert ask(viewer, {"op": "ack", "id": 2, "stream": "chat:a", "seq": 500}) == [(2, "ok")]
    assert await ack(service, viewer, "chat:a", 501, id=3) == [(3, "bad_request")]
    assert past.asked == 1, "only for what the ring does not have"
    lose(viewer)
    await service.close()


async def test_in_a_channel_that_one_may_not_read_nothing_is_acknowledged_nor_counted(
    book: PlaceBook, log: Log
) -> None:
    service = edge(book, ManualClock(), registry=closed_but_to("ben", "a"))
    viewer, ben = come(service, "ana", "phone"), come(service, "ben", "phone")
    for name in ("chat:a", "chat:a~70"):
        assert await ack(service, viewer, name, 3, id=1) == [(1, "forbidden")]
        assert ask(viewer, {"op": "presence", "id": 2, "stream": name}) == [(2, "forbidden")]
    assert await ack(service, ben, "chat:a", 3, id=1) == [(1, "ok")]
    assert ask(ben, {"op": "presence", "id": 2, "stream": "chat:a"}) == [(2, "presence")]
    book.flush()
    assert log.acked() == {("ben", "phone"): {"chat:a": 3}}
    for each in (viewer, ben):
        lose(each)
    await service.close()


def test_an_acknowledgement_that_comes_late_takes_nothing_back(book: PlaceBook, log: Log) -> None:
    for seq in (5, 9, 7):
        book.acked("ana", "phone", "chat:a", seq)
    book.flush()
    assert log.acked() == {PHONE: {"chat:a": 9}}
    assert book.place("ana", "phone", "chat:a") == 9


def test_a_user_has_one_record_a_second_with_what_rose(log: Log) -> None:
    clock = ManualClock()
    book = PlaceBook(clock, CODEC, log.write, Inboxes(Settings()))
    for device, stream, seq in (("phone", "chat:a", 5), ("phone", "chat:b", 6), ("tv", "chat:a", 7)):
        book.acked("ana", device, stream, seq)
    book.read("ana", "tv", "chat:room-a", ReadUpTo(9, 3))
    book.flush()
    (record,) = log.taken().values()
    assert {one["device"]: one["acked"] for one in record["devices"]} == {
        "phone": {"chat:a": 5, "chat:b": 6}, "tv": {"chat:a": 7},
    }  # fmt: skip
    assert record["read"] == [{"stream": "chat:room-a", "seq": 9, "n": 3}]
    for stream, seq in (("chat:a", 6), ("chat:b", 5), ("chat:b", 4)):
        book.acked("ana", "phone", stream, seq)
    book.flush()
    assert log.taken() == {}, "not before the second is over"
    clock.advance(1)
    book.flush()
    assert log.acked() == {PHONE: {"chat:a": 6}}
    clock.advance(1)
    book.flush()
    assert log.taken() == {}


def test_a_full_queue_loses_nothing(book: PlaceBook, log: Log) -> None:
    log.room = 2
    for user in ("ana", "ben", "cat"):
        book.acked(user, "phone", "chat:a", 1)
    book.flush()
    assert set(log.acked()) == {("ana", "phone"), ("ben", "phone")}
    log.room = 10
    book.flush()
    assert log.acked() == {("cat", "phone"): {"chat:a": 1}}


def test_what_a_device_said_that_is_signed_out_is_not_sent(book: PlaceBook, log: Log) -> None:
    for device in ("phone", "tv"):
        book.acked("ana", device, "chat:a", 3)
    book.forget("ana", "phone")
    book.flush()
    assert log.acked() == {("ana", "tv"): {"chat:a": 3}}


def test_a_book_holds_so_many_and_forgets_what_it_has_not_heard_of_for_longest(
    book: PlaceBook, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledgements, "MAX_PLACES", 4)
    for user, seq in (("ana", 1), ("ben", 2), ("ana", 3), ("cat", 4)):
        book.acked(user, "phone", "chat:a", seq)
    assert log.acked() == {("ben", "phone"): {"chat:a": 2}}, "written before it is forgotten"
    book.flush()
    assert log.acked() == {PHONE: {"chat:a": 3}, ("cat", "phone"): {"chat:a": 4}}

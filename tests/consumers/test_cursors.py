"""docs/protocol.md §3.4: what a device has acknowledged, up to the record that is written of it."""

from typing import Any

import pytest

from bench.fan_servers import bare_service
from consumers import cursors
from consumers.cursors import CursorBook
from consumers.service import Service
from kernel.clock import ManualClock
from kernel.settings import Auth
from kernel.tokens import StaticKeys, Verifier, sign
from schemas.codec import Codec
from tests.consumers.test_one_frame import ask, lose, opened
from tests.security.wire import HANDSHAKE, Transport

CODEC = Codec("cursor")
SECRET = "a-secret-of-thirty-two-bytes-or-more"


def flushed(book: CursorBook) -> dict[str, dict[str, Any]]:
    """What is written now, by key; no key twice."""
    written: list[tuple[str, bytes]] = []
    book.flush(lambda key, value: written.append((key, value)))
    found = {key: CODEC.decode(value) for key, value in written}
    assert len(found) == len(written)
    return found


def acked(book: CursorBook) -> dict[str, dict[str, int]]:
    return {key: value["acked"] for key, value in flushed(book).items()}


@pytest.fixture
def book() -> CursorBook:
    return CursorBook(ManualClock(), CODEC)


def edge(book: CursorBook, clock: ManualClock) -> Service:
    auth = Auth(secret=SECRET)
    service = bare_service(clock=clock, verifier=Verifier(auth, StaticKeys(auth), clock))
    service.cursors = book
    return service


def come(service: Service, user: str, device: str) -> Transport:
    expires_s = service.clock.now_ms() / 1000 + 60
    token = sign(user, {"subscribe": ("chat:*",)}, expires_s=expires_s, key=SECRET)
    path = f"/v1/ws?token={token}&device={device}".encode()
    return opened(service, HANDSHAKE.replace(b"/v1/ws", path, 1))


async def test_what_a_viewer_acknowledges_is_written_for_his_user_and_device(book: CursorBook) -> None:
    clock = ManualClock()
    service = edge(CursorBook(clock, CODEC), clock)
    places = [("ana", "phone", 5), ("ana", "tv", 7), ("ben", "phone", 9)]
    viewers = [come(service, user, device) for user, device, _ in places]
    for viewer, (_, _, seq) in zip(viewers, places, strict=True):
        assert ask(viewer, {"op": "ack", "id": 1, "stream": "chat:a", "seq": seq}) == [(1, "ok")]
    clock.advance(2)
    assert isinstance(service.cursors, CursorBook)
    assert flushed(service.cursors) == {
        f"{user}#{device}": {"user": user, "device": device, "at": clock.now_ms(), "acked": {"chat:a": seq}}
        for user, device, seq in places
    }
    for viewer in viewers:
        lose(viewer)
    await service.close()


async def test_a_stream_that_one_may_not_watch_cannot_be_acknowledged(book: CursorBook) -> None:
    service = edge(book, ManualClock())
    viewer = come(service, "ana", "phone")
    assert ask(viewer, {"op": "ack", "id": 1, "stream": "location:a", "seq": 3}) == [(1, "forbidden")]
    assert flushed(book) == {}
    lose(viewer)
    await service.close()


async def test_an_acknowledgement_without_an_id_counts_and_is_not_answered(book: CursorBook) -> None:
    service = edge(book, ManualClock())
    viewer = come(service, "ana", "phone")
    ask(viewer, {"op": "ack", "stream": "chat:a", "seq": 3})
    assert not viewer.written
    assert acked(book) == {"ana#phone": {"chat:a": 3}}
    lose(viewer)
    await service.close()


def test_an_acknowledgement_that_comes_late_takes_nothing_back(book: CursorBook) -> None:
    for seq in (5, 9, 7):
        book.remember("ana", "phone", "chat:a", seq)
    assert acked(book) == {"ana#phone": {"chat:a": 9}}


def test_only_devices_that_have_got_on_are_written_again(book: CursorBook) -> None:
    for device in ("phone", "tv"):
        book.remember("ana", device, "chat:a", 5)
    assert acked(book).keys() == {"ana#phone", "ana#tv"}
    assert acked(book) == {}
    book.remember("ana", "tv", "chat:a", 6)
    book.remember("ana", "phone", "chat:a", 5)
    book.remember("ana", "phone", "chat:a", 4)
    assert acked(book) == {"ana#tv": {"chat:a": 6}}


def test_a_record_has_all_streams_of_the_device_since_it_replaces_the_one_before(book: CursorBook) -> None:
    book.remember("ana", "phone", "chat:a", 5)
    flushed(book)
    book.remember("ana", "phone", "chat:b", 0)
    assert acked(book) == {"ana#phone": {"chat:a": 5, "chat:b": 0}}


def test_a_device_that_acknowledges_ever_new_streams_is_held_to_so_many(
    book: CursorBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursors, "MAX_STREAMS", 3)
    for seq in range(1, 6):
        book.remember("ana", "phone", f"chat:{seq}", seq)
    book.remember("ana", "phone", "chat:2", 20)
    assert acked(book) == {"ana#phone": {"chat:1": 1, "chat:2": 20, "chat:3": 3}}
    book.remember("ana", "phone", "chat:9", 9)
    assert acked(book) == {}, "what is not kept is no change"


def test_of_more_devices_than_it_holds_a_book_forgets_who_has_not_been_heard_for_longest(
    book: CursorBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursors, "MAX_DEVICES", 2)
    for device, seq in (("phone", 1), ("tv", 2), ("phone", 3), ("watch", 4)):
        book.remember("ana", device, "chat:a", seq)
    assert acked(book) == {"ana#phone": {"chat:a": 3}, "ana#watch": {"chat:a": 4}}

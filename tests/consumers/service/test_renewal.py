"""docs/protocol.md §2.2 on an open WebSocket: its token runs out, is renewed, or becomes another user's."""

from collections.abc import Mapping
from typing import Any

import pytest

from bench.rig.edge_alone import bare_service
from consumers.service.ops.subscriptions import Partitions
from consumers.service.service import Service
from consumers.transport.connection import ViewerConnection
from kernel.access.tokens import StaticKeys, Verifier, sign
from kernel.clock import ManualClock
from kernel.settings.reading import Auth
from tests.consumers.heard import close_code, messages, status
from tests.consumers.protocol.test_one_frame import ask, lose, opened, subscribe, watching
from tests.security.wire import HANDSHAKE, Transport

SECRET = "a-secret-of-thirty-two-bytes-or-more"
CHAT: Mapping[str, tuple[str, ...]] = {"subscribe": ("chat:*",)}


class Place:
    """An edge that wants tokens, and its clock. Tokens hold five seconds longer than they say."""

    def __init__(self, partitions: Partitions | None = None) -> None:
        self.clock, auth = ManualClock(), Auth(secret=SECRET, leeway_s=5)
        verifier = Verifier(auth, StaticKeys(auth), self.clock)
        self.service: Service = bare_service(clock=self.clock, verifier=verifier, partitions=partitions)

    def token(self, user: str, for_s: float, can: Mapping[str, tuple[str, ...]] = CHAT) -> str:
        return sign(user, can, expires_s=self.clock.now_ms() / 1000 + for_s, key=SECRET)

    def come(self, token: str | None, transport: Transport | None = None) -> Transport:
        head = HANDSHAKE
        if token is not None:
            head = head[:-2] + f"Authorization: Bearer {token}\r\n\r\n".encode()
        return opened(self.service, head, transport)

    def pass_(self, seconds: float) -> None:
        """Time passes, and every connection sees it. Nobody is silent."""
        self.clock.advance(seconds)
        for connection in self.service.admission.connections():
            if isinstance(connection, ViewerConnection):
                connection.session.alive(self.clock.monotonic())
            connection.tick(self.clock.monotonic(), self.clock.now_ms() / 1000)

    async def authenticate(self, viewer: Transport, token: str) -> None:
        ask(viewer, {"op": "auth", "id": 9, "token": token})
        await self.service.tasks.settled()

    async def end(self, *viewers: Transport) -> None:
        for viewer in viewers:
            lose(viewer)
        assert not self.service.admission.users
        await self.service.close()


def ok(viewer: Transport) -> list[Any]:
    return [(message["id"], message["user"]) for message in messages(viewer, "ok")]


async def test_a_token_that_runs_out_closes_the_connection_with_4203() -> None:
    place = Place()
    short, long = place.come(place.token("ana", 60)), place.come(place.token("ana", 90))
    place.pass_(64.9)
    assert close_code(short) is None
    place.pass_(0.2)
    assert close_code(short) == 4203
    assert close_code(long) is None
    await place.end(short, long)


async def test_a_newer_token_keeps_the_connection_and_what_it_watches() -> None:
    place = Place()
    viewer = place.come(place.token("ana", 60))
    ask(viewer, subscribe(1, "chat:a"))
    place.pass_(50)
    await place.authenticate(viewer, place.token("ana", 60))
    assert ok(viewer) == [(9, "ana")]
    place.pass_(64.9)
    assert close_code(viewer) is None
    assert watching(place.service) == 1
    place.pass_(0.2)
    assert close_code(viewer) == 4203
    await place.end(viewer)


async def test_a_newer_token_that_allows_less_ends_what_it_does_not_allow() -> None:
    place = Place()
    viewer = place.come(place.token("ana", 60))
    ask(viewer, subscribe(1, "chat:a"), subscribe(2, "chat:b"))
    await place.authenticate(viewer, place.token("ana", 60, {"subscribe": ("chat:b",)}))
    assert [name for name, _ in place.service.subscriptions.hub.viewers()] == ["chat:b"]
    assert ask(viewer, subscribe(3, "chat:a")) == [(3, "forbidden")]
    await place.end(viewer)


async def test_a_token_of_another_user_closes_the_connection_with_4003() -> None:
    place = Place()
    viewer = place.come(place.token("ana", 60))
    await place.authenticate(viewer, place.token("eve", 60))
    assert close_code(viewer) == 4003
    await place.end(viewer)


@pytest.mark.parametrize("wrong", ["expired", "forged"])
async def test_a_renewal_that_is_no_good_is_refused_and_the_old_token_goes_on(wrong: str) -> None:
    place = Place()
    viewer = place.come(place.token("ana", 60))
    bad = place.token("ana", -6) if wrong == "expired" else sign("ana", CHAT, expires_s=2**40, key="x" * 32)
    await place.authenticate(viewer, bad)
    assert [(error["id"], error["code"]) for error in messages(viewer, "error")] == [(9, "unauthorized")]
    place.pass_(59)
    assert close_code(viewer) is None
    place.pass_(7)
    assert close_code(viewer) == 4203
    await place.end(viewer)


class Full(Transport):
    """A socket that takes in a byte now and then, and is never empty."""

    waiting = 1 << 20

    def get_write_buffer_size(self) -> int:
        self.waiting -= 1
        return self.waiting


async def test_who_reads_too_slowly_to_be_told_does_not_outstay_his_token() -> None:
    place = Place()
    viewer = place.come(place.token("ana", 60), Full())
    assert viewer.protocol is not None
    viewer.protocol.pause_writing()
    for _ in range(3):
        place.pass_(21)
    assert close_code(viewer) is None, "the viewer reads, if slowly"
    place.pass_(3)
    assert close_code(viewer) == 4203
    await place.end(viewer)


async def test_who_comes_without_a_token_has_to_show_one_in_time() -> None:
    place = Place()
    late, in_time = place.come(None), place.come(None)
    assert status(late) == 101
    assert messages(late, "welcome")[0]["auth"] == "required"
    assert ask(in_time, subscribe(1, "chat:a")) == [(1, "unauthorized")]
    await place.authenticate(in_time, place.token("ana", 60))
    assert ok(in_time) == [(9, "ana")]
    place.pass_(10)
    assert close_code(late) == 4001
    assert close_code(in_time) is None
    await place.end(late, in_time)


async def test_who_comes_with_a_token_that_has_run_out_is_closed_with_4001() -> None:
    place = Place()
    viewer = place.come(place.token("ana", -6))
    assert close_code(viewer) == 4001
    await place.end(viewer)

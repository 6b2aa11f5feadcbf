"""docs/protocol.md §9: who comes by server-sent events or by polls, with a token, and until when."""

import asyncio
import json

import pytest

from bench.rig.edge_alone import bare_service
from consumers.delivery.hub import Raw
from consumers.service.service import Service
from kernel.log.positions import Kind
from schemas.codec import Codec
from tests.consumers.delivery.test_unreadable_history import happen
from tests.consumers.heard import answer, events, messages, status
from tests.consumers.hurry import in_no_time
from tests.consumers.messenger.by_hand import ByHand
from tests.consumers.protocol.test_one_frame import ask, lose, opened, subscribe, watching
from tests.consumers.service.test_renewal import Place
from tests.security.wire import HANDSHAKE, Transport

EITHER = pytest.mark.parametrize("path", ["/v1/sse", "/v1/poll"])


def fetch(
    service: Service, path: str, streams: str, token: str | None = None, *, by: str = "header"
) -> Transport:
    query = "&".join(f"stream={stream}" for stream in streams.split())
    if token is not None and by == "query":
        query += f"&token={token}"
    more = f"Authorization: Bearer {token}\r\n" if token is not None and by == "header" else ""
    return opened(service, f"GET {path}?{query} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())


@EITHER
async def test_without_a_token_where_one_is_needed_the_answer_is_401(path: str) -> None:
    place = Place()
    for token in (None, place.token("ana", -6), "nonsense"):
        refused = fetch(place.service, path, "chat:a", token)
        assert status(refused) == 401
        assert answer(refused)["code"] == "unauthorized"
        assert refused.is_closing()
        lose(refused)
    assert not place.service.admission.viewers()
    await place.end()


@EITHER
@pytest.mark.parametrize("by", ["header", "query"])
async def test_a_token_lets_one_in_wherever_it_is_given(path: str, by: str) -> None:
    place = Place()
    source = fetch(place.service, path, "chat:a chat:b", place.token("ana", 60), by=by)
    assert not source.is_closing()
    assert watching(place.service) == 2
    assert dict(place.service.admission.users) == {"ana": 1}
    await place.end(source)


@EITHER
async def test_one_stream_outside_the_grants_makes_the_answer_403(path: str) -> None:
    place = Place()
    refused = fetch(place.service, path, "chat:a location:a", place.token("ana", 60))
    assert status(refused) == 403
    assert answer(refused)["code"] == "forbidden"
    assert "location:a" in answer(refused)["detail"]
    assert watching(place.service) == 0
    await place.end(refused)


async def test_a_source_whose_token_runs_out_ends_with_the_event_close_and_4203() -> None:
    place = Place()
    source = fetch(place.service, "/v1/sse", "chat:a", place.token("ana", 60))
    place.pass_(64.9)
    assert not source.is_closing()
    assert events(source, "close") == []
    place.pass_(0.2)
    assert [said["code"] for said in events(source, "close")] == [4203]
    assert source.is_closing()
    await place.end(source)


async def test_a_poll_whose_token_runs_out_is_answered_with_its_cursor() -> None:
    place = Place()
    poll = fetch(place.service, "/v1/poll", "chat:a", place.token("ana", 60))
    assert not poll.written
    place.pass_(66)
    assert answer(poll) == {"events": [], "cursor": "chat:a=0"}
    assert poll.is_closing()
    await place.end(poll)


async def test_a_source_whose_socket_stays_full_ends_with_the_event_close_and_4101() -> None:
    place = Place()
    stuck = fetch(place.service, "/v1/sse", "chat:a", place.token("ana", 600))
    slow = fetch(place.service, "/v1/sse", "chat:a", place.token("ana", 600))
    for source in (stuck, slow):
        assert source.protocol is not None
        source.protocol.pause_writing()
    place.pass_(29.9)
    assert not stuck.is_closing()
    assert slow.protocol is not None
    slow.protocol.resume_writing()
    slow.protocol.pause_writing()
    place.pass_(0.2)
    assert [said["code"] for said in events(stuck, "close")] == [4101]
    assert stuck.is_closing()
    assert not slow.is_closing()
    await place.end(stuck, slow)


async def test_a_source_on_which_nothing_happens_is_sent_a_line_each_heartbeat() -> None:
    place = Place()
    source = fetch(place.service, "/v1/sse", "chat:a", place.token("ana", 600))
    before = len(source.written)
    place.pass_(24.9)
    assert len(source.written) == before
    for _ in range(2):
        place.pass_(25.1)
    assert bytes(source.written[before:]) == b":\n\n:\n\n"
    await place.end(source)


class Elsewhere:
    """All partitions are at another edge, whose address is known or not."""

    def __init__(self, url: str | None) -> None:
        self.url = url

    def serves(self, kind: Kind, key: str) -> bool:
        return False

    def whole(self, kind: Kind, key: str) -> bool:
        return False

    def elsewhere(self, key: str) -> str | None:
        return self.url


async def test_a_source_is_told_where_its_stream_is_served() -> None:
    place = Place(Elsewhere("ws://there/v1/ws"))
    source = fetch(place.service, "/v1/sse", "chat:a", place.token("ana", 60))
    assert events(source) == [{"op": "redirect", "stream": "chat:a", "url": "ws://there/v1/ws"}]
    assert watching(place.service) == 0
    await place.end(source)


@pytest.mark.parametrize("url", ["ws://there/v1/ws", None])
async def test_a_poll_is_answered_at_once_where_its_stream_is_not_served(url: str | None) -> None:
    place = Place(Elsewhere(url))
    poll = fetch(place.service, "/v1/poll", "chat:a", place.token("ana", 60))
    async with asyncio.timeout(60):
        while not poll.written:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    (message,) = answer(poll)["messages"]
    if url is None:
        assert (message["op"], message["code"], message["retry"]) == ("error", "unavailable", True)
    else:
        assert message == {"op": "redirect", "stream": "chat:a", "url": url}
    assert answer(poll)["events"] == []
    assert poll.is_closing()
    await place.end(poll)


async def test_streams_that_move_away_are_told_to_who_watches_by_a_source() -> None:
    place = Place()
    source = fetch(place.service, "/v1/sse", "chat:a chat:b", place.token("ana", 60))
    before = len(events(source))
    waiting = place.service.subscriptions.move(
        lambda kind, shard: shard.channel == "b", lambda shard: "ws://there/v1/ws"
    )
    assert waiting == 0
    moved = {"op": "redirect", "stream": "chat:a", "url": "ws://there/v1/ws"}
    assert events(source)[before:] == [moved]
    assert [name for name, _ in place.service.subscriptions.hub.viewers()] == ["chat:b"]
    await place.end(source)


def test_however_long_a_poll_wants_to_wait_it_is_answered_within_a_minute() -> None:
    """§9.2"""

    async def run() -> None:
        place, loop = Place(), asyncio.get_running_loop()
        poll = fetch(place.service, "/v1/poll", "chat:a&wait=3600", place.token("ana", 7200))
        answered: list[bool] = []
        for at in (59.9, 60.1):
            loop.call_at(at, lambda: answered.append(poll.is_closing()))
        await asyncio.sleep(61)
        assert answered == [False, True]
        assert answer(poll)["events"] == []
        await place.end(poll)

    in_no_time(run())


def happened(source: Transport) -> list[tuple[str, int]]:
    """Each event of a source: its id, and its sequence number."""
    body = source.written.decode().split("\r\n\r\n", 1)[1]
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in body.split("\n\n")]
    return [(block["id"], json.loads(block["data"])["seq"]) for block in blocks if "id" in block]


async def test_a_source_gets_each_event_as_its_payload_with_the_cursors_up_to_it() -> None:
    place = Place()
    source = fetch(place.service, "/v1/sse", "chat:a chat:b", place.token("ana", 600))
    viewer = place.come(place.token("ana", 600))
    ask(viewer, subscribe(1, "chat:a"))
    for first, count in ((1, 1), (2, 3)):
        happen(place.service, first, count)
    assert happened(source) == [(f"chat:a={seq},chat:b=0", seq) for seq in range(1, 5)]
    shown = [event for event in events(source) if event["op"] == "event"]
    assert shown == messages(viewer, "event"), "the same as on a WebSocket"
    assert [event.get("prev") for event in shown] == [None, 1, 2, 3]
    await place.end(source, viewer)


async def test_a_source_that_was_full_goes_on_where_it_was() -> None:
    place = Place()
    source = fetch(place.service, "/v1/sse", "chat:a", place.token("ana", 600))
    happen(place.service, 1, 1)
    assert source.protocol is not None
    source.protocol.pause_writing()
    happen(place.service, 2, 5)
    assert [seq for _, seq in happened(source)] == [1]
    source.protocol.resume_writing()
    happen(place.service, 7, 1)
    assert [seq for _, seq in happened(source)] == list(range(1, 8))
    await place.end(source)


async def test_what_is_brought_counts_as_delivered_whatever_it_is_brought_by() -> None:
    place = Place()
    source = fetch(place.service, "/v1/sse", "chat:a", place.token("ana", 600))
    viewer = place.come(place.token("ana", 600))
    ask(viewer, subscribe(1, "chat:a"))
    codec = Codec("fanout")
    records = [
        Raw(
            0,
            b"a#1#0",
            codec.encode({"stream": "chat:a", "seq": seq, "server_ts": 0, "body": b'{"seq":%d}' % seq}),
        )
        for seq in (1, 2, 3)
    ]
    assert place.service.subscriptions.hub.take("live", records) == 6
    lose(source)
    assert place.service.subscriptions.hub.take("live", records) == 0, "they came already"
    await place.end(viewer)


@pytest.mark.parametrize(
    "query",
    ["user=%ff", "user=ana&user=bob", "token=a&token=b", "device=a&device=b", f"user=ana&device={'d' * 129}"],
)
@pytest.mark.parametrize("path", ["/v1/ws", "/v1/sse", "/v1/poll"])
async def test_who_cannot_be_told_from_the_address_is_let_in_nowhere(path: str, query: str) -> None:
    service = bare_service()
    asked = f"{path}?stream=chat:a&{query}".encode()
    request = HANDSHAKE.replace(b"/v1/ws", asked, 1)
    assert status(opened(service, request)) == 400
    await service.close()


async def test_a_poll_that_waits_for_nothing_gives_what_is_there_of_a_room_and_strangers_nothing() -> None:
    async with ByHand() as edge:
        said = [edge.say("ana", f"m{n}") for n in range(3)]
        for user, seqs, codes in (("bob", said[-2:], []), ("eve", [], ["not_found"])):
            path = f"/v1/poll?stream=chat:room-study&last=2&wait=0&user={user}"
            poll = opened(edge.service, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            async with asyncio.timeout(60):
                while not poll.written:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            found = answer(poll)
            assert [event["seq"] for event in found["events"]] == seqs
            assert [one["code"] for one in found.get("messages", [])] == codes
            lose(poll)

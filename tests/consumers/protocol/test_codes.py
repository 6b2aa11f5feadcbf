"""What is wrong with an event has one code, by whatever way it came: WebSocket, HTTP, SDK, or the log."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from bench.rig.edge_alone import bare_service
from consumers.service.poster import KafkaPoster
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from kernel.log.topics import topic_names
from kernel.settings.reading import Kafka, Settings
from producers.posts import Post, read_post
from producers.sending.delivery import Failure, SomeNotDelivered
from producers.sending.preparing import Preparing
from schemas.ingest import decode_ingest
from tests.consumers.heard import messages
from tests.consumers.protocol.test_one_frame import ask, lose, opened
from tests.security.wire import HANDSHAKE, Transport

#: Nothing listens there, and nothing of this gets so far.
NOWHERE = Settings(kafka=Kafka(bootstrap_servers="127.0.0.1:1"))
TEXT = {"text": "x"}

WRONG: dict[str, tuple[Kind, dict[str, Any]]] = {
    "no text": (Kind.CHAT, {"data": {}}),
    "an empty text": (Kind.CHAT, {"data": {"text": ""}}),
    "a number for a text": (Kind.CHAT, {"data": {"text": 5}}),
    "data that is a text": (Kind.CHAT, {"data": "x"}),
    "a key that is too long": (Kind.CHAT, {"data": TEXT, "key": "k" * 129}),
    "a key that is a number": (Kind.CHAT, {"data": TEXT, "key": 5}),
    "an empty key": (Kind.CHAT, {"data": TEXT, "key": ""}),
    "a type with spaces": (Kind.CHAT, {"data": TEXT, "type": "a b"}),
    "a type that is too long": (Kind.CHAT, {"data": TEXT, "type": "t" * 65}),
    "an edit of nothing": (Kind.CHAT, {"data": TEXT, "type": "edit"}),
    "off the earth": (Kind.LOCATION, {"data": {"lat": 91, "lon": 0}}),
    "no place": (Kind.LOCATION, {"data": {}}),
    "a broadcast of no type": (Kind.BROADCAST, {"data": {}}),
    "nested too deep": (Kind.BROADCAST, {"type": "x", "data": json.loads('{"a":' * 40 + "1" + "}" * 40)}),
}


async def by_websocket(viewer: Transport, number: int, stream: Stream, event: dict[str, Any]) -> str:
    ask(viewer, {"op": "publish", "id": number, "stream": str(stream), "key": "k", **event})
    async with asyncio.timeout(60):
        while not (told := messages(viewer, "error")):  # noqa: ASYNC110 - its reply has no event to wait for
            await asyncio.sleep(0)
    assert told[0]["retry"] is False
    return str(told[0]["code"])


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(TouchlineError) as refused:
        call()
    return refused.value.code


async def test_an_event_of_a_wrong_shape_is_invalid_event_by_every_way() -> None:
    poster = KafkaPoster(NOWHERE, asyncio.get_running_loop())
    service, prepare = bare_service(poster=poster), Preparing(topic_names(NOWHERE))
    for number, (name, (kind, event)) in enumerate(WRONG.items(), 1):
        stream, value = Stream(kind, "a"), json.dumps(event).encode()
        viewer = opened(service, HANDSHAKE)
        codes = {
            "WebSocket": await by_websocket(viewer, number, stream, event),
            # The gateway and the command line read JSON so.
            "HTTP": code_of(lambda: prepare(read_post(stream, value))),  # noqa: B023
            "SDK": code_of(lambda: prepare(Post(kind=kind, channel="a", **event))),  # noqa: B023
            "log": code_of(lambda: decode_ingest(kind, value)),  # noqa: B023
        }
        lose(viewer)
        assert set(codes.values()) == {"invalid_event"}, (name, codes)
    await service.close()
    await poster.close()


async def test_a_name_that_no_channel_has_is_bad_channel_and_no_kind_is_a_bad_request() -> None:
    service = bare_service()
    viewer = opened(service, HANDSHAKE)
    said = ask(
        viewer,
        {"op": "publish", "id": 1, "stream": "chat:a b", "data": TEXT},
        {"op": "subscribe", "id": 2, "stream": "chat:"},
        {"op": "subscribe", "id": 3, "stream": "video:a"},
        {"op": "publish", "id": 4, "stream": 5, "data": TEXT},
    )
    assert said == [(1, "bad_channel"), (2, "bad_channel"), (3, "bad_request"), (4, "bad_request")]
    with pytest.raises(TouchlineError) as by_sdk:
        Preparing(topic_names(NOWHERE))(Post(kind=Kind.CHAT, channel="a b", data=TEXT))
    assert by_sdk.value.code == "bad_channel"
    lose(viewer)
    await service.close()


def test_sentences_count_events_from_one_as_people_do() -> None:
    error = TouchlineError("invalid_event", "data.text is missing.")
    some = SomeNotDelivered(1, [Failure(0, None, error)])
    assert "no. 1: data.text is missing." in str(some)
    assert some.failures[0].index == 0

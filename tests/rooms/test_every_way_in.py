"""Whoever is not in a room, or no more, or banned, is told at every door what is told of no room at all."""

import hashlib
from typing import Any

import pytest
from aiohttp import ClientSession

from kernel.attachment_ids import new_attachment
from kernel.clock import SystemClock
from tests.pipeline import Pipeline
from tests.rooms.people import (
    Person,
    change_members,
    create,
    heard_by,
    http,
    new_room,
    ok,
    person,
    said,
    say,
    stream_of,
    until,
)

BYTES = b"a picture"
FILE = {
    "name": "a.png", "type": "image/png", "size": len(BYTES), "sha256": hashlib.sha256(BYTES).hexdigest(),
}  # fmt: skip
#: Who, and how they come to be outside.
OUTSIDE = ("stranger", "former", "banned")


class Secret:
    """A room of ana's in which something was said, with a file."""

    def __init__(self, room: str, message: dict[str, Any], seq: int, attachment: str) -> None:
        self.room, self.message, self.seq, self.attachment = room, message, seq, attachment


@pytest.fixture
async def secret(roomy: Pipeline) -> Secret:
    room = await create(roomy, "ana", "former", "banned")
    taken = await ok(roomy, "POST", "/v1/attachments", "ana", {"stream": f"chat:room-{room}", **FILE})
    status, _ = await put(taken["upload"])
    assert status in (200, 201)
    _, message = await say(roomy, "ana", room, "the secret")
    body = {"data": {"text": "with a file", "attachments": [taken["attachment"]]}}
    await ok(roomy, "POST", f"/v1/streams/chat/room-{room}/events", "ana", body)
    await change_members(roomy, "ana", room, remove=["former"])
    order = {"do": "ban", "user": "banned"}
    await ok(roomy, "POST", f"/v1/channels/room-{room}/moderation", "ana", order)
    seq = await said(roomy, "ana", room, "without them")
    for user in ("former", "banned"):
        async with person(roomy, user) as who:  # the edge hears of it a moment later

            async def is_outside(who: Person = who) -> bool:
                return not await who.subscribed(stream_of(room))

            await until(is_outside)
    return Secret(room, message, seq, taken["attachment"])


async def put(upload: dict[str, Any]) -> tuple[int, bytes]:
    async with (
        ClientSession() as session,
        session.put(upload["url"], data=BYTES, headers=upload["headers"]) as answer,
    ):
        return answer.status, await answer.read()


def requests(room: str, target: str, attachment: str) -> list[tuple[str, str, Any]]:
    """All that can be asked of a gateway about a room."""
    channel = f"room-{room}"
    events, stream = f"/v1/streams/chat/{channel}/events", f"chat:{channel}"
    return [
        ("GET", f"/v1/rooms/{room}", None),
        ("PATCH", f"/v1/rooms/{room}", {"name": "Mine"}),
        ("DELETE", f"/v1/rooms/{room}", None),
        ("POST", f"/v1/rooms/{room}/members", {"add": ["eve"]}),
        ("POST", f"/v1/rooms/{room}/members", {"remove": ["ana"]}),
        ("POST", f"/v1/rooms/{room}/members", {"roles": {"ana": "member"}}),
        ("PUT", f"/v1/rooms/{room}/mute", {"on": True}),
        ("GET", events, None),
        ("GET", f"{events}?after=0", None),
        ("GET", f"{events}?replies_to={target}", None),
        ("GET", f"/v1/streams/chat/{channel}", None),
        ("GET", f"/v1/streams/chat/{channel}~0/events", None),
        ("GET", f"/v1/streams/location/{channel}/events", None),
        ("GET", f"/v1/streams/broadcast/{channel}", None),
        ("POST", events, {"data": {"text": "let me in"}}),
        ("POST", events, {"data": {"text": "let me in", "reply_to": target}}),
        ("POST", events, {"type": "edit", "data": {"target": target, "text": "changed"}}),
        ("POST", events, {"type": "retract", "data": {"target": target}}),
        ("POST", events, {"type": "room", "data": {"what": "added", "users": ["eve"]}}),
        ("POST", f"/v1/streams/chat/{channel}/reports", {"target": target, "reason": "x"}),
        ("GET", f"/v1/streams/chat/{channel}/reports", None),
        ("GET", f"/v1/channels/{channel}/moderation", None),
        ("POST", f"/v1/channels/{channel}/moderation", {"do": "mute", "user": "ana"}),
        ("POST", "/v1/attachments", {"stream": stream, **FILE}),
        ("GET", f"/v1/attachments/{attachment}", None),
        ("POST", f"/v1/attachments/{attachment}/fetched", None),
        ("PUT", f"/v1/channels/{channel}", {"max_text": 5}),
        ("GET", f"/v1/channels/{channel}", None),
    ]


def ops(room: str, seq: int, target: str) -> list[tuple[str, dict[str, Any]]]:
    """All that can be asked of an edge about a room."""
    stream = f"chat:room-{room}"
    return [
        ("subscribe", {"stream": stream}),
        ("subscribe", {"stream": stream, "after": 0, "members": True}),
        ("subscribe", {"stream": stream, "last": 50}),
        ("subscribe", {"stream": f"{stream}~0", "after": 0}),
        ("subscribe", {"stream": stream, "cursors": {f"{stream}~0": 0}}),
        ("subscribe", {"stream": f"location:room-{room}"}),
        ("history", {"stream": stream, "before": 2**52}),
        ("history", {"stream": stream, "after": 0, "replies_to": target}),
        ("presence", {"stream": stream}),
        ("presence", {"stream": stream, "members": True}),
        ("publish", {"stream": stream, "data": {"text": "x"}}),
        ("publish", {"stream": stream, "type": "retract", "data": {"target": target}}),
        ("ack", {"stream": stream, "seq": seq}),
        ("ack", {"stream": stream, "seq": 2**52}),
        ("read", {"stream": stream, "seq": seq}),
        ("typing", {"stream": stream}),
        ("room", {"do": "get", "room": room}),
        ("room", {"do": "change", "room": room, "name": "Mine"}),
        ("room", {"do": "members", "room": room, "add": ["eve"]}),
        ("room", {"do": "mute", "room": room, "on": True}),
        ("room", {"do": "delete", "room": room}),
    ]


@pytest.mark.parametrize("user", OUTSIDE)
async def test_a_gateway_tells_whoever_is_outside_nothing(roomy: Pipeline, secret: Secret, user: str) -> None:
    nowhere = new_room()
    for (method, path, body), (_, other, other_body) in zip(
        requests(secret.room, secret.message["id"], secret.attachment),
        requests(nowhere, secret.message["id"], new_attachment(SystemClock().now_ms(), b"nothing")),
        strict=True,
    ):
        status, answer = await http(roomy, method, path, user, body)
        blank_status, blank = await http(roomy, method, other, user, other_body)
        told = (status, answer.get("code"))
        assert told == (blank_status, blank.get("code")), (method, path, answer, blank)
        assert "secret" not in str(answer), (method, path, answer)
        if method == "GET" and "/channels/" in path and status == 200:  # as of any name
            assert {**answer, "channel": ""} == {**blank, "channel": ""}, path
        else:
            assert status >= 400 or "location" in path or "broadcast" in path, (method, path, answer)
    rooms = await ok(roomy, "GET", "/v1/rooms", user)
    assert secret.room not in str(rooms)


@pytest.mark.parametrize("user", OUTSIDE)
async def test_an_edge_tells_whoever_is_outside_nothing(roomy: Pipeline, secret: Secret, user: str) -> None:
    nowhere = new_room()
    async with person(roomy, user) as who, person(roomy, "ana") as ana:
        await ana.ask("subscribe", stream=stream_of(secret.room))
        for (op, fields), (_, other) in zip(
            ops(secret.room, secret.seq, secret.message["id"]),
            ops(nowhere, secret.seq, secret.message["id"]),
            strict=True,
        ):
            reply, blank = await who.ask(op, **fields), await who.ask(op, **other)
            told = (reply["op"], reply.get("code"), reply.get("message", "").replace(secret.room, nowhere))
            assert told == (blank["op"], blank.get("code"), blank.get("message", "")), (op, fields)
            assert reply["op"] == "error", (op, fields, reply)
        await who.ask("sync")
        await who.ask("inbox")
        await who.ask("presence", stream="chat:somewhere")  # an edge answers in order
        for number in range(3):
            await say(roomy, "ana", secret.room, f"the secret again {number}")
        await ana.event("the secret again 2")
        await who.ask("ping")
        assert "secret" not in str(who.heard)
        assert secret.room not in str([m for m in who.heard if m["op"] in ("event", "inbox", "join")])


@pytest.mark.parametrize("user", OUTSIDE)
@pytest.mark.parametrize("way", ["sse", "poll"])
async def test_the_ways_without_sockets_tell_nothing(
    roomy: Pipeline, secret: Secret, user: str, way: str
) -> None:
    text = await heard_by(roomy, way, user, secret.room, until="not_found")
    assert "secret" not in text
    assert "not_found" in text

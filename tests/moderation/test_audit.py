"""The audit log: who has done what is an event that only moderators of the channel read."""

from typing import Any

import pytest
from aiohttp import ClientSession

from tests.moderation.test_reports import posted
from tests.moderation.test_sanctions import moderate, new_channel
from tests.pipeline import Pipeline
from tests.rooms.people import create, http, ok, refused, until


async def told(pipeline: Pipeline, channel: str, user: str | None, count: int) -> list[dict[str, Any]]:
    """What the log says, once it says so much."""
    path = f"/v1/streams/broadcast/touchline-audit-{channel}/events?limit=200"
    events: list[dict[str, Any]] = []

    async def all_told() -> bool:
        events[:] = (await ok(pipeline, "GET", path, user))["events"]
        return len(events) >= count

    await until(all_told)
    assert all(event["sender"] == "touchline" and event["type"] == "moderation" for event in events)
    return [{name: value for name, value in event["data"].items() if name != "channel"} for event in events]


async def test_what_moderators_do_is_told_to_them_alone(ruled: Pipeline) -> None:
    channel = new_channel()
    rude = await posted(ruled, "eve", channel, "rude")
    own = await posted(ruled, "bob", channel, "a slip")
    await ok(ruled, "POST", f"/v1/streams/chat/{channel}/reports", "bob", {"target": rude, "reason": "r"})
    await moderate(ruled, None, channel, "mute", "eve", **{"for": "10m"})
    events = f"/v1/streams/chat/{channel}/events?wait=accepted"
    for user, target in ((None, rude), ("bob", own)):
        await ok(ruled, "POST", events, user, {"type": "retract", "data": {"target": target}})
    await ok(ruled, "PATCH", f"/v1/streams/chat/{channel}/reports", None, {"reports": [0]})
    await ok(ruled, "PUT", f"/v1/channels/{channel}", None, {"slow_s": 5, "blocked": ["a", "b"]})
    # What its author has taken back is none of it.
    found = await told(ruled, channel, None, 5)
    assert sorted(found, key=lambda one: one["do"]) == [
        {"do": "mute", "user": "eve", "for_ms": 600_000, "by": None},
        {"do": "report", "target": rude, "by": "bob"},
        {"do": "retract", "target": rude, "by": None},
        {"do": "set", "settings": {"slow_s": 5, "blocked": 2}, "by": None},
        {"do": "settle", "reports": 1, "by": None},
    ]
    path = f"/v1/streams/broadcast/touchline-audit-{channel}/events"
    assert await refused(ruled, "GET", path, "bob") == (403, "forbidden")
    body = {"type": "moderation", "data": {"do": "mute", "user": "bob"}}
    assert (await http(ruled, "POST", path, "bob", body))[0] in (400, 403)
    answer = await ok(ruled, "GET", f"/v1/search?q=rude&channel=touchline-audit-{channel}", None)
    assert answer["total"] == 0


@pytest.mark.parametrize("type_", ['"retract"', '"r\\u0065tract"'])
@pytest.mark.parametrize("form", ["application/x-ndjson", "application/json"])
async def test_whatever_way_somebody_takes_back_what_others_said_it_is_done_and_told(
    ruled: Pipeline, form: str, type_: str
) -> None:
    """Also in a channel where they do not publish."""
    channel = new_channel()
    await ok(ruled, "PUT", f"/v1/channels/{channel}", None, {"publishers": ["eve"]})
    rude = [await posted(ruled, "eve", channel, f"rude {n}") for n in range(2)]
    events = [b'{"type":%b,"data":{"target":"%b"}}' % (type_.encode(), one.encode()) for one in rude]
    body = b"\n".join(events) if "nd" in form else b"[%b]" % b",".join(events)
    async with (
        ClientSession(headers={"Content-Type": form}) as session,
        session.post(
            f"{ruled.gateway_url}/v1/streams/chat/{channel}/events?wait=accepted", data=body
        ) as answer,
    ):
        assert answer.status == 202, await answer.text()
    found = await told(ruled, channel, None, 3)
    assert [one["target"] for one in found if one["do"] == "retract"] == rude


async def test_of_a_room_its_leaders_read_it_while_they_lead(ruled: Pipeline) -> None:
    room = await create(ruled, "ana", "bob", "cat")
    await ok(ruled, "POST", f"/v1/rooms/{room}/members", "ana", {"roles": {"bob": "moderator"}})
    await moderate(ruled, "bob", f"room-{room}", "mute", "cat")
    rude = await posted(ruled, "ana", f"room-{room}", "rude")
    events = f"/v1/streams/chat/room-{room}/events"
    await ok(ruled, "POST", events, "bob", {"type": "retract", "data": {"target": rude}})
    found = await told(ruled, f"room-{room}", "bob", 2)
    assert [(one["do"], one["by"]) for one in found] == [("mute", "bob"), ("retract", "bob")]
    path = f"/v1/streams/broadcast/touchline-audit-room-{room}/events"
    assert await refused(ruled, "GET", path, "cat") == (403, "forbidden")
    await ok(ruled, "POST", f"/v1/rooms/{room}/members", "ana", {"roles": {"bob": "member"}})
    assert await refused(ruled, "GET", path, "bob") == (403, "forbidden")

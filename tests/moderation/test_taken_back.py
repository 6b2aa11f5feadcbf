"""What was taken back is nowhere any more within a second: a test for each way in, live and from the past."""

import asyncio
import json
from typing import Any

from aiohttp import ClientSession, ClientTimeout

from tests.moderation.test_reports import posted
from tests.moderation.test_sanctions import new_channel, spread
from tests.pipeline import Pipeline
from tests.rooms.people import PATIENCE_S, create, ok, person, until

SECRET = "xylophone"


async def retract(pipeline: Pipeline, user: str | None, channel: str, target: str) -> None:
    path = f"/v1/streams/chat/{channel}/events?wait=accepted"
    event = {"type": "retract", "data": {"target": target}}
    answer = await ok(pipeline, "POST", path, user, event)
    assert answer["results"][0]["ok"], answer


async def edit(pipeline: Pipeline, user: str, channel: str, target: str, text: str) -> None:
    path = f"/v1/streams/chat/{channel}/events?wait=accepted"
    event = {"type": "edit", "data": {"target": target, "text": text}}
    answer = await ok(pipeline, "POST", path, user, event)
    assert answer["results"][0]["ok"], answer


async def past(pipeline: Pipeline, channel: str, user: str | None = None) -> list[Any]:
    path = f"/v1/streams/chat/{channel}/events?after=0&limit=100"
    return list((await ok(pipeline, "GET", path, user))["events"])


def is_blank(event: dict[str, Any]) -> bool:
    return event.get("retracted") is True and not event["data"].get("text")


async def soon(holds: Any) -> None:
    """Within a second on a machine that has time; on a busy one it is the last of all that waits."""
    await until(holds)


async def test_history_over_http_and_websocket_has_its_place_and_no_text(ruled: Pipeline) -> None:
    channel = new_channel()
    target = await posted(ruled, "eve", channel, f"{SECRET} one")
    await edit(ruled, "eve", channel, target, f"{SECRET} edited")
    await posted(ruled, "eve", channel, "other")

    async def whole() -> bool:
        return len(await past(ruled, channel)) == 3

    await soon(whole)
    before = await past(ruled, channel)
    await retract(ruled, "eve", channel, target)

    async def blank() -> bool:
        events = await past(ruled, channel)
        return SECRET not in json.dumps(events) and is_blank(events[0]) and is_blank(events[1])

    await soon(blank)
    events = await past(ruled, channel)
    assert [e["seq"] for e in events[:3]] == [e["seq"] for e in before]
    assert [e["id"] for e in events[:3]] == [e["id"] for e in before]
    assert events[2]["data"] == {"text": "other"}
    assert "retracted" not in events[2]
    assert events[1]["data"] == {"target": target}
    async with person(ruled, "bob") as bob:

        async def blank_there() -> bool:  # an edge hears of it by itself
            page = await bob.ask("history", stream=f"chat:{channel}", before=events[2]["seq"])
            return [is_blank(event) for event in page["events"]] == [True, True]

        await soon(blank_there)


async def watched(ruled: Pipeline, channel: str, **how: int) -> list[Any]:
    """What whoever comes now is given, up to the end."""
    stream = f"chat:{channel}"
    async with person(ruled, "bob") as who:
        assert (await who.ask("subscribe", stream=stream, **how))["op"] == "subscribed"
        await who.event("the end")
        await who.ask("unsubscribe", stream=stream)
        return [m for m in who.heard if m["op"] == "event"]


async def blank_as(ruled: Pipeline, channel: str, wanted: list[bool], **how: int) -> list[Any]:
    """The same, once these of them are blank: what the workers say of a retraction comes a moment later."""
    events: list[Any] = []

    async def holds() -> bool:
        events[:] = await watched(ruled, channel, **how)
        return [is_blank(event) for event in events] == wanted

    await soon(holds)
    return events


async def test_who_resumes_or_asks_for_the_last_is_given_no_text_by_rings(ruled: Pipeline) -> None:
    channel = new_channel()
    async with person(ruled, "cat") as cat:  # somebody watches: the events are in a ring
        await cat.ask("subscribe", stream=f"chat:{channel}", after=0)
        target = await posted(ruled, "eve", channel, f"{SECRET} two")
        await cat.event(f"{SECRET} two")
        await edit(ruled, "eve", channel, target, f"{SECRET} edited")
        await retract(ruled, "eve", channel, target)
        await cat.until(lambda m: m.get("type") == "retract")
        await posted(ruled, "eve", channel, "the end")
        for how in ({"after": 0}, {"last": 10}):
            events = await blank_as(ruled, channel, [True, True, False, False], **how)
            assert SECRET not in json.dumps(events), how
            assert [e.get("prev", 0) for e in events][1:] == [e["seq"] for e in events][:-1]


async def test_who_comes_when_nobody_watched_is_given_no_text(ruled: Pipeline) -> None:
    """What an edge has not decoded yet, or reads from history."""
    channel = new_channel()
    target = await posted(ruled, "eve", channel, f"{SECRET} three")
    await retract(ruled, "eve", channel, target)
    await posted(ruled, "eve", channel, "the end")
    for how in ({"after": 0}, {"last": 10}):
        events = await blank_as(ruled, channel, [True, False, False], **how)
        assert SECRET not in json.dumps(events), how


async def test_a_retraction_on_another_lane_counts(ruled: Pipeline) -> None:
    channel = new_channel()
    await spread(ruled, channel)
    target = await posted(ruled, "eve", f"{channel}~1", f"{SECRET} four")
    async with person(ruled, "cat") as cat:
        await cat.ask("subscribe", stream=f"chat:{channel}~1", after=0)
        await cat.event(f"{SECRET} four")
        await retract(ruled, None, f"{channel}~2", target)

        async def blank() -> bool:
            return is_blank((await past(ruled, f"{channel}~1"))[0])

        await soon(blank)
        await posted(ruled, "eve", f"{channel}~1", "the end")

        async def blank_there() -> bool:
            return is_blank((await watched(ruled, f"{channel}~1", after=0))[0])

        await soon(blank_there)


async def test_sse_and_polls_have_no_text(ruled: Pipeline) -> None:
    channel = new_channel()
    target = await posted(ruled, "eve", channel, f"{SECRET} five")
    await posted(ruled, "eve", channel, "still there")
    await retract(ruled, "eve", channel, target)
    for way in ("sse", "poll"):

        async def blank(way: str = way) -> bool:
            came = await one_way(ruled, way, f"chat:{channel}", b"still there")
            return SECRET not in came and '"retracted":true' in came

        await soon(blank)


async def one_way(pipeline: Pipeline, way: str, stream: str, last: bytes) -> str:
    """What comes by SSE or a poll, from the start up to some bytes."""
    url = f"http{pipeline.edge_url.removeprefix('ws').removesuffix('/ws')}/{way}"
    params = {"stream": stream, "user": "bob", "after": "0"}
    came = b""
    async with (
        ClientSession(timeout=ClientTimeout(total=PATIENCE_S)) as session,
        session.get(url, params=params) as response,
    ):
        async for chunk in response.content.iter_any():
            came += chunk
            if last in came:
                break
    return came.decode()


async def test_search_finds_nothing_of_it_in_hits_totals_facets_and_highlights(ruled: Pipeline) -> None:
    channel, word = new_channel(), "bassoon"
    target = await posted(ruled, "eve", channel, f"{word} one")
    await posted(ruled, "bob", channel, f"{word} two")

    async def both() -> bool:
        return bool((await ok(ruled, "GET", f"/v1/search?q={word}", None))["total"] == 2)

    await until(both)
    await retract(ruled, "eve", channel, target)

    async def gone() -> bool:
        answer = await ok(ruled, "GET", f"/v1/search?q={word}&facets=1", None)
        senders = [bucket["value"] for bucket in answer["facets"]["sender"]]
        return (answer["total"], len(answer["hits"]), senders) == (1, 1, ["bob"])

    await soon(gone)


async def test_alerts_copies_have_no_text_live_and_from_the_past(ruled: Pipeline) -> None:
    channel, word = new_channel(), "clarinet"
    await ok(ruled, "PUT", "/v1/alerts/reeds", "bob", {"q": word})
    async with person(ruled, "bob") as bob:
        await until(lambda: bob.subscribed("broadcast:alert-reeds", after=0))

        async def told() -> bool:  # once the indexer knows the alert
            await posted(ruled, "bob", channel, f"{word} again")
            await asyncio.sleep(0.2)
            return any(m.get("type") == "alert" for m in bob.heard)

        await until(told)
        target = await posted(ruled, "eve", channel, f"{word} {SECRET}")

        def is_it(message: dict[str, Any]) -> bool:
            return message.get("type") == "alert" and message["data"]["event"]["id"] == target

        await bob.until(is_it)
        await retract(ruled, "eve", channel, target)

        async def gone() -> bool:
            page = await ok(ruled, "GET", "/v1/streams/broadcast/alert-reeds/events", "bob")
            (event,) = [each for each in page["events"] if each["data"]["event"]["id"] == target]
            return SECRET not in json.dumps(page) and event["data"]["event"]["retracted"] is True

        await soon(gone)

        async def resumed() -> bool:  # from the ring: bob watches it
            async with person(ruled, "bob") as again:
                await again.ask("subscribe", stream="broadcast:alert-reeds", after=0)
                event = await again.until(is_it)
                return SECRET not in json.dumps(event)

        await soon(resumed)


async def test_a_rooms_list_and_reports_show_no_text(ruled: Pipeline) -> None:
    room = await create(ruled, "ana", "bob")
    target = await posted(ruled, "bob", f"room-{room}", SECRET)
    body = {"target": target, "reason": "r"}
    await ok(ruled, "POST", f"/v1/streams/chat/room-{room}/reports", "ana", body)
    await retract(ruled, "ana", f"room-{room}", target)  # the owner, what another has said

    async def gone() -> bool:
        page = await ok(ruled, "GET", f"/v1/streams/chat/room-{room}/reports", "ana")
        rooms = await ok(ruled, "GET", "/v1/rooms", "bob")
        events = await past(ruled, f"room-{room}", "bob")
        blank = is_blank(page["reports"][0]["event"]) and is_blank(events[1])
        return blank and SECRET not in json.dumps([page, rooms, events])

    await soon(gone)
    # As a member who comes later sees it, too; with the room's change as of which it counts.
    await ok(ruled, "POST", f"/v1/rooms/{room}/members", "ana", {"add": ["cat"]})
    assert SECRET not in json.dumps(await past(ruled, f"room-{room}", "cat"))


async def test_a_device_that_follows_all_rooms_is_given_no_text(ruled: Pipeline) -> None:
    """What was taken back while it was away comes with its place alone; and an inbox forgets it at once."""
    room = await create(ruled, "ana", "bob")
    async with person(ruled, "bob", "phone") as bob, person(ruled, "bob", "laptop") as laptop:
        assert (await bob.ask("sync"))["op"] == "synced"
        await laptop.ask("inbox")
        target = await posted(ruled, "ana", f"room-{room}", SECRET)
        await bob.event(SECRET)
        await laptop.until(lambda m: m["op"] == "inbox" and "id" not in m and SECRET in json.dumps(m))
        await retract(ruled, "ana", f"room-{room}", target)
        await laptop.until(
            lambda m: m["op"] == "inbox" and m["rooms"] and (m["rooms"][0]["last"] or {})["type"] == "retract"
        )

        async def forgotten() -> bool:
            return SECRET not in json.dumps(await laptop.ask("inbox"))

        await soon(forgotten)

    async def blank() -> bool:
        for device in ("phone", "new"):
            async with person(ruled, "bob", device) as bob:
                await bob.ask("sync")
                event = await bob.until(lambda m: m["op"] == "event" and m["id"] == target)
                if not is_blank(event) or SECRET in json.dumps(bob.heard):
                    return False
        return True

    await soon(blank)

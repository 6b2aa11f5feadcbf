"""Who is muted says nothing, who is banned reads nothing either: by any way in, on any lane."""

import asyncio
import itertools
from functools import partial
from typing import Any

from aiohttp import ClientSession, ClientTimeout

from control.commands.sending import send_command
from kernel.clock import SystemClock
from tests.pipeline import Pipeline
from tests.rooms.people import (
    PATIENCE_S,
    Person,
    create,
    http,
    ok,
    patiently,
    person,
    refused,
    said,
    say,
    stream_of,
    until,
)

NUMBERS = itertools.count(1)


def new_channel() -> str:
    return f"talk-{next(NUMBERS)}"


async def moderate(pipeline: Pipeline, by: str | None, channel: str, do: str, user: str, **more: str) -> Any:
    body = {"do": do, "user": user, **more}
    return await ok(pipeline, "POST", f"/v1/channels/{channel}/moderation", by, body)


async def post(pipeline: Pipeline, user: str | None, channel: str, text: str, **more: Any) -> str:
    """`ok`, or the code of the refusal, of whoever it is."""
    path = f"/v1/streams/chat/{channel}/events?wait=accepted"
    status, answer = await patiently(pipeline, "POST", path, user, {"data": {"text": text}, **more})
    if "results" not in answer:
        assert status == 403, answer
        return str(answer["code"])
    (result,) = answer["results"]
    return "ok" if result["ok"] else str(result["code"])


def alerted(who: Person) -> list[str]:
    """The texts of what somebody was told by their alerts."""
    return [m["data"]["event"]["data"]["text"] for m in who.heard if m.get("type") == "alert"]


async def spread(pipeline: Pipeline, channel: str) -> None:
    """Four lanes; once the gateway knows of them."""
    clock = SystemClock()
    await asyncio.to_thread(send_command, pipeline.settings, clock, channel, "set_lanes", {"lanes": 4})

    async def known() -> bool:
        return bool((await ok(pipeline, "GET", f"/v1/channels/{channel}", None))["lanes"] == 4)

    await until(known)


async def test_who_is_muted_may_read_and_not_publish(ruled: Pipeline) -> None:
    channel = new_channel()
    assert await post(ruled, "eve", channel, "one") == "ok"
    answer = await moderate(ruled, None, channel, "mute", "eve")
    assert (answer["muted"], answer["banned"], "muted_until" in answer) == (True, False, False)
    assert await post(ruled, "eve", channel, "two") == "muted"
    assert await post(ruled, "bob", channel, "hello") == "ok"
    # The fold decides: also of what comes in her name by a door that speaks for others.
    assert await post(ruled, None, channel, "forged", sender="eve") == "muted"
    async with person(ruled, "eve") as eve:
        assert (await eve.ask("subscribe", stream=f"chat:{channel}", after=0))["op"] == "subscribed"
        await eve.event("hello")

        async def refused_there() -> bool:  # the fold refuses it anyway; the edge hears of it a moment later
            refusal = await eve.ask("publish", stream=f"chat:{channel}", data={"text": "three"})
            return (refusal["op"], refusal.get("code"), refusal.get("retry")) == ("error", "muted", False)

        await until(refused_there)
        assert "three" not in eve.texts
    await moderate(ruled, None, channel, "unmute", "eve")

    async def free() -> bool:
        return await post(ruled, "eve", channel, "four") == "ok"

    await until(free)


async def test_a_mute_ends_by_itself(ruled: Pipeline) -> None:
    channel = new_channel()
    early = ""
    for seconds in (2, 4, 8, 16):  # the first one that is not over before somebody has asked
        answer = await moderate(ruled, None, channel, "mute", "eve", **{"for": f"{seconds}s"})
        assert answer["muted_until"] > answer["at"]
        early = await post(ruled, "eve", channel, "early")
        if early == "muted":
            break
    assert early == "muted"

    async def over() -> bool:
        return await post(ruled, "eve", channel, "late") == "ok"

    await until(over)

    async def nobody() -> bool:
        return not (await ok(ruled, "GET", f"/v1/channels/{channel}/moderation", None))["users"]

    await until(nobody)


async def test_who_is_banned_reads_nothing_by_any_way_in(ruled: Pipeline) -> None:
    channel = new_channel()
    stream = f"chat:{channel}"
    assert await post(ruled, "bob", channel, "walrus one") == "ok"
    async with person(ruled, "eve") as eve, person(ruled, "bob") as bob:
        for one in (eve, bob):
            await one.ask("subscribe", stream=stream, after=0)
            await one.event("walrus one")
        await moderate(ruled, None, channel, "ban", "eve")
        end = await eve.until(lambda m: m["op"] == "error" and m.get("stream") == stream)
        assert (end["code"], end["retry"]) == ("forbidden", False)
        assert await post(ruled, "bob", channel, "walrus two") == "ok"
        await bob.event("walrus two")
        assert "walrus two" not in eve.texts
        for op, more in (("subscribe", {}), ("history", {"before": 10**15}), ("presence", {})):
            assert (await eve.ask(op, stream=stream, **more))["code"] == "forbidden", op
        assert (await eve.ask("publish", stream=stream, data={"text": "x"}))["code"] == "muted"
    path = f"/v1/streams/chat/{channel}/events"
    assert await refused(ruled, "GET", path, "eve") == (403, "forbidden")
    assert await post(ruled, "eve", channel, "x") == "muted"
    for way in ("sse", "poll"):
        url = f"http{ruled.edge_url.removeprefix('ws').removesuffix('/ws')}/{way}"
        async with (
            ClientSession(timeout=ClientTimeout(total=PATIENCE_S)) as session,
            session.get(url, params={"stream": stream, "user": "eve", "after": "0"}) as response,
        ):
            assert "walrus" not in (await response.content.read(2000)).decode(), way

    async def total(user: str | None) -> tuple[int, int]:
        answer = await ok(ruled, "GET", "/v1/search?q=walrus&facets=1", user)
        return answer["total"], len(answer["facets"]["channel"])

    async def found() -> bool:
        return await total(None) == (2, 1)

    await until(found)
    assert await total("eve") == (0, 0)
    assert await total("bob") == (2, 1)
    await moderate(ruled, None, channel, "unban", "eve")
    assert await total("eve") == (2, 1)
    assert (await http(ruled, "GET", path, "eve"))[0] == 200


async def test_alerts_tell_nobody_of_what_they_are_banned_from(ruled: Pipeline) -> None:
    channel = new_channel()
    for user in ("eve", "bob"):
        await ok(ruled, "PUT", f"/v1/alerts/narwhal-{user}", user, {"q": "narwhal"})
    await moderate(ruled, None, channel, "ban", "eve")
    async with person(ruled, "eve") as eve, person(ruled, "bob") as bob:
        for one in (eve, bob):
            await until(partial(one.subscribed, f"broadcast:alert-narwhal-{one.user}", after=0))
        other = new_channel()

        async def both_are_told() -> bool:  # the indexer hears of alerts and bans a moment later
            assert await post(ruled, "cat", other, "narwhal") == "ok"
            return bool(alerted(eve) and alerted(bob))

        await until(both_are_told)

        async def held_back() -> bool:
            """What bob is told of the channel, and eve is not: what was said later has come to her."""
            banned, later = f"banned narwhal {next(NUMBERS)}", f"later narwhal {next(NUMBERS)}"
            assert await post(ruled, "cat", channel, banned) == "ok"
            await bob.until(lambda _: banned in alerted(bob))
            assert await post(ruled, "cat", other, later) == "ok"
            await eve.until(lambda _: later in alerted(eve))
            return banned not in alerted(eve)

        await until(held_back)  # the ban, too, is heard of a moment later
        for _ in range(3):
            assert await held_back()


async def test_rooms_are_moderated_by_who_leads_them_and_strangers_learn_nothing(ruled: Pipeline) -> None:
    room = await create(ruled, "ana", "bob", "cat", "dan")
    channel = f"room-{room}"
    await ok(ruled, "POST", f"/v1/rooms/{room}/members", "ana", {"roles": {"bob": "moderator"}})
    path, ban = f"/v1/channels/{channel}/moderation", {"do": "ban", "user": "cat"}
    assert await refused(ruled, "POST", path, "eve", ban) == (404, "not_found")
    assert await refused(ruled, "POST", "/v1/channels/room-none/moderation", "eve", ban) == (404, "not_found")
    assert await refused(ruled, "POST", path, "dan", ban) == (403, "forbidden")
    assert await refused(ruled, "POST", path, "bob", ban | {"user": "ana"}) == (403, "forbidden")
    await said(ruled, "ana", room, "before")
    async with person(ruled, "cat") as cat:
        await cat.ask("subscribe", stream=stream_of(room), after=0)
        await cat.event("before")
        await moderate(ruled, "bob", channel, "ban", "cat")
        assert (await cat.ended(room))["code"] == "forbidden"
        assert (await cat.ask("subscribe", stream=stream_of(room)))["code"] == "not_found"
        assert (await cat.ask("room", do="get", room=room))["code"] == "not_found"
        assert room not in [row["room"] for row in (await cat.ask("room", do="list"))["rooms"]]
    assert (await say(ruled, "cat", room, "x"))[1]["code"] == "not_found"
    assert await refused(ruled, "GET", f"/v1/rooms/{room}", "cat") == (404, "not_found")
    await moderate(ruled, "bob", channel, "unban", "cat")
    await moderate(ruled, "bob", channel, "mute", "dan", **{"for": "1h"})
    assert (await say(ruled, "dan", room, "x"))[1]["code"] == "muted"
    await said(ruled, "cat", room, "back")
    listed = (await ok(ruled, "GET", path, "ana"))["users"]
    assert [(one["user"], one["muted"], one["by"]) for one in listed] == [("dan", True, "bob")]


async def test_sanctions_bind_lanes_and_outlive_their_worker(ruled: Pipeline) -> None:
    channel = new_channel()
    await spread(ruled, channel)
    await moderate(ruled, None, channel, "mute", "eve")
    await moderate(ruled, None, channel, "ban", "mal")
    await asyncio.to_thread(ruled.kill, "stream")
    await asyncio.to_thread(ruled.start, "stream")
    for lane in (channel, *(f"{channel}~{n}" for n in range(4))):
        assert await post(ruled, "eve", lane, "x") == "muted"
        assert await refused(ruled, "GET", f"/v1/streams/chat/{lane}/events", "mal") == (403, "forbidden")
    # Straight to Kafka, past all doors: the fold refuses.
    assert await post(ruled, None, f"{channel}~2", "x", sender="eve") == "muted"
    assert await post(ruled, "bob", channel, "x") == "ok"


async def test_what_is_no_order_is_told_what_is_wrong(ruled: Pipeline) -> None:
    path = f"/v1/channels/{new_channel()}/moderation"
    for body in (
        {},
        {"do": "mute"},
        {"do": "shout", "user": "eve"},
        {"do": "mute", "user": ""},
        {"do": "mute", "user": "e" * 129},
        {"do": "mute", "user": "eve", "for": "soon"},
        {"do": "mute", "user": "eve", "for": "0s"},
        {"do": "mute", "user": "eve", "for": "900000d"},
        {"do": "mute", "user": "eve", "for": 5},
    ):
        assert await refused(ruled, "POST", path, None, body) == (400, "bad_request"), body
    assert await refused(ruled, "POST", path, "eve", {"do": "mute", "user": "bob"}) == (403, "forbidden")
    lane = "/v1/channels/some~1/moderation"
    assert await refused(ruled, "POST", lane, None, {"do": "mute", "user": "b"}) == (400, "bad_request")
    with_marks = "ev\u200be \u05d0"
    answer = await ok(ruled, "POST", path, None, {"do": "mute", "user": with_marks})
    assert answer["user"] == with_marks

"""What users are told: in their stream, in the number of their inbox, as they want it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.feeds.following import follow, new, post
from tests.outbox.receiver import receiver
from tests.pipeline import Pipeline
from tests.rooms.people import Person, create, ok, person, refused, say, until


async def chat(pipeline: Pipeline, user: str, channel: str, text: str, **data: Any) -> str:
    path = f"/v1/streams/chat/{channel}/events?wait=accepted"
    answer = await ok(pipeline, "POST", path, user, {"data": {"text": text, **data}})
    return str(answer["results"][0]["id"])


async def told(pipeline: Pipeline, user: str, number: int) -> list[dict[str, Any]]:
    """So many notifications, oldest first."""
    path = f"/v1/streams/broadcast/notify-{user}/events?limit=200"
    events: list[dict[str, Any]] = []

    async def all_told() -> bool:
        events[:] = (await ok(pipeline, "GET", path, user))["events"]
        return len(events) >= number

    await until(all_told)
    assert len(events) == number
    return events


async def abouts(pipeline: Pipeline, user: str) -> list[str]:
    """The events that somebody was told of, however many they are."""
    path = f"/v1/streams/broadcast/notify-{user}/events?limit=200"
    return [event["data"].get("event") for event in (await ok(pipeline, "GET", path, user))["events"]]


Said = Callable[[], Awaitable[str]]


async def held_back(pipeline: Pipeline, user: str, quiet: Said, told_of: Said) -> bool:
    """Whether somebody is not told of the one that is said, and is of the other. What the outbox goes by
    comes to it a moment later than to the door that was told: so this is asked until it is so.
    """
    one = await quiet()
    for _ in range(2):  # the second is judged after all that was there when the first one was told
        other = await told_of()

        async def is_told(other: str = other) -> bool:
            return other in await abouts(pipeline, user)

        await until(is_told)
    return one not in await abouts(pipeline, user)


async def test_mentions_replies_friends_and_invitations(posting: Pipeline) -> None:
    ana, bob, channel = new("ana", "bob", "talk")
    first = await chat(posting, ana, channel, "who is here?")
    mention = await chat(posting, bob, channel, f"me, @{ana}!")
    reply = await chat(posting, bob, channel, "and I answer", reply_to=first)
    await chat(posting, ana, channel, f"I, @{ana}, talk to myself")
    await told(posting, ana, 2)
    await ok(posting, "PUT", f"/v1/friends/{ana}", bob)
    await told(posting, ana, 3)
    room = await create(posting, bob, ana)
    events = await told(posting, ana, 4)
    assert [event["type"] for event in events] == ["mention", "reply", "friend", "invited"]
    assert all(event["sender"] == "touchline" for event in events)
    assert [event["data"].get("event") for event in events[:2]] == [mention, reply]
    assert all(event["data"]["by"] == bob for event in events)
    assert events[1]["data"]["target"] == first
    assert events[3]["data"]["room"] == room
    assert [event["n"] for event in events] == [1, 2, 3, 4]
    # They are nobody else's, and nobody else writes them.
    path = f"/v1/streams/broadcast/notify-{ana}/events"
    assert await refused(posting, "GET", path, bob) == (403, "forbidden")
    assert await refused(posting, "POST", path, bob, {"type": "mention", "data": {}}) == (403, "forbidden")


async def test_only_who_may_read_it_is_told_and_of_nobody_blocked(posting: Pipeline) -> None:
    ana, bob, eve, closed, open_ = new("ana", "bob", "eve", "closed", "open")
    room = await create(posting, bob, ana)
    await told(posting, ana, 1)  # that she was let in
    await ok(posting, "PUT", f"/v1/channels/{closed}", None, {"readers": [bob, ana]})
    (zoe,) = new("zoe")  # by whom it is found out when it is in force: eve and ana are told nothing by that

    def by(user: str, channel: str, of: str) -> Said:
        return lambda: chat(posting, user, channel, f"@{of}")

    async def is_closed() -> bool:
        return await held_back(posting, zoe, by(bob, closed, zoe), by(bob, open_, zoe))

    await until(is_closed)
    await say(posting, bob, room, f"@{ana} and @{eve}")
    await chat(posting, bob, closed, f"@{ana} and @{eve}")
    await ok(posting, "PUT", f"/v1/blocks/{bob}", eve)

    async def is_blocked() -> bool:
        return await held_back(posting, eve, by(bob, open_, eve), by(ana, open_, eve))

    await until(is_blocked)
    assert await is_blocked()
    path = f"/v1/streams/broadcast/notify-{eve}/events?limit=200"
    of_eve = (await ok(posting, "GET", path, eve))["events"]
    assert {event["data"]["stream"] for event in of_eve} == {f"chat:{open_}"}
    assert of_eve[-1]["data"]["by"] == ana
    assert {e["data"]["stream"] for e in (await told(posting, ana, 3))[1:]} == {
        f"chat:room-{room}",
        f"chat:{closed}",
    }
    # A room that is muted tells nothing.
    await ok(posting, "PUT", f"/v1/rooms/{room}/mute", ana, {"on": True})

    async def in_room() -> str:
        return str((await say(posting, bob, room, f"@{ana}, again"))[1]["id"])

    async def is_muted() -> bool:
        return await held_back(posting, ana, in_room, by(bob, open_, ana))

    await until(is_muted)
    assert await is_muted()


async def test_what_is_not_wanted_is_not_told(posting: Pipeline) -> None:
    ana, bob, channel = new("ana", "bob", "talk")
    set_ = await ok(posting, "PUT", "/v1/notifications", ana, {"types": {"mention": False}})
    assert set_["types"]["mention"] is False
    assert set_["types"]["reply"] is True
    assert set_ == await ok(posting, "GET", "/v1/notifications", ana)
    first = await chat(posting, ana, channel, "hello")

    async def is_unwanted() -> bool:
        def mention() -> Awaitable[str]:
            return chat(posting, bob, channel, f"@{ana}")

        def reply() -> Awaitable[str]:
            return chat(posting, bob, channel, f"@{ana}", reply_to=first)

        return await held_back(posting, ana, mention, reply)

    await until(is_unwanted)
    assert await is_unwanted()
    path = f"/v1/streams/broadcast/notify-{ana}/events?limit=200"
    assert (await ok(posting, "GET", path, ana))["events"][-1]["type"] == "reply"
    mistakes: tuple[dict[str, Any], ...] = (
        {"types": {"all": False}},
        {"types": []},
        {"quiet": "never"},
        {"webhook": "http://10.0.0.1/"},
        {"push": {}},
    )
    for wrong in mistakes:
        assert await refused(posting, "PUT", "/v1/notifications", ana, wrong) == (400, "bad_request")
    assert await refused(posting, "PUT", "/v1/notifications", None, {}) == (400, "bad_request")


async def test_who_follows_is_told_that_it_went_live_once_they_look(posting: Pipeline) -> None:
    ana, bob, channel, other = new("ana", "bob", "live", "other")
    await post(posting, channel, "before she followed it", type="live_started")
    await post(posting, other, "before she followed it")
    await follow(posting, ana, channel, other)
    async with person(posting, ana) as wire:
        assert (await wire.ask("inbox"))["notifications"] == 0
        await until(lambda: follows(wire, channel, other))
        (first,) = await post(posting, channel, "now", type="live_started")
        await number(wire, 1)  # she is there
        await post(posting, channel, "a post")
        await ok(posting, "DELETE", f"/v1/follows/{other}", ana)
        await until(lambda: follows(wire, channel))
        await post(posting, other, "nobody looks", type="live_started")
    ids = [first, *await post(posting, channel, "while she was away", type="live_started")]
    assert [event["data"]["event"] for event in await told(posting, ana, 2)] == ids
    async with person(posting, ana) as wire:
        await wire.ask("inbox")
        await number(wire, 2)
        await chat(posting, bob, channel, f"@{ana}")
        await number(wire, 3)
    assert [event["type"] for event in await told(posting, ana, 3)] == ["live_started"] * 2 + ["mention"]


async def follows(wire: Person, *channels: str) -> bool:
    """Whether somebody follows these and nothing else, as the edge has heard."""
    streams = {event["stream"] for event in (await wire.ask("feed"))["events"]}
    return streams == {f"broadcast:{channel}" for channel in channels}


async def number(wire: Person, wanted: int) -> None:
    """The latest that was told is this."""

    def latest(_: Any) -> bool:
        told = [m["notifications"] for m in wire.heard if m["op"] == "inbox" and "notifications" in m]
        return told[-1:] == [wanted]

    await wire.until(latest)


async def test_the_inbox_counts_what_is_unread_on_whatever_device(posting: Pipeline) -> None:
    ana, bob, channel = new("ana", "bob", "talk")
    async with person(posting, ana) as wire, person(posting, ana) as other:
        assert (await wire.ask("inbox"))["notifications"] == 0
        assert (await other.ask("inbox"))["notifications"] == 0
        for number_ in range(3):
            await chat(posting, bob, channel, f"{number_} @{ana}")
        await number(wire, 3)
        await number(other, 3)
        seqs = [event["seq"] for event in await told(posting, ana, 3)]
        stream = f"broadcast:notify-{ana}"
        assert (await wire.ask("read", stream=stream, seq=seqs[1]))["op"] == "ok"
        await number(wire, 1)
        await number(other, 1)
        assert (await wire.ask("read", stream=stream, seq=seqs[2] + 1))["code"] == "bad_request"
        await wire.ask("read", stream=stream, seq=seqs[2])
        await number(other, 0)
        await number(wire, 0)
        assert (await wire.ask("inbox"))["notifications"] == 0


async def test_a_users_own_webhook_gets_them_and_many_at_once_as_one(posting: Pipeline) -> None:
    ana, bob, channel = new("ana", "bob", "talk")
    async with receiver() as hook:
        made = await ok(posting, "PUT", "/v1/notifications", ana, {"webhook": hook.url})
        assert made["secret"].startswith("whsec_")
        assert "secret" not in await ok(posting, "GET", "/v1/notifications", ana)
        hook.secret, hook.answer = made["secret"], lambda _: 503
        said = 0

        async def is_known() -> bool:  # the outbox hears of the webhook a moment later
            nonlocal said
            said += 1
            await chat(posting, bob, channel, f"first @{ana}")
            await asyncio.sleep(0.5)
            return hook.seen > 0

        await until(is_known)
        for number_ in range(8):
            await chat(posting, bob, channel, f"{number_} @{ana}")
        await told(posting, ana, said + 8)
        hook.answer = lambda _: 204

        async def has_come(event: str) -> bool:
            return event in [got.event.get("data", {}).get("event") for got in hook.received]

        async def all_have_come() -> bool:
            return hook.count > 8

        await until(all_have_come)
        assert "digest" in [got.body["type"] for got in hook.received]
        assert len(hook.received) < hook.count
        # Whose notifications lead out is told at once of what goes live, and once.
        (live,) = new("live")
        await follow(posting, ana, live)
        earlier: list[str] = []

        async def is_followed() -> bool:  # that she follows it, too, is heard of a moment later
            earlier.extend(await post(posting, live, "now", type="live_started"))
            await asyncio.sleep(0.5)
            return any([await has_come(one) for one in earlier])

        await until(is_followed)
        (id_,) = await post(posting, live, "now again", type="live_started")
        await until(lambda: has_come(id_))
        await asyncio.sleep(0.5)
        assert (await abouts(posting, ana)).count(id_) == 1
        assert max(map((await abouts(posting, ana)).count, earlier)) == 1

"""What users are told: in their stream, in the number of their inbox, as they want it."""

import asyncio
from typing import Any

from tests.feeds.following import follow, new, post
from tests.outbox.receiver import receiver
from tests.pipeline import Pipeline
from tests.rooms.people import Person, create, ok, person, refused, say


async def chat(pipeline: Pipeline, user: str, channel: str, text: str, **data: Any) -> str:
    path = f"/v1/streams/chat/{channel}/events?wait=accepted"
    answer = await ok(pipeline, "POST", path, user, {"data": {"text": text, **data}})
    return str(answer["results"][0]["id"])


async def told(pipeline: Pipeline, user: str, number: int) -> list[dict[str, Any]]:
    """So many notifications, oldest first."""
    path = f"/v1/streams/broadcast/notify-{user}/events?limit=200"
    async with asyncio.timeout(20):
        while True:
            page = await ok(pipeline, "GET", path, user)
            if len(page["events"]) >= number:
                assert len(page["events"]) == number
                events: list[dict[str, Any]] = page["events"]
                return events
            await asyncio.sleep(0.1)


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
    await asyncio.sleep(2.1)
    await say(posting, bob, room, f"@{ana} and @{eve}")
    await chat(posting, bob, closed, f"@{ana} and @{eve}")
    await ok(posting, "PUT", f"/v1/blocks/{bob}", eve)
    await chat(posting, bob, open_, f"@{eve} reads this, and is told nothing")
    await chat(posting, ana, open_, f"@{eve} is told")
    (event,) = await told(posting, eve, 1)
    assert event["data"]["by"] == ana
    assert [e["data"]["stream"] for e in (await told(posting, ana, 3))[1:]] == [
        f"chat:room-{room}",
        f"chat:{closed}",
    ]
    # A room that is muted tells nothing.
    await ok(posting, "PUT", f"/v1/rooms/{room}/mute", ana, {"on": True})
    await say(posting, bob, room, f"@{ana}, again")
    await chat(posting, bob, open_, f"@{ana}")
    assert (await told(posting, ana, 4))[-1]["data"]["stream"] == f"chat:{open_}"


async def test_what_is_not_wanted_is_not_told(posting: Pipeline) -> None:
    ana, bob, channel = new("ana", "bob", "talk")
    set_ = await ok(posting, "PUT", "/v1/notifications", ana, {"types": {"mention": False}})
    assert set_["types"]["mention"] is False
    assert set_["types"]["reply"] is True
    assert set_ == await ok(posting, "GET", "/v1/notifications", ana)
    first = await chat(posting, ana, channel, "hello")
    await chat(posting, bob, channel, f"@{ana}")
    await chat(posting, bob, channel, f"@{ana}", reply_to=first)
    assert [event["type"] for event in await told(posting, ana, 1)] == ["reply"]
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
    await follow(posting, ana, channel, other)
    async with person(posting, ana) as wire:
        assert (await wire.ask("inbox"))["notifications"] == 0
        (first,) = await post(posting, channel, "now", type="live_started")
        await number(wire, 1)  # she is there
        await post(posting, channel, "a post")
        await ok(posting, "DELETE", f"/v1/follows/{other}", ana)
        await post(posting, other, "nobody looks", type="live_started")
    ids = [first, *await post(posting, channel, "while she was away", type="live_started")]
    assert [event["data"]["event"] for event in await told(posting, ana, 2)] == ids
    async with person(posting, ana) as wire:
        await wire.ask("inbox")
        await number(wire, 2)
        await chat(posting, bob, channel, f"@{ana}")
        await number(wire, 3)
    assert [event["type"] for event in await told(posting, ana, 3)] == ["live_started"] * 2 + ["mention"]


async def number(wire: Person, wanted: int) -> None:
    await wire.until(lambda m: m["op"] == "inbox" and m.get("notifications") == wanted)


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
        assert (await wire.ask("inbox"))["notifications"] == 0


async def test_a_users_own_webhook_gets_them_and_many_at_once_as_one(posting: Pipeline) -> None:
    ana, bob, channel = new("ana", "bob", "talk")
    async with receiver() as hook:
        made = await ok(posting, "PUT", "/v1/notifications", ana, {"webhook": hook.url})
        assert made["secret"].startswith("whsec_")
        assert "secret" not in await ok(posting, "GET", "/v1/notifications", ana)
        hook.secret, hook.answer = made["secret"], lambda _: 503
        for number_ in range(8):
            await chat(posting, bob, channel, f"{number_} @{ana}")
        await told(posting, ana, 8)
        hook.answer = lambda _: 204
        async with asyncio.timeout(20):
            while hook.count < 8:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert hook.received[-1].body["type"] == "digest"
        assert len(hook.received) < 8
        # Whose notifications lead out is told at once of what goes live, and once.
        (live,) = new("live")
        await follow(posting, ana, live)
        before = hook.count
        (id_,) = await post(posting, live, "now", type="live_started")
        async with asyncio.timeout(20):
            while hook.count == before:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert hook.received[-1].event["data"]["event"] == id_
        assert (await told(posting, ana, 9))[-1]["type"] == "live_started"
        await asyncio.sleep(0.5)
        assert len(await told(posting, ana, 9)) == 9

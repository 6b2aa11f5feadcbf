"""A feed: complete, without doubles, by id, whatever of it the index has; and live at an edge of a cell."""

import asyncio
import contextlib
from typing import Any

from consumers.client.requests.feeds import watch_feed
from consumers.client.viewer import Viewer
from producers.producer import Producer
from tests.feeds.following import feed, follow, new, post, texts_of
from tests.pipeline import Pipeline
from tests.rooms.people import PATIENCE_S, Person, ok, person, refused, until


async def test_pages_have_all_there_is_of_all_channels(feeding: Pipeline) -> None:
    (ana, *channels) = new("ana", "one", "two", "three", "four", "five")
    await follow(feeding, ana, *channels[:4])
    right: list[str] = []
    for number in range(12):
        for channel in channels:
            ids = await post(feeding, channel, f"{channel} {number}")
            right += ids if channel != channels[4] else []
    await post(feeding, channels[0], "another type", type="score")
    right.sort(key=int, reverse=True)
    assert len(right) == 48
    # Backwards, then forwards: at this moment the index has a part of it, later it has all.
    for _ in range(2):
        seen, before = list[str](), ""
        while True:
            page = await feed(feeding, ana, limit=7, **({"before": before} if before else {}))
            seen += [event["id"] for event in page["events"]]
            if not page["more"]:
                break
            before = seen[-1]
        assert seen == right
        seen, after = list[str](), "0"
        while True:
            page = await feed(feeding, ana, limit=7, after=after)
            seen = [event["id"] for event in page["events"]] + seen
            if not page["more"]:
                break
            after = seen[0]
        assert seen == right
        await indexed(feeding, channels[3], 12)


async def indexed(pipeline: Pipeline, channel: str, number: int) -> None:
    """So many events of a channel are found."""

    async def are_found() -> bool:
        found = await ok(pipeline, "GET", f"/v1/search?channel={channel}&limit=50", None)
        return len(found["hits"]) >= number

    await until(are_found)


async def test_a_channel_with_lanes_is_followed_with_all_of_them(feeding: Pipeline) -> None:
    ana, club = new("ana", "club")
    await follow(feeding, ana, club)
    async with Producer(feeding.settings) as producer:

        async def spread(*texts: str) -> None:
            for text in texts:
                await producer.broadcast(club, "post", {"text": text}, spread=3)

        await spread("a", "b", "c")

        async def whole() -> bool:  # the lanes hold within a moment
            return sorted(await texts_of(feeding, ana)) == ["a", "b", "c"]

        await until(whole)
        streams = {event["stream"] for event in (await feed(feeding, ana))["events"]}
        assert streams == {f"broadcast:{club}~{number}" for number in range(3)}
        async with person(feeding, ana) as wire:

            async def whole_there() -> bool:
                return len((await wire.ask("feed"))["events"]) == 3

            await until(whole_there)
            await spread("d", "e", "f")
            for text in ("d", "e", "f"):
                await told(wire, text)
        assert sorted(await texts_of(feeding, ana)) == ["a", "b", "c", "d", "e", "f"]


async def test_a_channels_setting_says_what_its_feed_shows(feeding: Pipeline) -> None:
    ana, scores, quiet = new("ana", "scores", "quiet")
    await follow(feeding, ana, scores, quiet)
    await ok(feeding, "PUT", f"/v1/channels/{scores}", None, {"feed": ["goal"]})
    await ok(feeding, "PUT", f"/v1/channels/{quiet}", None, {"feed": []})

    async def is_set() -> bool:  # what is set holds within two seconds
        channels = [await ok(feeding, "GET", f"/v1/channels/{name}", None) for name in (scores, quiet)]
        return [one["settings"]["feed"] for one in channels] == [["goal"], []]

    await until(is_set)
    await post(feeding, scores, "a goal", type="goal")
    await post(feeding, scores, "a post")
    await post(feeding, quiet, "a post")
    assert await texts_of(feeding, ana) == ["a goal"]


async def test_a_closed_channel_that_one_follows_shows_nothing(feeding: Pipeline) -> None:
    ana, bob, club = new("ana", "bob", "club")
    await follow(feeding, ana, club)
    await follow(feeding, bob, club)
    await post(feeding, club, "hello")
    assert await texts_of(feeding, ana) == ["hello"]
    async with person(feeding, ana) as wire:

        async def shows(*wanted: str) -> bool:
            """At the edge, which hears of follows and readers by itself."""
            found = [event["data"]["text"] for event in (await wire.ask("feed"))["events"]]
            return found == [*wanted]

        async def is_closed() -> bool:
            return await texts_of(feeding, ana) == []

        await until(lambda: shows("hello"))
        await ok(feeding, "PUT", f"/v1/channels/{club}", None, {"readers": [bob]})
        await until(is_closed)
        await until(shows)
        await post(feeding, club, "for members")
        assert await texts_of(feeding, ana) == []
        assert await texts_of(feeding, bob) == ["for members", "hello"]
        assert (await wire.ask("feed"))["events"] == []
        assert not [m for m in wire.heard if "for members" in str(m)]
    assert await refused(feeding, "PUT", f"/v1/follows/{club}", "eve") == (403, "forbidden")


async def test_what_comes_is_told_at_once(feeding: Pipeline) -> None:
    ana, bob, one, two = new("ana", "bob", "one", "two")
    await follow(feeding, ana, one)
    await follow(feeding, bob, two)
    await post(feeding, one, "before")
    async with person(feeding, ana) as wire, person(feeding, bob) as other:

        async def page(*wanted: str) -> bool:
            """What a page has, at the edge, which hears of follows by itself."""
            found = await wire.ask("feed", limit=10)
            assert found["more"] is False
            return [*dict.fromkeys(event["data"]["text"] for event in found["events"])] == [*wanted]

        async def both_hear() -> bool:
            await post(feeding, two, "of two")
            return "of two" in texts(wire) and "of two" in texts(other)

        await until(lambda: page("before"))
        assert (await other.ask("feed"))["events"] == []
        await post(feeding, one, "now")
        await told(wire, "now")
        await follow(feeding, ana, two)
        await until(both_hear)
        await ok(feeding, "DELETE", f"/v1/follows/{one}", ana)
        await until(lambda: page("of two"))
        await post(feeding, one, "nobody hears")
        await post(feeding, two, "later")
        await told(wire, "later")
        assert (await wire.ask("feed", off=True))["op"] == "ok"
        await post(feeding, two, "much later")
        await told(other, "much later")
        assert [*dict.fromkeys(texts(wire))] == ["now", "of two", "later"]


def texts(wire: Person) -> list[str]:
    """What was told unasked."""
    found = [m for m in wire.heard if m["op"] == "feed" and "id" not in m]
    return [event["data"]["text"] for message in found for event in reversed(message["events"])]


async def told(wire: Person, text: str) -> dict[str, Any]:
    return await wire.until(lambda m: m["op"] == "feed" and "id" not in m and text in texts(wire))


async def test_what_was_taken_back_is_on_no_page(feeding: Pipeline) -> None:
    ana, one = new("ana", "one")
    await follow(feeding, ana, one)
    first, second = await post(feeding, one, "a secret", "and more")
    assert await texts_of(feeding, ana) == ["and more", "a secret"]
    path = f"/v1/streams/broadcast/{one}/events?wait=accepted"
    await ok(feeding, "POST", path, None, {"type": "retract", "data": {"target": first}})

    async def blank() -> bool:
        return "a secret" not in str(await feed(feeding, ana))

    await until(blank)
    found = (await feed(feeding, ana))["events"]
    assert [(e["id"], e["data"], e.get("retracted", False)) for e in found] == [
        (second, {"text": "and more"}, False),
        (first, {}, True),
    ]
    async with person(feeding, ana) as wire:

        async def blank_there() -> bool:  # an edge hears of follows and retractions by itself
            found = str(await wire.ask("feed"))
            return "a secret" not in found and "and more" in found

        await until(blank_there)


async def test_what_is_no_feed_is_refused(feeding: Pipeline) -> None:
    (ana,) = new("ana")
    assert await refused(feeding, "GET", "/v1/feed?before=x", ana) == (400, "bad_request")
    assert await refused(feeding, "GET", "/v1/feed?before=1&after=1", ana) == (400, "bad_request")
    assert await refused(feeding, "GET", "/v1/feed?limit=0", ana) == (400, "bad_request")
    assert await refused(feeding, "GET", "/v1/feed?since=1", ana) == (400, "bad_request")
    assert await refused(feeding, "GET", "/v1/feed", None) == (400, "bad_request")
    async with person(feeding, ana) as wire:
        assert (await wire.ask("feed", before="x"))["code"] == "bad_request"
        assert (await wire.ask("feed", before="1", after="1"))["code"] == "bad_request"
    async with person(feeding, "") as nobody:
        assert (await nobody.ask("feed"))["code"] == "bad_request"


async def test_programs_hear_it_as_it_comes(feeding: Pipeline) -> None:
    ana, one = new("ana", "one")
    await follow(feeding, ana, one)
    await post(feeding, one, "before", "just before")
    seen: list[str] = []
    async with person(feeding, ana) as wire:

        async def known() -> bool:  # that she follows it, at the edge
            return len((await wire.ask("feed"))["events"]) == 2

        await until(known)
    async with Viewer(feeding.edge_url, user=ana) as viewer:
        await viewer.connected(PATIENCE_S)
        async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(watch_feed(viewer, last=1)) as events:
            async for event in events:
                seen.append(event["data"]["text"])
                if seen == ["just before"]:
                    await post(feeding, one, "now", "and now")
                if len(seen) == 3:
                    break
    assert seen == ["just before", "now", "and now"]

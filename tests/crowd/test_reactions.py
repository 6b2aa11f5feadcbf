"""Applause and reactions to events: counted once each, told to who watches, for nobody who may not read."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientSession
from confluent_kafka import Producer

from kernel.log.kafka import client_config
from kernel.log.topics import topic_names
from tests.crowd.people import new_stream, path_of, react, say, told, totals
from tests.pipeline import Pipeline
from tests.rooms.people import change_members, create, http, ok, person, refused, stream_of, until

pytestmark = pytest.mark.servers


async def test_all_applause_that_was_answered_counts_by_whatever_way_it_came(crowded: Pipeline) -> None:
    stream = new_stream()
    async with person(crowded, "ana") as ana, person(crowded, "bob") as bob:
        assert (await ana.ask("subscribe", stream=stream, reactions=True))["op"] == "subscribed"
        replies = await asyncio.gather(
            *(who.ask("react", stream=stream, **{"with": "👏"}) for who in (ana, bob) for _ in range(20)),
            bob.ask("react", stream=stream, n=100, **{"with": "🎉"}),
        )
        assert {reply["op"] for reply in replies} == {"ok"}
        lines = (
            b'{"with":"\xf0\x9f\x91\x8f"}\n' * 2000 + b'{"with":"xyz"}\n{"with":"\xf0\x9f\x91\x8f","n":3}\n'
        )
        async with ClientSession() as session:
            url = f"{crowded.gateway_url}{path_of(stream, 'reactions')}"
            async with session.post(url, data=lines, headers={"Content-Type": "application/x-ndjson"}) as r:
                answer = await r.json()
        assert (answer["accepted"], answer["refused"]) == (2001, 1)
        assert [n for n, one in enumerate(answer["results"]) if not one["ok"]] == [2000]
        assert answer["results"][2000]["code"] == "bad_request"
        array = [{"with": "👏"}, {"with": "🎉", "n": 2}]
        assert (await http(crowded, "POST", path_of(stream, "reactions"), "cat", array))[0] == 202
        # With Kafka's own partitioner: another one's records are put right, and count a moment later.
        producer = Producer(client_config(crowded.settings) | {"partitioner": "murmur2_random"})
        record = {"stream": stream, "with": "👏", "n": 5}
        topic, key = topic_names(crowded.settings).reactions, stream.partition(":")[2]
        producer.produce(topic, json.dumps(record).encode(), key.encode())
        assert producer.flush(60) == 0
        right = {"👏": 40 + 2003 + 1 + 5, "🎉": 102}

        async def all_count() -> bool:
            return bool((await totals(crowded, stream))["totals"] == right)

        await until(all_count)
        exact = await totals(crowded, stream)
        assert exact["mine"] == []
        assert exact["as_of"] > 0
        news = await told(ana, "reactions", lambda m: m["totals"] == right)
        assert (news["stream"], news["target"]) == (stream, None)
        # The rate is told as well, and that it is over.
        assert any(m["per_s"].get("👏", 0) > 0 for m in ana.heard if m["op"] == "reactions")
        await told(ana, "reactions", lambda m: m["totals"] == right and m["per_s"] == {})
        assert [m for m in bob.heard if m["op"] == "reactions"] == []


async def test_who_comes_later_is_told_how_it_stands_and_nobody_is_told_without_end(
    crowded: Pipeline,
) -> None:
    stream = new_stream("broadcast")
    assert await react(crowded, stream, "👏", "ana") == (202, "")
    assert (await totals(crowded, stream))["totals"] == {"👏": 1}
    async with person(crowded, "bob") as bob:
        await bob.ask("subscribe", stream=stream, reactions=True)
        await told(bob, "reactions", lambda m: m["totals"] == {"👏": 1})
        began = asyncio.get_running_loop().time()
        for _ in range(40):
            await bob.ask("react", stream=stream, **{"with": "👏"})
        await told(bob, "reactions", lambda m: m["totals"] == {"👏": 41})
        took = asyncio.get_running_loop().time() - began
        assert sum(m["op"] == "reactions" for m in bob.heard) <= 2 * took + 3
        await bob.ask("unsubscribe", stream=stream)
        number = len(bob.heard)
        await react(crowded, stream, "👏", "ana")
        await bob.ask("subscribe", stream=new_stream(), reactions=True)
        await asyncio.sleep(0)
        assert (await totals(crowded, stream))["totals"] == {"👏": 42}
        assert [m for m in bob.heard[number:] if m["op"] == "reactions"] == []


async def test_a_reaction_to_an_event_is_a_users_once_and_may_be_taken_back(crowded: Pipeline) -> None:
    stream = new_stream()
    event = await say(crowded, stream)
    async with person(crowded, "ana") as ana, person(crowded, "ana") as again:
        await ana.ask("subscribe", stream=stream, reactions=True)
        for who in (ana, again, ana):
            assert (await who.ask("react", stream=stream, target=event, **{"with": "👍"}))["op"] == "ok"
        assert await react(crowded, stream, "👍", "bob", target=event) == (202, "")
        assert await react(crowded, stream, "🔥", "bob", target=event) == (202, "")
        found = await totals(crowded, stream, "bob", event)
        assert (found["totals"], sorted(found["mine"])) == ({"👍": 2, "🔥": 1}, ["👍", "🔥"])
        await told(ana, "reactions", lambda m: m["target"] == event and m["totals"] == {"👍": 2, "🔥": 1})
        for _ in range(2):
            await again.ask("react", stream=stream, target=event, off=True, **{"with": "👍"})
        found = await totals(crowded, stream, "ana", event)
        assert (found["totals"], found["mine"]) == ({"👍": 1, "🔥": 1}, [])
        assert (await totals(crowded, stream))["totals"] == {}


async def test_reactions_go_with_the_message_that_is_taken_back(crowded: Pipeline) -> None:
    stream = new_stream()
    event, other = await say(crowded, stream), await say(crowded, new_stream())
    assert await react(crowded, stream, "👍", "ana", target=event) == (202, "")
    assert await react(crowded, stream, "👍", "ana", target=other) == (404, "not_found")
    assert await react(crowded, stream, "👍", "ana", target="9" * 24) == (404, "not_found")
    await say(crowded, stream, "", type="retract", data={"target": event})
    async with person(crowded, "bob") as bob:

        async def gone() -> bool:
            reply = await bob.ask("react", stream=stream, target=event, **{"with": "🔥"})
            return bool(reply.get("code") == "not_found")

        await until(gone)

    async def gone_there() -> bool:  # a gateway hears of it by itself
        return (await http(crowded, "GET", path_of(stream, f"reactions?target={event}"), "ana"))[0] == 404

    await until(gone_there)
    # Whoever goes past the doors is refused by the fold.
    producer = Producer(client_config(crowded.settings))
    record = {"stream": stream, "with": "👍", "target": event, "user": "eve"}
    topic, key = topic_names(crowded.settings).reactions, stream.partition(":")[2]
    producer.produce(topic, json.dumps(record).encode(), key.encode())
    assert producer.flush(60) == 0
    assert await refused(crowded, "GET", path_of(stream, f"reactions?target={event}"), "ana") == (
        404,
        "not_found",
    )


async def test_who_may_not_read_a_stream_does_not_learn_of_it(crowded: Pipeline) -> None:
    room = await create(crowded, "ana", "bob")
    stream = stream_of(room)
    body = {"data": {"text": "hi"}}
    sent = await ok(crowded, "POST", path_of(stream, "events"), "ana", body)
    event = sent["results"][0]["id"]
    asked = {"question": "Where?", "options": ["here", "there"]}
    poll = (await ok(crowded, "POST", path_of(stream, "polls"), "bob", asked))["poll"]
    assert await react(crowded, stream, "👍", "bob", target=event) == (202, "")
    assert await react(crowded, stream, "👏", "bob") == (202, "")
    nowhere = stream_of("nowhere")
    for there in (stream, nowhere):
        async with person(crowded, "eve") as eve:
            replies = [
                await eve.ask("react", stream=there, **{"with": "👍"}),
                await eve.ask("react", stream=there, target=event, **{"with": "👍"}),
                await eve.ask("vote", stream=there, poll=poll, option=0),
            ]
            assert [reply["code"] for reply in replies] == ["not_found"] * 3, replies
        assert await react(crowded, there, "👍", "eve") == (404, "not_found")
        for path in ("reactions", f"reactions?target={event}", f"polls/{poll}"):
            assert await refused(crowded, "GET", path_of(there, path), "eve") == (404, "not_found")
        vote = await refused(crowded, "PUT", path_of(there, f"polls/{poll}/vote"), "eve", {"option": 0})
        assert vote == (404, "not_found")
        close = await refused(crowded, "DELETE", path_of(there, f"polls/{poll}"), "eve")
        assert close == (404, "not_found")
        assert await refused(crowded, "POST", path_of(there, "polls"), "eve", asked) == (404, "not_found")
    assert (await totals(crowded, stream, "ana"))["totals"] == {"👏": 1}
    async with person(crowded, "bob") as bob:
        await bob.ask("subscribe", stream=stream, reactions=True)
        await told(bob, "reactions", lambda m: m["totals"] == {"👏": 1})
        await change_members(crowded, "ana", room, remove=["bob"])
        await bob.ended(room)
        number = len(bob.heard)
        for _ in range(3):
            await react(crowded, stream, "👏", "ana")
            assert (await bob.ask("ping"))["op"] == "pong"
        assert (await totals(crowded, stream, "ana"))["totals"] == {"👏": 4}
        assert (await bob.ask("react", stream=stream, **{"with": "👍"}))["code"] == "not_found"
        assert [m for m in bob.heard[number:] if m["op"] in ("reactions", "poll")] == []


async def test_closed_channels_and_the_muted(crowded: Pipeline) -> None:
    stream = new_stream()
    channel = stream.partition(":")[2]
    await ok(
        crowded, "PUT", f"/v1/channels/{channel}", None, {"readers": ["ana"], "reactions": ["👍", ":goal:"]}
    )

    async def is_closed() -> bool:
        return (await react(crowded, stream, "👍", "eve"))[0] == 403

    await until(is_closed)
    async with person(crowded, "eve") as eve:

        async def is_closed_there() -> bool:  # an edge hears of it by itself
            return (await eve.ask("react", stream=stream, **{"with": "👍"})).get("code") == "forbidden"

        await until(is_closed_there)
        before = (await totals(crowded, stream, "ana"))["totals"]
        assert (await eve.ask("vote", stream=stream, poll="1", option=0))["code"] == "forbidden"
    assert (await refused(crowded, "GET", path_of(stream, "reactions"), "eve"))[0] == 403
    assert await react(crowded, stream, ":goal:", "ana") == (202, "")
    assert (await react(crowded, stream, "👏", "ana"))[1] == "moderated"
    assert (await totals(crowded, stream, "ana"))["totals"] == {**before, ":goal:": 1}
    await ok(crowded, "POST", f"/v1/channels/{channel}/moderation", None, {"do": "mute", "user": "ana"})

    async def is_muted() -> bool:
        return (await react(crowded, stream, "👍", "ana"))[1] == "muted"

    await until(is_muted)


@pytest.mark.parametrize(
    "bad",
    [
        {"with": "👏" * 2500},
        {"with": "👏👏"},
        {"with": "clap"},
        {"with": ""},
        {"with": "👏", "n": 0},
        {"with": "👏", "n": -1},
        {"with": "👏", "n": 10**9},
        {"with": "👏", "n": 1.5},
        {"with": "👏", "off": True},
        {"with": "👏", "key": ""},
        {"with": "👏", "key": "k" * 129},
        {"with": "👏", "target": "abc"},
        {"with": "👏", "target": "1" * 50},
        {"with": "👏", "n": 2, "target": "1" * 20},
        {"with": 5},
        {},
    ],
)
async def test_what_cannot_be_is_refused_at_both_doors(crowded: Pipeline, bad: dict[str, Any]) -> None:
    stream = new_stream()
    status, code = await refused(crowded, "POST", path_of(stream, "reactions"), "ana", bad)
    assert (status, code) in ((400, "bad_request"), (413, "too_large"))
    async with person(crowded, "ana") as ana:
        assert (await ana.ask("react", stream=stream, **bad))["code"] == "bad_request"


async def test_the_same_key_counts_once_and_users_speak_for_themselves(crowded: Pipeline) -> None:
    stream = new_stream()
    for user, key in (("ana", "k"), ("ana", "k"), ("bob", "k")):
        assert (await react(crowded, stream, "👏", user, key=key))[0] == 202
    assert (await totals(crowded, stream))["totals"] == {"👏": 2}
    assert (await react(crowded, stream, "👏", "ana", user="bob")) == (403, "forbidden")
    event = await say(crowded, stream)
    assert (await react(crowded, stream, "👍", target=event)) == (400, "bad_request")
    assert (await react(crowded, stream, "👍", target=event, user="cat")) == (202, "")
    assert (await totals(crowded, stream, "cat", event))["mine"] == ["👍"]

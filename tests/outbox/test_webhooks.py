"""Webhooks, as a receiver that others wrote meets them: verified, in order, at least once, whatever fails."""

import asyncio
import random
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from kernel.access.signing import Signer
from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from tests.feeds.following import new
from tests.outbox.receiver import SECRET, Got, Hook, receiver
from tests.pipeline import Pipeline
from tests.rooms.people import PATIENCE_S, ok, refused


async def hooked(pipeline: Pipeline, hook: Hook, *streams: str, **more: Any) -> str:
    """A webhook that is in force; its id."""
    (id_,) = new("hook")
    body = {"url": hook.url, "secret": SECRET, "streams": list(streams), **more}
    made = await ok(pipeline, "PUT", f"/v1/webhooks/{id_}", None, body)
    assert made["id"] == id_
    assert "secret" not in made
    return id_


async def say(pipeline: Pipeline, channel: str, *texts: str) -> list[str]:
    path = f"/v1/streams/chat/{channel}/events?wait=accepted"
    answer = await ok(pipeline, "POST", path, "ana", [{"data": {"text": text}} for text in texts])
    return [result["id"] for result in answer["results"]]


async def test_events_are_posted_in_the_standard_form(posting: Pipeline) -> None:
    (channel,) = new("hooked")
    async with receiver() as hook:
        await hooked(posting, hook, f"chat:{channel}")
        (id_,) = await say(posting, channel, "grüße")
        await say(posting, f"{channel}-other", "nobody waits for it")
        got = (await hook.until(1))[0]
        assert got.id == id_
        assert got.body["type"] == "message"
        assert got.body["timestamp"] == got.event["server_ts"]
        assert (got.event["id"], got.event["stream"]) == (id_, f"chat:{channel}")
        assert got.event["data"]["text"] == "grüße"


async def test_each_event_in_order_of_its_channel_though_the_receiver_fails_at_random(
    posting: Pipeline,
) -> None:
    (prefix,) = new("order")
    channels = [f"{prefix}-{number}" for number in range(5)]
    dice = random.Random(11)
    async with receiver() as hook:

        async def answer(_: Got) -> Any:
            fate = dice.random()
            if fate < 0.05:
                await asyncio.sleep(4)  # longer than the outbox waits
            return 204 if fate < 0.7 else dice.choice([500, 503, 404, (302, {"Location": "/elsewhere"})])

        hook.answer = answer
        await hooked(posting, hook, f"chat:{prefix}-*")
        right = {channel: list[str]() for channel in channels}
        for number in range(8):
            for channel in channels:
                right[channel] += await say(posting, channel, str(number))
        await hook.until_ids([id_ for ids in right.values() for id_ in ids])
        for channel, ids in right.items():
            firsts = dict.fromkeys(g.id for g in hook.received if g.event["stream"] == f"chat:{channel}")
            assert list(firsts) == ids


async def test_an_outbox_that_is_killed_loses_nothing(posting: Pipeline) -> None:
    (channel,) = new("killed")
    async with receiver() as hook:
        hook.answer = lambda _: 503
        await hooked(posting, hook, f"chat:{channel}")
        ids = await say(posting, channel, *(f"before {number}" for number in range(20)))
        async with asyncio.timeout(PATIENCE_S):
            while not hook.seen:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.to_thread(posting.kill, "outbox")
        ids += await say(posting, channel, "while it was away")
        hook.answer = lambda _: 204
        await asyncio.to_thread(posting.start, "outbox")
        ids += await say(posting, channel, "after")
        await hook.until_ids(ids)
        assert list(dict.fromkeys(one.id for one in hook.received)) == ids


async def test_what_is_taken_back_before_it_is_sent_goes_without_its_text(posting: Pipeline) -> None:
    (channel,) = new("regret")
    async with receiver() as hook:
        hook.answer = lambda _: 503
        await hooked(posting, hook, f"chat:{channel}", types=["message"])
        (id_,) = await say(posting, channel, "a secret")
        async with asyncio.timeout(PATIENCE_S):
            while not hook.seen:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        path = f"/v1/streams/chat/{channel}/events?wait=accepted"
        await ok(posting, "POST", path, "ana", {"type": "retract", "data": {"target": id_}})
        await asyncio.sleep(1)
        hook.answer = lambda _: 204
        got = (await hook.until(1))[0]
        assert got.id == id_
        assert got.event["retracted"] is True
        assert "a secret" not in str(got.body)


async def test_a_receiver_that_is_gone_or_dead_or_busy(posting: Pipeline) -> None:
    gone, dead, busy = new("gone", "dead", "busy")
    async with receiver() as hook, receiver() as silent, receiver() as slow:
        hook.answer = lambda _: 410
        id_ = await hooked(posting, hook, f"chat:{gone}")
        await say(posting, gone, "one", "two")
        async with asyncio.timeout(PATIENCE_S):
            while (await ok(posting, "GET", f"/v1/webhooks/{id_}", None))["active"]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert hook.seen == 1
        # It never answers: after its time is over the event is given up, and the next ones have theirs.
        silent.answer = lambda _: 500
        dead_hook = await hooked(posting, silent, f"chat:{dead}")
        await say(posting, dead, "never taken")
        seen = 0

        def busy_once(_: Got) -> Any:
            nonlocal seen
            seen += 1
            return (429, {"Retry-After": "2"}) if seen == 1 else 204

        slow.answer = busy_once
        await hooked(posting, slow, f"chat:{busy}")
        began = asyncio.get_running_loop().time()
        await say(posting, busy, "please wait")
        await slow.until(1)
        assert asyncio.get_running_loop().time() - began >= 2
        async with asyncio.timeout(2 * PATIENCE_S):
            while not await given_up(posting, dead):  # noqa: ASYNC110
                await asyncio.sleep(0.3)
        silent.answer = lambda _: 204
        await say(posting, dead, "taken")
        assert (await silent.until(1))[0].event["data"]["text"] == "taken"
        # An operator has what was given up tried once more.
        await ok(posting, "POST", f"/v1/webhooks/{dead_hook}/retry", None)
        async with asyncio.timeout(PATIENCE_S):
            while "never taken" not in [one.event["data"]["text"] for one in silent.received]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def given_up(pipeline: Pipeline, channel: str) -> bool:
    found = await ok(pipeline, "GET", "/v1/rejections?reason=not_delivered", None)
    return any(one["channel"] == channel for one in found["rejections"])


async def test_who_may_have_webhooks_and_where_they_lead(posting: Pipeline) -> None:
    body = {"url": "http://127.0.0.1:9/hook", "secret": SECRET, "streams": ["chat:*"]}
    (id_,) = new("mine")
    path = f"/v1/webhooks/{id_}"
    assert await refused(posting, "PUT", path, "eve", body) == (403, "forbidden")
    mistakes: tuple[dict[str, Any], ...] = (
        {"url": "http://169.254.169.254/latest"},
        {"url": "http://10.0.0.1/"},
        {"url": "ftp://example.com/"},
        {"streams": []},
        {"users": ["ana"]},
        {"secret": ""},
        {"streams": ["x" * 200]},
        {"streams": ["wc26-final"]},
        {"streams": ["chats:wc26-*"]},
    )
    for wrong in mistakes:
        assert await refused(posting, "PUT", path, None, {**body, **wrong}) == (400, "bad_request")
    assert await refused(posting, "GET", path, None) == (404, "not_found")
    made = await ok(posting, "PUT", path, None, {**body, "secret": None})
    assert made["secret"].startswith("whsec_")  # made up, and told once
    shown = await ok(posting, "GET", path, None)
    assert shown == {"id": id_, "url": body["url"], "active": True, "streams": ["chat:*"]}
    assert await refused(posting, "GET", path, "eve") == (403, "forbidden")
    assert id_ in [one["id"] for one in (await ok(posting, "GET", "/v1/webhooks", None))["webhooks"]]
    await ok(posting, "DELETE", path, None)
    assert await refused(posting, "GET", path, None) == (404, "not_found")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_loopback_is_allowed_while_there_are_no_keys(posting: Pipeline, host: str) -> None:
    (channel,) = new("loop")
    async with receiver() as hook:
        hook.url = hook.url.replace("127.0.0.1", host)
        await hooked(posting, hook, f"chat:{channel}")
        await say(posting, channel, "hello")
        await hook.until(1)


async def test_whoever_made_an_alert_has_it_posted_and_only_while_it_is_theirs(posting: Pipeline) -> None:
    ana, bob, alert, other = new("ana", "bob", "told", "other")
    about = {"q": "goal", "channel": "final"}
    await ok(posting, "PUT", f"/v1/alerts/{alert}", ana, about)
    stream = f"broadcast:alert-{alert}"

    producer = Producer(client_config(posting.settings, partitioner="murmur2_random"))

    def tell(text: str) -> None:
        """As the indexer does."""
        key = f"alert-{alert}"
        value = msgspec.json.encode({"type": "alert", "sender": "touchline", "data": {"text": text}})
        headers = Signer(posting.settings.auth).headers(Kind.BROADCAST, key, value)
        producer.produce(
            topic_names(posting.settings).ingest[Kind.BROADCAST], value, key=key.encode(), headers=headers
        )
        producer.flush(60)

    async with receiver() as hook, receiver() as bobs:
        body = {"url": hook.url, "secret": SECRET, "streams": [stream]}
        for who, streams in ((bob, [stream]), (ana, ["broadcast:alert-*"]), (ana, [stream, "chat:final"])):
            wanted = body | {"streams": streams}
            assert await refused(posting, "PUT", f"/v1/webhooks/{alert}", who, wanted) == (403, "forbidden")
        assert (await ok(posting, "PUT", f"/v1/webhooks/{alert}", ana, body))["active"]
        assert [one["id"] for one in (await ok(posting, "GET", "/v1/webhooks", ana))["webhooks"]] == [alert]
        assert (await ok(posting, "GET", "/v1/webhooks", bob))["webhooks"] == []
        assert (await refused(posting, "DELETE", f"/v1/webhooks/{alert}", bob))[0] == 403
        tell("for ana")
        got = (await hook.until(1))[0]
        assert got.event["stream"] == stream
        # Somebody else's under the same name is nothing of ana's.
        await ok(posting, "DELETE", f"/v1/alerts/{alert}", ana)
        await ok(posting, "PUT", f"/v1/alerts/{alert}", bob, about)
        await ok(posting, "PUT", f"/v1/webhooks/{other}", bob, body | {"url": bobs.url})
        async with asyncio.timeout(PATIENCE_S):
            while not bobs.received:
                tell("whose is it?")
                await asyncio.sleep(0.1)
        tell("for bob")
        async with asyncio.timeout(PATIENCE_S):
            while bobs.received[-1].event["data"]["text"] != "for bob":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert "for bob" not in [one.event["data"]["text"] for one in hook.received]

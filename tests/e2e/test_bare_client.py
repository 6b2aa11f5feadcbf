"""docs/protocol.md over the whole pipeline, as a client sees it that was written from that text alone."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from elasticsearch import Elasticsearch
from websockets.exceptions import ConnectionClosed

from consumers.client.viewer import Viewer
from kernel.access.tokens import sign
from kernel.log.kafka import client_config
from kernel.log.topics import topic_names
from schemas.codec import Codec
from tests.consumers.bare import Bare, bare
from tests.pipeline import Pipeline, eventually, running
from tests.search_indexer.conftest import QUICK

pytestmark = [pytest.mark.servers, pytest.mark.slow]
SECRET = "a-secret-of-thirty-two-bytes-or-more"
MAY = dict.fromkeys(("subscribe", "publish", "history"), ("*",))


@pytest.fixture(scope="module")
def pipeline(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("bare")
    given = {**QUICK, "TOUCHLINE_AUTH_SECRET": SECRET}
    with running(kafka_servers, elasticsearch_url, logs, "stream", "edge", "index", **given) as started:
        yield started


def come(pipeline: Pipeline, user: str, device: str = "") -> AbstractAsyncContextManager[Any]:
    token = sign(user, MAY, expires_s=4e9, key=SECRET)
    return bare(f"{pipeline.edge_url}?token={token}&device={device}")


async def post(client: Bare, stream: str, *texts: str) -> None:
    for number, text in enumerate(texts, 1000):
        await client.say(op="publish", id=number, stream=stream, data={"text": text})
        assert (await client.hear("published"))["id"] == number


async def told(client: Bare, *ops: str) -> list[dict[str, Any]]:
    """One message of each of these, in whichever order they come."""
    found: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(60):
        while len(found) < len(ops):
            said = await client.any()
            assert said["op"] == "presence" or (said["op"] in ops and said["op"] not in found), said
            if said["op"] != "presence":
                found[said["op"]] = said
    return [found[op] for op in ops]


async def refusal(client: Bare, **request: Any) -> str:
    await client.say(id=99, **request)
    said = await client.hear("error")
    assert said["id"] == 99
    assert said["message"]
    return str(said["code"])


async def test_what_is_published_is_confirmed_and_comes_with_the_stream_to_everybody_once(
    pipeline: Pipeline,
) -> None:
    """§3.3, §4.1"""
    stream = "chat:said"
    async with come(pipeline, "ana") as (ana, _), come(pipeline, "ben") as (ben, _):
        for client in (ana, ben):
            await client.say(op="subscribe", id=1, stream=stream)
            assert (await client.hear("subscribed"))["recovered"] is True
        post_it = {"op": "publish", "id": 2, "stream": stream, "key": "k-1", "data": {"text": "Kick-off"}}
        await ana.say(**post_it)
        published, event = await told(ana, "published", "event")
        confirmed = {"op": "published", "id": 2, "stream": stream, "key": "k-1"}
        assert published == {**confirmed, "seq": event["seq"], "event_id": event["id"]}
        await ana.say(**post_it)  # the key makes it the same event: it has no place of its own
        assert await ana.hear("published") == confirmed
        await ana.say(op="publish", stream="chat:elsewhere", data={"text": "Nobody asked for a number"})
        published = await ana.hear("published")
        assert published["id"] == published["event_id"], "nothing else has the name"
        named = {name: event[name] for name in ("stream", "key", "type", "sender", "data")}
        assert named == {
            "stream": stream,
            "key": "k-1",
            "type": "message",
            "sender": "ana",
            "data": {"text": "Kick-off"},
        }
        assert event["id"].isdecimal()
        assert event["server_ts"].endswith("Z")
        assert (await ben.hear("event"))["seq"] == event["seq"]
        await ben.say(op="publish", id=3, stream=stream, data={"text": "Goal"})
        published, own = await told(ben, "published", "event")
        assert published["key"] == own["key"], "who gives none is told the one that was made"
        for following in (own, await ana.hear("event")):
            assert (following["data"], following["prev"]) == ({"text": "Goal"}, event["seq"])
        assert await refusal(ana, op="publish", stream="broadcast:said", data={"n": 1}) == "invalid_event"


@pytest.mark.parametrize(
    ("setting", "texts", "code"),
    [
        ("slow_s=3600", ("first", "second"), "rate_limited"),
        ("members_only=true", ("hello",), "forbidden"),
        ('blocked=["spoiler"]', ("the spoiler",), "moderated"),
    ],
    ids=["too fast", "not a member", "moderated"],
)
async def test_what_is_refused_later_is_told_to_who_posted_it_and_to_nobody_else(
    pipeline: Pipeline, setting: str, texts: tuple[str, ...], code: str
) -> None:
    """§3.3"""
    channel = f"strict-{code}"
    stream = f"chat:{channel}"
    (record,) = await asyncio.to_thread(pipeline.lines, "channel", "set", channel, setting)
    takes_effect = lambda: time.time() * 1000 > record["settings_since"]  # noqa: E731
    await asyncio.to_thread(eventually, "the settings hold", takes_effect)

    async with come(pipeline, "ana") as (ana, _), come(pipeline, "ben") as (ben, _):
        await ben.say(op="subscribe", id=1, stream=stream, after=0)
        await ben.hear("subscribed")
        for number, text in enumerate(texts[:-1]):
            await ana.say(op="publish", id=2, stream=stream, key=f"k-{number}", data={"text": text})
            await ana.hear("published")
        key = f"k-{len(texts) - 1}"
        await ana.say(op="publish", id=2, stream=stream, key=key, data={"text": texts[-1]})
        # A worker may be quicker to refuse it than Kafka to tell the edge that it has it.
        _, rejected = await told(ana, "published", "rejected")
        assert (rejected["stream"], rejected["code"]) == (stream, code)
        assert rejected["key"] == key
        assert rejected["message"].endswith(".")
        for text in texts[:-1]:
            assert (await ben.hear("event"))["data"] == {"text": text}
        await ben.say(op="ping", id=5)
        assert (await ben.hear("pong"))["id"] == 5


async def test_the_past_is_read_page_by_page_both_ways(pipeline: Pipeline) -> None:
    """§3.5, and §3.1 `last`"""
    stream = "chat:past"
    texts = [f"n-{n}" for n in range(7)]
    async with come(pipeline, "ana") as (ana, _):
        await post(ana, stream, *texts)

        async def page(**asked: Any) -> tuple[list[str], list[int], bool]:
            await ana.say(op="history", id=7, stream=stream, **asked)
            said = await ana.hear("history")
            assert (said["id"], said["stream"]) == (7, stream)
            events = said["events"]
            return [e["data"]["text"] for e in events], [e["seq"] for e in events], said["more"]

        async with asyncio.timeout(60):  # until the workers have taken the last one
            while len((await page(after=0))[0]) < len(texts):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        whole, seqs, more = await page(after=0)
        assert (whole, more) == (texts, False)
        assert seqs == sorted(set(seqs))
        assert await page(after=0, limit=3) == (texts[:3], seqs[:3], True)
        assert await page(after=seqs[2], limit=4) == (texts[3:], seqs[3:], False)
        assert await page(after=seqs[-1]) == ([], [], False)
        assert await page(before=seqs[-1], limit=2) == (texts[4:6], seqs[4:6], True)
        assert await page(before=seqs[2]) == (texts[:2], seqs[:2], False)
        assert await page(before=seqs[0]) == ([], [], False)
        assert await page(around=seqs[3], limit=3) == (texts[2:5], seqs[2:5], True)
        assert await page(around=seqs[3], limit=20) == (texts, seqs, False)
        for wrong in (
            {},
            {"after": 1, "before": 2},
            {"after": 1, "around": 2},
            {"after": 0, "limit": 0},
            {"after": 0, "limit": 501},
        ):
            assert await refusal(ana, op="history", stream=stream, **wrong) == "bad_request"
        async with Viewer(pipeline.edge_url, token=sign("ben", MAY, expires_s=4e9, key=SECRET)) as viewer:
            found = await viewer.history(stream, around=seqs[3], limit=3)
            assert [event.seq for event in found.events] == seqs[2:5]
            assert (found.more_before, found.more_after) == (True, True)
            assert [event.seq for event in (await viewer.history(stream, limit=2)).events] == seqs[-2:]
        await ana.say(op="subscribe", id=8, stream=stream, last=2)
        assert (await ana.hear("subscribed"))["recovered"] is True
        assert [(await ana.hear("event"))["seq"] for _ in range(2)] == seqs[-2:]


async def seq_of(client: Bare, stream: str) -> int:
    """Say something, and hear where it is."""
    await client.say(op="publish", id=9, stream=stream, wait="accepted", data={"text": "there"})
    published = await client.hear("published")
    return int(published["seq"])


async def test_what_a_device_acknowledges_is_kept_on_the_log(pipeline: Pipeline) -> None:
    """§3.4, §10"""
    names, settings = topic_names(pipeline.settings), pipeline.settings
    consumer = Consumer(client_config(settings, group_id="acked", enable_auto_commit=False))
    partitions = consumer.list_topics(names.places).topics[names.places].partitions
    consumer.assign([TopicPartition(names.places, number, 0) for number in partitions])
    found: dict[tuple[str, str], int] = {}

    def read() -> dict[tuple[str, str], int]:
        for message in consumer.consume(100, 0.2):
            assert message.error() is None
            value = Codec("places").decode(message.value() or b"")
            devices = {one["number"]: one["device"] for one in value["devices"]}
            for place in value["streams"]:
                for one in place["acked"]:
                    found[devices[one["device"]], place["stream"]] = one["seq"]
        return found

    try:
        async with come(pipeline, "ana#1", "phone") as (phone, _), come(pipeline, "ana#1", "tv") as (tv, _):
            a = [await seq_of(phone, "chat:a") for _ in range(2)]
            b = [await seq_of(phone, "chat:b") for _ in range(2)]
            await phone.say(op="ack", stream="chat:a", seq=a[0])
            await phone.say(op="ack", id=3, stream="chat:b", seq=b[0])
            assert await phone.hear("ok") == {"op": "ok", "id": 3}, "the one without an id is not answered"
            await tv.say(op="ack", id=4, stream="chat:a", seq=a[1])
            await tv.hear("ok")
            wanted = {("phone", "chat:a"): a[0], ("phone", "chat:b"): b[0], ("tv", "chat:a"): a[1]}
            await asyncio.to_thread(eventually, "all are kept", lambda: read() == wanted)
            assert await refusal(phone, op="ack", stream="chat:a", seq=-1) == "bad_request"
            assert await refusal(phone, op="ack", stream="chat:a", seq=a[1] + 1) == "bad_request"
        # Another edge, or this one anew: what it does not know of stays.
        await asyncio.to_thread(pipeline.stop, "edge")
        await asyncio.to_thread(pipeline.start, "edge")
        async with come(pipeline, "ana#1", "phone") as (phone, _):
            await phone.say(op="ack", id=1, seqs={"chat:b": b[1]})
            await phone.hear("ok")
            wanted["phone", "chat:b"] = b[1]
            await asyncio.to_thread(eventually, "it is kept", lambda: read() == wanted)
        # What an edge of the first version has written.
        old = {"user": "ana#1", "device": "old", "at": 0, "acked": {"chat:a": a[0]}}
        producer = Producer(client_config(settings))
        producer.produce(names.cursors, Codec("cursor").encode(old), b'["ana#1","old","chat:a"]')
        assert producer.flush(60) == 0
        wanted["old", "chat:a"] = a[0]
        await asyncio.to_thread(eventually, "it is taken over", lambda: read() == wanted)
    finally:
        consumer.close()


async def test_ten_bad_requests_in_a_row_cost_the_connection(pipeline: Pipeline) -> None:
    """§3.9"""
    async with come(pipeline, "ana") as (ana, _):
        bad = ("no JSON", '{"op":"sing"}', '{"op":"subscribe","stream":"tv:a"}', "[]", '{"op":"unsubscribe"}')
        for number in range(9):
            await ana.wire.send(bad[number % len(bad)])
            assert (await ana.hear("error"))["code"] in ("bad_request", "unknown_op")
        await ana.say(op="ping", id=1)  # one that is good, and the count starts anew
        assert (await ana.hear("pong"))["id"] == 1
        for number in range(10):
            await ana.wire.send(bad[number % len(bad)])
            await ana.hear("error")
        with pytest.raises(ConnectionClosed) as closed:
            await ana.any()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4008


async def test_what_is_gone_for_good_is_told_as_a_gap(pipeline: Pipeline) -> None:
    """§5.4. The last test here: it takes events out of log and index, as retention does."""
    stream = "chat:aged"
    async with come(pipeline, "ana") as (ana, _):
        await ana.say(op="subscribe", id=1, stream=stream)
        await ana.hear("subscribed")
        seqs = []
        for text in ("one", "two", "three"):
            await ana.say(op="publish", id=2, stream=stream, data={"text": text})
            seqs.append((await told(ana, "published", "event"))[1]["seq"])
    await asyncio.to_thread(pipeline.stop, "edge")
    await asyncio.to_thread(forget, pipeline, stream, seqs)
    await asyncio.to_thread(pipeline.start, "edge")
    async with come(pipeline, "ana") as (ana, _):
        await ana.say(op="subscribe", id=1, stream=stream, after=seqs[0])
        subscribed = await ana.hear("subscribed")
        assert (subscribed["id"], subscribed["recovered"]) == (1, False)
        gap = await ana.hear("gap")
        assert gap.pop("reason")
        assert gap == {"op": "gap", "stream": stream, "after": seqs[0], "seq": seqs[2]}
        assert (await ana.hear("event"))["seq"] == seqs[2]
        await ana.say(op="publish", id=2, stream=stream, data={"text": "four"})
        assert (await told(ana, "published", "event"))[1]["data"] == {"text": "four"}


def forget(pipeline: Pipeline, stream: str, seqs: list[int]) -> None:
    """Take the whole log away, and from the index all of the stream but its last event."""
    settings, names = pipeline.settings, topic_names(pipeline.settings)
    index = f"{settings.elasticsearch.index_prefix}-chat"
    client = Elasticsearch(settings.elasticsearch.url)

    def indexed() -> list[Any]:
        found = client.search(index=index, query={"term": {"stream": stream}}, size=10)
        hits = list(found["hits"]["hits"])
        return hits if len(hits) == len(seqs) else []

    for hit in eventually("all are in the index", indexed):
        if hit["_source"]["seq"] != seqs[-1]:
            client.delete(index=hit["_index"], id=hit["_id"], refresh=True)
    client.close()
    admin = AdminClient(client_config(settings))
    topics = [*names.events.values(), names.fanout_live]
    known = admin.list_topics(timeout=60).topics
    places = [
        TopicPartition(topic, number, OFFSET_END) for topic in topics for number in known[topic].partitions
    ]
    for future in admin.delete_records(places).values():
        future.result()

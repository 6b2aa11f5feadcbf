"""What holds of every store: the same tests, on a directory that the gateway serves and on an S3 server."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
import pytest

from control.attachments.references import Facts, Mark, encoded, posted_key
from gateway.attachments.directory import Directory
from gateway.attachments.s3 import Bucket
from gateway.attachments.store import Store
from kernel.access.presigned import UrlSigner
from kernel.attachment_ids import new_attachment
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.topics import DAY_MS, topic_names
from schemas.codec import Codec
from tests.accepted import writer
from tests.attachments.people import Answer, Person, ask, gone, send
from tests.attachments.test_attachments import room
from tests.pipeline import Pipeline

DATA = os.urandom(300_000)
ROOT = {"publish": ("*",), "admin": ("*",)}
Somebody = Callable[[str], Person]


@asynccontextmanager
async def store_of(pipeline: Pipeline) -> AsyncIterator[Store]:
    """The store of a pipeline's gateway, from here."""
    settings, clock = pipeline.settings, SystemClock()
    async with AsyncExitStack() as stack:
        if settings.attachments.store == "s3":
            bucket = Bucket(settings.attachments, clock)
            await bucket.open(stack)
            yield bucket
        else:
            directory = Directory(settings.attachments, UrlSigner(settings), clock)
            stack.callback(directory.close)
            yield directory


def facts(data: bytes, stream: str, **over: str) -> Facts:
    given = {"name": "a.bin", "type": "application/octet-stream", "owner": "ana", **over}
    return Facts(stream=stream, size=len(data), sha256=hashlib.sha256(data).hexdigest(), **given)


async def put(store: Store, pipeline: Pipeline, attachment: str, data: bytes, of: Facts) -> Answer:
    """By an address of the store's."""
    address = await store.upload(attachment, of, pipeline.gateway_url)
    return await ask(address.method, address.url, data=data, headers=address.headers)


async def test_what_is_found_has_arrived_whole(anywhere: Pipeline) -> None:
    of = facts(DATA, "chat:whole", name="käse 🧀.png")
    attachment = new_attachment(
        SystemClock().now_ms(), os.urandom(14)
    )  # older ones are looked for and deleted
    async with store_of(anywhere) as store:
        assert await store.find(attachment) is None
        for wrong in (bytes(len(DATA)), DATA[:-1], DATA + b"1", b""):
            assert 400 <= (await put(store, anywhere, attachment, wrong, of)).status < 500
            assert await store.find(attachment) is None
        assert (await put(store, anywhere, attachment, DATA, of)).status in (200, 201)
        assert await store.find(attachment) == of
        await store.delete(attachment)
        assert await store.find(attachment) is None
        await store.delete(attachment)


async def test_what_was_sent_is_served_in_parts_too(anywhere: Pipeline, person: Somebody) -> None:
    ana, ben, stream = person("ana"), person("ben"), room()
    attachment = await ana.upload(stream, DATA, name="käse 🧀.html", type="text/html")
    assert (await ben.look(attachment)).status == 404
    assert (await ana.publish(stream, attachment)).status == 202
    looked = (await ben.sees(attachment)).json
    assert (looked["name"], looked["size"]) == ("käse 🧀.html", len(DATA))
    got = await ask("GET", looked["url"])
    assert (got.status, got.body) == (200, DATA)
    assert got.headers["Content-Disposition"] == "attachment; filename*=UTF-8''k%C3%A4se%20%F0%9F%A7%80.html"
    some = await ask("GET", looked["url"], headers={"Range": "bytes=1000-1999"})
    assert (some.status, some.body) == (206, DATA[1000:2000])
    assert (await ask("GET", looked["url"], headers={"Range": "bytes=300000-"})).status == 416


async def test_wrong_bytes_and_types_are_refused_and_it_may_be_tried_again(
    anywhere: Pipeline, person: Somebody
) -> None:
    ana, stream = person("ana"), room()
    taken = (await ana.announce(stream, DATA)).json
    for given, headers in [
        (bytes(len(DATA)), {}),
        (DATA[:-1], {}),
        (DATA + b"1", {}),
        (DATA, {"Content-Type": "text/html"}),
    ]:
        assert 400 <= (await send(taken["upload"], given, **headers)).status < 500
        assert (await ana.publish(stream, taken["attachment"])).code == "not_found"
    assert (await send(taken["upload"], DATA)).status in (200, 201)
    assert (await ana.publish(stream, taken["attachment"])).status == 202


async def test_addresses_cannot_be_changed(anywhere: Pipeline, person: Somebody) -> None:
    ana, stream = person("ana"), room()
    mine, other = [(await ana.announce(stream, data)).json for data in (DATA, b"other")]
    url = urlsplit(mine["upload"]["url"])
    for number, (name, value) in enumerate(parse_qsl(url.query)):
        pairs = parse_qsl(url.query)
        pairs[number] = (name, value[:-1] + ("1" if value[-1] != "1" else "2"))
        forged = urlunsplit(url._replace(query=urlencode(pairs)))
        assert 400 <= (await send({**mine["upload"], "url": forged}, DATA)).status < 500, name
    foreign = mine["upload"]["url"].replace(mine["attachment"], other["attachment"])
    assert (await send({**mine["upload"], "url": foreign}, DATA)).status == 403
    assert (await ana.publish(stream, mine["attachment"])).status == 404


async def test_what_was_taken_back_goes(anywhere: Pipeline, person: Somebody) -> None:
    ana, stream = person("ana"), room()
    attachment = await ana.upload(stream, DATA)
    event = (await ana.publish(stream, attachment)).json["results"][0]["id"]
    url = (await ana.sees(attachment)).json["url"]
    await Person(anywhere, "root", can=ROOT).publish(stream, type="retract", data={"target": event})
    assert (await gone(ana, attachment)).code == "not_found"
    async with asyncio.timeout(60):
        while (await ask("GET", url)).status == 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_what_no_message_names_goes_and_what_one_names_stays(
    anywhere: Pipeline, person: Somebody
) -> None:
    ana, stream, now_ms = person("ana"), room(), SystemClock().now_ms()
    kept = await ana.upload(stream, DATA)
    async with store_of(anywhere) as store:
        old = new_attachment(now_ms - DAY_MS - 3_600_000, os.urandom(14))
        await put(store, anywhere, old, DATA, facts(DATA, stream))
        # From a day on it may not be named any more; some time later it is gone.
        assert (await ana.publish(stream, old)).code in ("expired", "not_found")
        forgotten = new_attachment(now_ms - 2 * DAY_MS, os.urandom(14))
        await put(store, anywhere, forgotten, DATA, facts(DATA, stream))
        async with asyncio.timeout(60):
            while await store.find(forgotten) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert await store.find(kept) is not None
        assert await store.find(old) is not None


async def test_what_has_had_its_days_goes(anywhere: Pipeline, person: Somebody) -> None:
    ana, stream = person("ana"), room()
    aged = new_attachment(SystemClock().now_ms() - 31 * DAY_MS, os.urandom(14))
    mark = Mark(what="posted", stream=stream, seq=1, event="7", user="ana", at=1)
    producer = writer(anywhere.settings)
    topic = topic_names(anywhere.settings).attachments
    producer.produce(topic, encoded(mark, Codec("attachment")), posted_key(aged, "7"))
    assert producer.flush(60) == 0
    async with store_of(anywhere) as store:
        await put(store, anywhere, aged, DATA, facts(DATA, stream))
        assert (await ana.look(aged)).code in ("expired", "not_found")
        async with asyncio.timeout(60):
            while await store.find(aged) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def test_ids_are_listed_in_order(anywhere: Pipeline) -> None:
    now_ms = SystemClock().now_ms() + 400 * DAY_MS  # where no other test has any
    ids = [new_attachment(now_ms + n * 3_600_000, os.urandom(14)) for n in range(5)]
    async with store_of(anywhere) as store:
        for attachment in reversed(ids):
            await put(store, anywhere, attachment, b"x", facts(b"x", "chat:listed"))
        assert await store.listed(ids[0], ids[4]) == ids[1:4]
        assert await store.listed(ids[0][:9], "v" * 32) == ids
        for attachment in ids:
            await store.delete(attachment)
        assert await store.listed(ids[0][:9], "v" * 32) == []


async def test_a_bucket_that_is_away_is_told_and_its_keys_are_not(in_a_bucket: Pipeline) -> None:
    away = msgspec.structs.replace(in_a_bucket.settings.attachments, s3_endpoint="http://127.0.0.1:9")
    async with AsyncExitStack() as stack:
        bucket = Bucket(away, SystemClock())
        await bucket.open(stack)
        with pytest.raises(TouchlineError) as refused:
            await bucket.find(new_attachment(1, b""))
    assert refused.value.code == "unavailable"
    assert away.s3_secret_key not in str(refused.value)

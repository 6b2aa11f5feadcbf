"""Files with messages, by every way in: who may put them there, who may have them, what is refused."""

import asyncio
import hashlib
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import msgspec
import pytest

from control.attachments.references import Facts, Mark, encoded, posted_key
from control.commands.sending import send_command
from gateway.attachments.directory import download_parts, upload_parts
from kernel.access.presigned import UrlSigner
from kernel.attachment_ids import new_attachment
from kernel.clock import SystemClock, to_rfc3339
from kernel.log.topics import topic_names
from schemas.codec import Codec
from tests.accepted import writer
from tests.attachments.people import Person, ask, gone, send
from tests.pipeline import Pipeline

PICTURE = b"\x89PNG\r\n\x1a\n" + os.urandom(200_000)
JSON = {"Content-Type": "application/json"}
MANY = range(33)
NOTHING = new_attachment(1, b"")


def room() -> str:
    return f"chat:r{secrets.token_hex(4)}"


def name_it(pipeline: Pipeline, attachment: str, stream: str) -> None:
    """A record of another stream says that a message there has it."""
    mark = Mark(what="posted", stream=stream, seq=1, event="7", user="ana", at=1)
    producer = writer(pipeline.settings)
    where = topic_names(pipeline.settings).attachments
    producer.produce(where, encoded(mark, Codec("attachment")), posted_key(attachment, "7"))
    assert producer.flush(60) == 0


async def test_a_picture_goes_from_one_to_the_other(live: Pipeline, ana: Person, ben: Person) -> None:
    stream = room()
    attachment = await ana.upload(stream, PICTURE, name="käse 🧀.png")
    said = await ana.publish(stream, attachment)
    assert said.status == 202, said.body
    looked = await ben.sees(attachment)
    shown = looked.json
    assert {key: shown[key] for key in ("name", "type", "size", "sha256")} == {
        "name": "käse 🧀.png",
        "type": "image/png",
        "size": len(PICTURE),
        "sha256": hashlib.sha256(PICTURE).hexdigest(),
    }
    got = await ask("GET", shown["url"])
    assert (got.status, got.body) == (200, PICTURE)
    assert got.headers["Content-Type"] == "image/png"
    assert got.headers["Content-Disposition"] == "inline; filename*=UTF-8''k%C3%A4se%20%F0%9F%A7%80.png"
    assert got.headers["X-Content-Type-Options"] == "nosniff"


async def test_over_websocket_too_and_the_text_may_be_empty(live: Pipeline, ana: Person, ben: Person) -> None:
    stream = room()
    attachment = await ana.upload(stream, PICTURE)
    said = await ana.send(stream, attachment)
    assert said["op"] == "published", said
    assert await ben.bytes_of(attachment) == PICTURE
    refused = await ana.send(stream)
    assert refused["code"] == "invalid_event"


async def test_what_has_not_arrived_or_is_not_theirs_is_refused_at_both_doors(
    live: Pipeline, ana: Person, ben: Person
) -> None:
    stream = room()
    open_ = (await ana.announce(stream, PICTURE)).json["attachment"]
    theirs, elsewhere = await ben.upload(stream, b"ben's"), await ana.upload(room(), b"elsewhere")
    fine = await ana.upload(stream, b"fine")
    for attachment in (open_, theirs, elsewhere, NOTHING, "no-id-at-all"):
        over_http = await ana.publish(stream, attachment, text="look")
        assert (over_http.status, over_http.code) == (404, "not_found"), attachment
        over_socket = await ana.send(stream, fine, attachment, text="look")
        assert over_socket["code"] == "not_found", over_socket
    # Of several events of one request each is looked at.
    events = [{"data": {"text": "a", "attachments": one}} for one in ([fine], [open_], [])]
    said = await ana.ask("POST", f"/v1/streams/{stream.replace(':', '/')}/events", json=events)
    assert [result.get("code", "ok") for result in said.json["results"]] == ["ok", "not_found", "ok"]
    escaped = b'{"data": {"text": "x", "\\u0061ttachments": ["%s"]}}' % open_.encode()
    said = await ana.ask("POST", f"/v1/streams/{stream.replace(':', '/')}/events", data=escaped, headers=JSON)
    assert said.status == 404


@pytest.mark.parametrize(
    "given", ["x", [7], {"a": 1}, [NOTHING, NOTHING], [new_attachment(n, b"") for n in MANY]],
    ids=["text", "number", "object", "twice", "many"],
)  # fmt: skip
async def test_what_is_no_list_of_attachments_is_no_event(live: Pipeline, ana: Person, given: Any) -> None:
    said = await ana.publish(room(), data={"text": "x", "attachments": given})
    assert (said.status, said.code) == (422, "invalid_event")


async def test_who_may_not_read_the_message_has_nothing(live: Pipeline, ana: Person, ben: Person) -> None:
    stream = room()
    send_command(live.settings, SystemClock(), stream.partition(":")[2], "set_channel", {"readers": ["ana"]})
    attachment = await ana.upload(stream, PICTURE)
    # Until it is published nobody has it.
    assert (await ana.look(attachment)).status == 404
    await ana.publish(stream, attachment)
    await ana.sees(attachment)
    elsewhere = Person(live, "cem", can={"subscribe": ("chat:other",), "publish": ("chat:other",)})
    for stranger in (ben, elsewhere):
        assert (await gone(stranger, attachment)).code == "not_found"
        answer = await stranger.ask("POST", f"/v1/attachments/{attachment}/fetched")
        assert answer.status == 404
    unknown = await ask("GET", f"{live.gateway_url}/v1/attachments/{attachment}")
    assert unknown.status == 401


async def test_a_message_of_another_stream_opens_nothing(live: Pipeline, ana: Person, ben: Person) -> None:
    """Kafka takes records from anybody."""
    hidden, seen = room(), room()
    send_command(live.settings, SystemClock(), hidden.partition(":")[2], "set_channel", {"readers": ["ana"]})
    attachment = await ana.upload(hidden, PICTURE)
    await ana.publish(hidden, attachment)
    assert (await gone(ben, attachment)).status == 404
    name_it(live, attachment, seen)
    probe = await ana.upload(seen, b"probe")
    await ana.publish(seen, probe)
    await ben.sees(probe)  # what was written after it is known by now
    assert (await ben.look(attachment)).status == 404


# ── uploads ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"stream": "broadcast:final"}, "forbidden"),
        ({"stream": "final"}, "forbidden"),
        ({"stream": "chat:a/b"}, "bad_channel"),
        ({"name": ""}, "bad_request"),
        ({"name": "n" * 10_240}, "bad_request"),
        ({"name": "../../etc/passwd"}, "bad_request"),
        ({"name": "photo\u202egnp.exe"}, "bad_request"),
        ({"name": "a\nb"}, "bad_request"),
        ({"type": "png"}, "bad_request"),
        ({"type": "text/html\r\nX: y"}, "bad_request"),
        ({"size": -1}, "bad_request"),
        ({"size": 1 << 40}, "too_large"),
        ({"sha256": "beef"}, "bad_request"),
    ],
)
async def test_an_announcement_has_to_make_sense(
    live: Pipeline, ana: Person, over: dict[str, Any], code: str
) -> None:
    answer = await ana.announce(over.pop("stream", "chat:sense"), PICTURE, **over)
    assert (answer.code, 400 <= answer.status < 500) == (code, True)


async def test_what_is_not_what_was_announced_is_not_kept_and_may_be_tried_again(
    live: Pipeline, ana: Person
) -> None:
    stream = room()
    taken = (await ana.announce(stream, PICTURE)).json
    upload, attachment = taken["upload"], taken["attachment"]
    wrong = bytes(len(PICTURE))

    async def in_parts() -> Any:
        for start in range(0, len(PICTURE) + 5, 50_000):
            yield (PICTURE + b"12345")[start : start + 50_000]

    for given, headers, code in [
        (wrong, {}, "bad_request"),
        (PICTURE[:-1], {}, "bad_request"),
        (PICTURE + b"1", {}, "too_large"),
        (in_parts(), {}, "too_large"),
        (PICTURE, {"Content-Type": "text/html"}, "unsupported_media_type"),
        (PICTURE, {"Content-Encoding": "gzip"}, "unsupported_media_type"),
        (PICTURE, {"Content-Range": "bytes 5-4/9"}, "bad_request"),
        (PICTURE[1:], {"Content-Range": f"bytes 1-{len(PICTURE) - 1}/{len(PICTURE)}"}, "bad_request"),
    ]:
        answer = await send(upload, given, **headers)
        assert (answer.code, 400 <= answer.status < 500) == (code, True), headers
        assert (await ana.publish(stream, attachment)).status == 404
    assert (await send(upload, PICTURE)).status == 201
    assert (await send(upload, PICTURE)).status == 201  # whoever did not hear of it sends it again
    assert (await send(upload, wrong)).code == "bad_request"  # and other bytes change nothing
    assert (await ana.publish(stream, attachment)).status == 202
    assert await ana.bytes_of(attachment) == PICTURE


async def test_an_address_holds_for_what_it_says_and_nothing_else(live: Pipeline, ana: Person) -> None:
    stream = room()
    taken, other = (await ana.announce(stream, PICTURE)).json, (await ana.announce(stream, b"other")).json
    upload = taken["upload"]
    query = {key: values[0] for key, values in parse_qs(urlsplit(upload["url"]).query).items()}
    theirs = {key: values[0] for key, values in parse_qs(urlsplit(other["upload"]["url"]).query).items()}
    for changed in (
        {**query, "signature": query["signature"][:-2] + "AA"},
        {**query, "expires": str(int(query["expires"]) + 9)},
        {**query, "facts": theirs["facts"]},
        {**query, "facts": "zz"},
        {**query, "expires": "9" * 40},
        {**theirs},
        {"expires": query["expires"], "signature": query["signature"]},
        {},
    ):
        forged = urlunsplit(urlsplit(upload["url"])._replace(query=urlencode(changed)))
        answer = await send({**upload, "url": forged}, PICTURE)
        assert (answer.status, answer.code) == (403, "forbidden"), changed
    foreign = upload["url"].replace(taken["attachment"], other["attachment"])
    assert (await send({**upload, "url": foreign}, PICTURE)).status == 403
    # What one may put, one may not get by that, nor the other way round.
    assert (await ask("GET", upload["url"])).status == 403
    await send(upload, PICTURE)
    await ana.publish(stream, taken["attachment"])
    url = (await ana.sees(taken["attachment"])).json["url"]
    assert (await ask("PUT", url, data=PICTURE)).status == 403
    await send(other["upload"], b"other")
    await ana.publish(stream, other["attachment"])
    assert (await ask("GET", url.replace(taken["attachment"], other["attachment"]))).status == 403


async def test_an_address_has_its_time(live: Pipeline, ana: Person) -> None:
    stream = room()
    attachment = await ana.upload(stream, PICTURE)
    await ana.publish(stream, attachment)
    signer, past = UrlSigner(live.settings), int(SystemClock().now_ms() / 1000) - 1
    signature = signer.sign(*download_parts(attachment, past))
    url = f"{live.gateway_url}/v1/attachments/{attachment}/content"
    over = await ask("GET", url, params={"expires": past, "signature": signature})
    assert (over.status, over.code) == (410, "expired")
    facts = Facts(stream=stream, name="a", type="a/b", size=1, sha256="0" * 64, owner="ana")
    said = msgspec.json.encode(facts).hex()
    signature = signer.sign(*upload_parts(attachment, facts, said, past))
    given = {"facts": said, "expires": past, "signature": signature}
    over = await ask("PUT", url, params=given, data=b"1", headers={"Content-Type": "a/b"})
    assert (over.status, over.code) == (410, "expired")
    looked = (await ana.sees(attachment)).json
    assert looked["expires"] <= to_rfc3339(SystemClock().now_ms() + 300_000)


async def test_parts_of_it_are_served(live: Pipeline, ana: Person) -> None:
    stream, data = room(), bytes(range(256)) * 4
    attachment = await ana.upload(stream, data, type="text/html", name="x.html")
    await ana.publish(stream, attachment)
    url = (await ana.sees(attachment)).json["url"]
    for asked, status, body, said in [
        ("bytes=0-9", 206, data[:10], "bytes 0-9/1024"),
        ("bytes=1000-", 206, data[1000:], "bytes 1000-1023/1024"),
        ("bytes=-4", 206, data[-4:], "bytes 1020-1023/1024"),
        ("bytes=1020-9999", 206, data[1020:], "bytes 1020-1023/1024"),
        ("bytes=1024-", 416, b"", "bytes */1024"),
        ("bytes=0-1,5-6", 200, data, None),
        ("lines=1-2", 200, data, None),
    ]:
        got = await ask("GET", url, headers={"Range": asked})
        assert (got.status, got.body, got.headers.get("Content-Range")) == (status, body, said), asked
    whole = await ask("GET", url)
    # A page that somebody uploads is no page of the gateway's.
    assert whole.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in whole.headers["Content-Security-Policy"]
    same = await ask("GET", url, headers={"If-None-Match": whole.headers["ETag"]})
    assert (same.status, same.body) == (304, b"")
    stale = await ask("GET", url, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (stale.status, stale.body) == (200, data)
    head = await ask("HEAD", url)
    assert (head.status, head.headers["Content-Length"]) == (200, "1024")


# ── what was taken back ──────────────────────────────────────────────────────────────────────────────────


async def test_what_was_taken_back_is_not_served_any_more(live: Pipeline, ana: Person, ben: Person) -> None:
    stream = room()
    attachment = await ana.upload(stream, PICTURE)
    event = (await ana.publish(stream, attachment)).json["results"][0]["id"]
    url = (await ben.sees(attachment)).json["url"]
    name_it(live, attachment, room())  # what another stream says of it keeps nothing open
    admin = Person(live, "root", can={"publish": ("*",), "admin": ("*",)})
    # Whoever administers another channel takes nothing back here.
    await admin.publish(room(), type="retract", data={"target": event})
    assert (await ben.look(attachment)).status == 200
    await admin.publish(stream, type="retract", data={"target": event})
    assert (await gone(ben, attachment)).code == "not_found"
    assert (await ask("GET", url)).status == 404
    async with asyncio.timeout(60):  # and its bytes go
        files = Path(live.settings.attachments.dir)
        while (files / attachment[:5] / attachment).exists():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert (await ana.publish(stream, attachment)).status == 404


async def test_two_messages_with_it_and_one_is_taken_back(live: Pipeline, ana: Person, ben: Person) -> None:
    stream = room()
    attachment = await ana.upload(stream, PICTURE)
    first, _ = [(await ana.publish(stream, attachment)).json["results"][0]["id"] for _ in range(2)]
    admin = Person(live, "root", can={"publish": ("*",), "admin": ("*",)})
    await admin.publish(stream, type="retract", data={"target": first})
    await asyncio.sleep(1.5)  # twice as long as it takes to look for what has to go
    assert await ben.bytes_of(attachment) == PICTURE

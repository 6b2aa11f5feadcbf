"""Tokens over HTTP: what one may post is in its grants, and nobody posts in another's name."""

import asyncio
import time
from collections.abc import Callable

import pytest
from aiohttp import ClientSession
from confluent_kafka import Producer

from control.channels.channel import ChannelRecord, to_avro
from control.channels.channel import Settings as ChannelSettings
from control.commands.sending import send_command
from kernel.access.tokens import sign
from kernel.clock import SystemClock
from kernel.log.kafka import client_config
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings, load_settings
from schemas.codec import Codec
from tests.gateway.conftest import SECRET
from tests.pipeline import Pipeline


def token(*, user: str = "ana", **can: tuple[str, ...]) -> str:
    return sign(user, can, expires_s=time.time() + 600, key=SECRET)


async def status(pipeline: Pipeline, given: str | None, **event: object) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {given}"} if given else {}
    async with (
        ClientSession() as http,
        http.post(
            f"{pipeline.gateway_url}/v1/streams/chat/final/events",
            json={"data": {"text": "hi"}, **event},
            headers=headers,
        ) as response,
    ):
        if response.status == 401:
            assert response.headers["WWW-Authenticate"] == "Bearer"
        return response.status, (await response.json(content_type=None)).get("code", "")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (lambda: None, (401, "unauthorized")),
        (lambda: "nonsense", (401, "unauthorized")),
        (lambda: sign("ana", {"publish": ("*",)}, expires_s=1, key=SECRET), (401, "unauthorized")),
        (lambda: token(subscribe=("*",)), (403, "forbidden")),
        (lambda: token(publish=("chat:other",)), (403, "forbidden")),
        (lambda: token(publish=("chat:fin*",)), (202, "")),
    ],
    ids=["none", "nonsense", "expired", "other action", "other stream", "pattern"],
)
async def test_a_token_allows_what_its_grants_say(
    guarded: Pipeline, given: Callable[[], str | None], expected: tuple[int, str]
) -> None:
    assert await status(guarded, given()) == expected


async def test_only_who_administers_posts_in_the_name_of_others(guarded: Pipeline) -> None:
    assert await status(guarded, token(publish=("*",)), sender="ana") == (202, "")
    assert await status(guarded, token(publish=("*",)), sender="ben") == (403, "forbidden")
    assert await status(guarded, token(publish=("*",), admin=("*",)), sender="ben") == (202, "")


async def test_channels_are_for_who_administers_them(guarded: Pipeline) -> None:
    async with ClientSession() as http:
        for given, expected in ((token(publish=("*",)), 403), (token(admin=("final",)), 200)):
            headers = {"Authorization": f"Bearer {given}"}
            async with http.get(f"{guarded.gateway_url}/v1/channels/final", headers=headers) as response:
                assert response.status == expected


async def test_a_channel_that_names_its_readers_shows_its_past_to_those_only(guarded: Pipeline) -> None:
    say_who_reads(guarded, "den", "ben")
    await eventually_status(guarded, "den", token(history=("*",)), 403)
    for given in (token(history=("*",), user="ben"), token(history=("*",), admin=("den",))):
        assert await past(guarded, "den", given) == 200
    assert await past(guarded, "den~0", token(history=("*",))) == 403
    assert await past(guarded, "elsewhere", token(history=("*",))) == 200


async def test_an_edge_that_leaves_does_not_open_the_channel_of_its_name(guarded: Pipeline) -> None:
    say_who_reads(guarded, "den", "ben")
    await eventually_status(guarded, "den", token(history=("*",)), 403)
    settings = load_settings(guarded.environment)
    produce(settings, topic_names(settings).presence, "den", None)
    say_who_reads(guarded, "cellar", "ben")
    await eventually_status(guarded, "cellar", token(history=("*",)), 403)
    assert await past(guarded, "den", token(history=("*",))) == 403


async def test_a_revoked_token_is_none(guarded: Pipeline) -> None:
    old = sign("eve", {"history": ("*",)}, expires_s=time.time() + 600, issued_s=1000, key=SECRET)
    assert await past(guarded, "final", old) == 200
    settings = load_settings(guarded.environment)
    await asyncio.to_thread(send_command, settings, SystemClock(), "revoke:eve", "revoke", {"before": 2000})
    await eventually_status(guarded, "final", old, 401)
    fresh = sign("eve", {"history": ("*",)}, expires_s=time.time() + 600, issued_s=3000, key=SECRET)
    assert await past(guarded, "final", fresh) == 200


async def past(pipeline: Pipeline, channel: str, given: str) -> int:
    url = f"{pipeline.gateway_url}/v1/streams/chat/{channel}/events"
    async with ClientSession(headers={"Authorization": f"Bearer {given}"}) as http, asyncio.timeout(60):
        while True:  # a log that does not answer in time is asked again
            async with http.get(url) as response:
                if response.status != 503:
                    return response.status


async def eventually_status(pipeline: Pipeline, channel: str, given: str, wanted: int) -> None:
    async with asyncio.timeout(60):
        while await past(pipeline, channel, given) != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def say_who_reads(pipeline: Pipeline, channel: str, *readers: str) -> None:
    settings = load_settings(pipeline.environment)
    record = to_avro(ChannelRecord(channel=channel, settings=ChannelSettings(readers=readers)))
    produce(settings, topic_names(settings).channels, channel, Codec("channel").encode(record))


def produce(settings: Settings, topic: str, key: str, value: bytes | None) -> None:
    producer = Producer(client_config(settings))
    producer.produce(topic, value, key.encode())
    assert producer.flush(60) == 0

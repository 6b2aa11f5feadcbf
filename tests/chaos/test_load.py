"""The load is the simulator's matches, and what is acknowledged is what somebody has really taken."""

import asyncio
import random
from collections.abc import AsyncIterator
from itertools import islice

import msgspec
import pytest
from aiohttp import web

from chaos.load import HttpPoster, as_json, events, streams
from embedded.ports import find_free
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from producers.posts import read_post


def test_a_match_has_all_kinds_on_one_channel_with_keys_of_their_own_and_several_senders() -> None:
    some = list(islice(events("arena-0", 7, "k"), 1500))
    kinds = {kind: [post for post in some if post.kind is kind] for kind in Kind}
    assert {f"{post.kind}:{post.channel}" for post in some} <= set(streams(1))
    assert all(len(of_one) > 100 for of_one in kinds.values())
    assert len({post.key for post in some}) == len(some)
    assert len({post.sender for post in kinds[Kind.LOCATION]}) > 5
    # When a match is over the next one begins.
    assert sum(post.type == "kick_off" for post in some) > 1


def test_a_seed_plays_the_same_matches_again_and_another_one_others() -> None:
    def played(seed: int) -> list[object]:
        return list(islice(events("arena-0", seed, "k"), 200))

    assert played(7) == played(7) != played(8)


def test_the_gateway_reads_what_is_posted_to_it() -> None:
    for post in islice(events("arena-0", 7, "h"), 300):
        stream = Stream(post.kind, post.channel)
        read = read_post(stream, msgspec.json.encode(as_json(post)))
        assert (read.key, read.type, read.sender) == (post.key, post.type, post.sender)
        assert read.written() == post.written()


class Gateway:
    """Answers as told, then takes everything, and remembers which keys came."""

    def __init__(self, *answers: int) -> None:
        self.answers, self.keys = list(answers), list[str]()
        self.taken = asyncio.Event()
        self.url = f"http://127.0.0.1:{find_free()}"

    async def post(self, request: web.Request) -> web.Response:
        self.keys.append((await request.json())["key"])
        status = self.answers.pop(0) if self.answers else 202
        if status == 0:  # it dies
            assert request.transport is not None
            request.transport.abort()
        if status == 202:
            self.taken.set()
        return web.json_response({}, status=status)


async def serving(gateway: Gateway) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/v1/streams/{kind}/{channel}/events", gateway.post)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(gateway.url.rpartition(":")[2])).start()
    yield
    await runner.cleanup()


async def test_what_is_not_taken_is_posted_again_under_its_key_before_anything_else() -> None:
    gateway, until = Gateway(503, 0, 429), asyncio.Event()
    poster = HttpPoster(gateway.url, 1, 1000, random.Random(1))
    async for _ in serving(gateway):
        posting = asyncio.create_task(poster.run(until))
        async with asyncio.timeout(60):
            await gateway.taken.wait()
            until.set()
            await posting
    first, *_ = gateway.keys
    assert gateway.keys[:4] == [first] * 4
    acknowledged = [key for keys in poster.acknowledged.values() for key in keys]
    assert sorted(acknowledged) == sorted(set(gateway.keys))
    assert poster.posted == poster.acknowledged


async def test_what_the_gateway_calls_wrong_is_an_error_of_the_load_and_not_posted_for_ever() -> None:
    gateway = Gateway(422)
    poster = HttpPoster(gateway.url, 1, 1000, random.Random(1))
    async for _ in serving(gateway):
        with pytest.RaisesGroup(TouchlineError):
            await asyncio.wait_for(poster.run(asyncio.Event()), 60)
    assert not poster.acknowledged

"""Bodies that are small to send and much to read: refused within bounds, and others don't wait for them."""

import asyncio
import gzip
import time
from collections.abc import Iterator

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.bodies import MAX_ITEMS, items_of
from kernel.errors import TouchlineError
from tests.pipeline import Pipeline

NDJSON = "application/x-ndjson"
LIMIT = 1024 * 1024
#: Somebody else's request takes no longer, also on a machine that is busy with other things.
PROMPT_S = 3.0
#: Of each the type, and begin, piece, how often, and end: made where they are sent, for they are large.
BODIES = {
    "lines that are no events": (NDJSON, b"", b"1\n", 10_000_000, b""),
    "blank lines": (NDJSON, b"", b"\n", 20_000_000, b""),
    "spaces without an end": (NDJSON, b"", b" ", 20_000_000, b""),
    "bad lines below the ratio": (NDJSON, b"", b"1\n", 2_000_000, b""),
    "an array of numbers": ("application/json", b"[", b"1,", 2_000_000, b"1]"),
    "an array of empty events": ("application/json", b"[", b"{},", 90_000, b"{}]"),
}


async def longest_wait(http: ClientSession, url: str, until: "asyncio.Future[tuple[int, int]]") -> float:
    """The slowest of the requests of somebody else meanwhile."""
    longest = 0.0
    while not until.done():
        begun = time.monotonic()
        async with http.get(f"{url}/healthz") as response:
            assert response.status == 200
        longest = max(longest, time.monotonic() - begun)
        await asyncio.sleep(0.01)
    return longest


@pytest.mark.parametrize("name", BODIES)
async def test_nobody_waits_for_a_body_that_is_much_to_read(ingesting: Pipeline, name: str) -> None:
    kind, begin, piece, times, end = BODIES[name]
    body = gzip.compress(begin + piece * times + end)
    assert len(body) < 64 * 1024
    longest: list[float] = []
    async with ClientSession() as http:

        async def post() -> tuple[int, int]:
            to = f"{ingesting.gateway_url}/v1/streams/chat/heavy/events"
            headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
            async with http.post(to, data=body, headers=headers) as response:
                return response.status, len(await response.read())

        # The machine itself may stand still for as long: of several tries the best.
        while not longest or (min(longest) >= PROMPT_S and len(longest) < 4):
            posted = asyncio.ensure_future(post())
            longest.append(await longest_wait(http, ingesting.gateway_url, posted))
            status, size = await posted
            assert status in {413, 422}
            assert size < 16 * 1024 * 1024
    assert min(longest) < PROMPT_S, longest


ITEMS = ('{"a":[1,{}]}', "1", '"é,]"', "[[]]", "null", "{}")
NO_ARRAYS = (b"[1", b"[1,", b"[1,]", b"[,]", b"[1]]", b"[1 2]", b"[\xff]", b"[" * 100_000)


@given(st.lists(st.sampled_from(ITEMS)), st.sampled_from(["", " ", "\n"]))
def test_the_items_of_an_array_are_what_it_was_made_of(items: list[str], space: str) -> None:
    body = f"{space}[{space}{f'{space},{space}'.join(items)}{space}]{space}".encode()
    assert [item.decode() for item in items_of(body, 64)] == items


@pytest.mark.parametrize("body", NO_ARRAYS)
def test_what_is_no_array_is_refused(body: bytes) -> None:
    with pytest.raises(TouchlineError):
        list(items_of(body, LIMIT))


def test_an_array_has_an_end() -> None:
    many = b"[" + b"1," * MAX_ITEMS + b"1]"
    with pytest.raises(TouchlineError, match=str(MAX_ITEMS)):
        list(items_of(many, LIMIT))


def test_no_more_is_looked_at_than_an_item_may_have() -> None:
    def first(items: Iterator[bytes]) -> bytes:
        return next(items)

    with pytest.raises(TouchlineError, match="within 1000 bytes"):
        first(items_of(b'["' + b"x" * 10_000 + b'"]', 1000))

"""An instance as it comes, without keys, on loopback: pages its operator looks at neither ask nor order it.

All that a page can choose: where it sends a request, and by which name it calls this machine. Its browser
says the rest, and says the truth.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, WSServerHandshakeError

from tests.gateway.conftest import NO_ELASTICSEARCH
from tests.pipeline import Pipeline, running

pytestmark = pytest.mark.servers
REBOUND = "evil.example"
#: What a browser says of a page that is not this gateway's.
PAGES: Mapping[str, Mapping[str, str]] = {
    "another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "another site, by an old browser": {"Origin": "https://evil.example"},
    "a file, or a sandboxed frame": {"Origin": "null"},
    "another port of this machine": {"Origin": "http://127.0.0.1:3000"},
    "a name of its own for this machine": {"Host": REBOUND, "Origin": f"http://{REBOUND}"},
}
#: By such a name a page may also read: for its browser it is the page's own server.
BY_NAME = {"Host": REBOUND}


@pytest.fixture(scope="module")
def instance(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("default")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "gateway", "edge") as pipeline:
        yield pipeline


async def operations(pipeline: Pipeline, *, orders: bool) -> list[tuple[str, str]]:
    """Method and path of all that the gateway offers: orders, or questions."""
    async with (
        ClientSession() as http,
        http.get(f"{pipeline.gateway_url}/openapi.json") as answer,
    ):
        document: Any = await answer.json()
    names = {"kind": "chat"}
    return [
        (method.upper(), re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], "abc"), path))
        for path, methods in document["paths"].items()
        for method in methods
        if method in ("get", "put", "post", "patch", "delete") and (method != "get") is orders
    ]


@pytest.mark.parametrize("page", PAGES)
async def test_pages_order_nothing(instance: Pipeline, page: str) -> None:
    offered = await operations(instance, orders=True)
    assert len(offered) > 10
    async with ClientSession() as http:
        for method, path in offered:
            # As a form can send it, without asking first.
            headers = {"Content-Type": "text/plain", **PAGES[page]}
            url = f"{instance.gateway_url}{path}"
            async with http.request(method, url, data=b'{"data":{"text":"x"}}', headers=headers) as answer:
                assert answer.status == 403, (method, path, answer.status, await answer.text())


async def test_by_a_name_that_is_not_this_machines_nothing_is_told(instance: Pipeline) -> None:
    offered = await operations(instance, orders=False)
    assert len(offered) > 10
    async with ClientSession() as http:
        for method, path in [*offered, ("GET", "/"), ("GET", "/metrics"), ("GET", "/openapi.json")]:
            async with http.request(method, f"{instance.gateway_url}{path}", headers=BY_NAME) as answer:
                assert answer.status == 403, (method, path, answer.status)


@pytest.mark.parametrize("page", PAGES)
async def test_pages_reach_no_edge(instance: Pipeline, page: str) -> None:
    plain = instance.edge_url.replace("ws:", "http:").removesuffix("/ws")
    async with ClientSession() as http:
        with pytest.raises(WSServerHandshakeError, match="403"):
            await http.ws_connect(instance.edge_url, headers=PAGES[page])
        for path in ("/poll?stream=chat:abc&wait=0", "/sse?stream=chat:abc"):
            async with http.get(f"{plain}{path}", headers=PAGES[page]) as answer:
                assert answer.status == 403, path
                assert "Access-Control-Allow-Origin" not in answer.headers


async def test_the_instances_own_pages_and_programs_may(instance: Pipeline) -> None:
    own = instance.gateway_url
    async with ClientSession() as http:
        for headers in ({}, {"Origin": own}, {"Origin": own, "Sec-Fetch-Site": "same-origin"}):
            url = f"{own}/v1/streams/chat/abc/events"
            async with http.post(url, json={"data": {"text": "hi"}}, headers=headers) as answer:
                assert answer.status == 202
            async with asyncio.timeout(60), http.ws_connect(instance.edge_url, headers=headers) as socket:
                await socket.send_str('{"op":"ping","id":1}')
                await socket.receive()


async def test_no_number_of_five_thousand_digits_is_an_error_of_the_gateways(instance: Pipeline) -> None:
    digits = "9" * 5000
    async with ClientSession() as http:
        for _, path in await operations(instance, orders=False):
            for name in ("limit", "after", "before", "last", "seq", "offset"):
                async with http.get(f"{instance.gateway_url}{path}?{name}={digits}") as answer:
                    assert answer.status != 500, (path, name, await answer.text())
        past = f"{instance.gateway_url}/v1/streams/chat/abc/events?limit={digits}"
        async with http.get(past) as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (400, "bad_request")

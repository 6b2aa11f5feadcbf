"""A schema registry for tests: the gateway's routes, in a thread, under ids of their own.

With TEST_SCHEMA_REGISTRY_URL the tests that only need a registry use the one there, like Apicurio's at
http://127.0.0.1:8080/apis/ccompat/v7.
"""

import asyncio
import contextlib
import os
import ssl
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

from aiohttp import web

from gateway import schema_registry as registry
from gateway.context import Context
from gateway.http.operations import Operation
from kernel.settings.reading import Settings, load_settings
from schemas.catalog import Version, built_in

GIVEN = os.environ.get("TEST_SCHEMA_REGISTRY_URL", "")
#: Ids as a registry hands them out.
IDS = {version: number for number, version in enumerate(sorted(built_in().schemas), 1)}


@dataclass
class Registry:
    """A running registry, and how often each path was asked for."""

    url: str
    port: int
    asked: Counter[str] = field(default_factory=Counter)


@contextlib.contextmanager
def running_registry(
    settings: Settings | None = None,
    *,
    others: Mapping[int, Version] | None = None,
    user: str | None = None,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
    empty: bool = False,
) -> Iterator[Registry]:
    """A registry that has the schemas of these settings' topics; `others` are more ids that it knows.

    With `empty` it has a schema only once it was registered.
    """
    found = Registry("", 0)
    authorization = f"Basic {b64encode((user or '').encode()).decode()}"

    @web.middleware
    async def watched(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        found.asked[request.path] += 1
        if user is not None and request.headers.get("Authorization") != authorization:
            return web.json_response({"error_code": 40101, "message": "Unauthorized"}, status=401)
        looked_up = request.method == "POST" and not request.path.endswith("/versions")
        if empty and looked_up and not found.asked[f"{request.path}/versions"]:
            return web.json_response({"error_code": 40403, "message": "Schema not found"}, status=404)
        return await handler(request)

    async def serve() -> web.AppRunner:
        catalog = built_in().with_ids(IDS, others or {})
        context = cast("Context", SimpleNamespace(settings=settings or load_settings({}), catalog=catalog))
        app = web.Application(middlewares=[watched])
        for route in await registry.routes(context):
            assert isinstance(route, Operation)
            app.add_routes([route.route()])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        found.port = runner.addresses[0][1]
        found.url = f"{'https' if tls else 'http'}://127.0.0.1:{found.port}"
        return runner

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(serve(), loop).result(60)
    try:
        yield found
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

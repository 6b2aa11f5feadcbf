"""The gateway: a table of route modules put together into one HTTP server, and its life."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, cast

from aiohttp import web
from msgspec.structs import replace

from control.channels.lists import CLOSED
from control.commands.sending import CommandSender
from control.state import ControlState
from control.topic_tables.follower import TableThread
from gateway import schema_registry
from gateway.attachments import api as attachments
from gateway.attachments.opening import open_attachments
from gateway.budget_shares import share, shares_of
from gateway.channels import channels, listing
from gateway.context import Context
from gateway.crowd import counters, polls, reactions
from gateway.events import history, ingest, scheduled
from gateway.feeds import feed, follows
from gateway.http import openapi, reference
from gateway.http.access import Access
from gateway.http.bodies import BODY_TIMEOUT_S
from gateway.http.connections import Connections
from gateway.http.guards import same_site
from gateway.http.operations import Operation
from gateway.http.origins import Origins
from gateway.http.problems import as_problems
from gateway.http.turns import TURNS
from gateway.moderation import data, orders, report_status, reports, words
from gateway.nearby import fences, friends, positions, sharing
from gateway.operators import canary, figures, past, records, rejections
from gateway.outlets import notifications, webhooks
from gateway.pages import demo, demo_walk, pages
from gateway.rooms import blocks, devices, rooms
from gateway.search import alerts, search, suggest
from history import History
from history.retractions import TakenBack
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.budgets import DoorBudgets
from kernel.fairness.concurrency import Slots
from kernel.fairness.turns import Turns
from kernel.log.first_write import KEY, PRODUCER
from kernel.log.kafka import watch_kafka
from kernel.log.topics import topic_names
from kernel.process.health import Health
from kernel.process.logs import get_logger
from kernel.process.ops_port import ops_routes
from kernel.settings.reading import Settings
from kernel.version import VERSION
from producers.posts import Record
from producers.producer import Producer
from schemas.registry import catalog_for, wait_for_registry
from search_indexer.alerts import AlertBook

_log = get_logger("touchline.gateway")

_MAX_LINE: Final = 128 * 1024
_AGAIN_S: Final = 0.2
#: What the API consists of. A module opens what it needs on `context.stack`; what it returns as an Operation
#: is in the OpenAPI document, and what it returns as a plain route (a page, a file) is not.
Routes = Callable[[Context], Awaitable[Sequence[Operation | web.RouteDef]]]
MODULES: Final[tuple[Routes, ...]] = (
    ingest.routes,
    history.routes,
    scheduled.routes,
    search.routes,
    suggest.routes,
    alerts.routes,
    attachments.routes,
    channels.routes,
    listing.routes,
    rooms.routes,
    blocks.routes,
    friends.routes,
    sharing.routes,
    fences.routes,
    positions.routes,
    follows.routes,
    feed.routes,
    notifications.routes,
    webhooks.routes,
    reactions.routes,
    polls.routes,
    counters.routes,
    devices.routes,
    orders.routes,
    reports.routes,
    report_status.routes,
    words.routes,
    data.routes,
    schema_registry.routes,
    demo.routes,
    demo_walk.routes,
    figures.routes,
    past.routes,
    records.routes,
    canary.routes,
    rejections.routes,
    pages.routes,
)


async def build(context: Context, middlewares: Sequence[Any] = ()) -> web.Application:
    """The application with all routes."""
    # Bodies are limited where they are read: an NDJSON stream may be of any length.
    gateway = context.settings.gateway
    origins = Origins(gateway)
    app = web.Application(
        middlewares=[*middlewares, as_problems, same_site(gateway, origins)],
        client_max_size=gateway.max_body_bytes,
    )
    app.on_response_prepare.append(origins.tell)
    app[BODY_TIMEOUT_S] = gateway.body_timeout_s
    app[TURNS] = Turns(context.clock)
    found = [route for routes in MODULES for route in await routes(context)]
    operations = [route for route in found if isinstance(route, Operation)]
    app.add_routes([route.route() if isinstance(route, Operation) else route for route in found])
    app.add_routes(ops_routes(context.health))
    document = openapi.document(operations, version=VERSION)
    app.add_routes([openapi.route(document), reference.route(document)])
    return app


async def serve(settings: Settings, clock: Clock, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. It listens at once, and says on /readyz when it knows the channels."""
    health = Health("kafka", "channels", "tables", PRODUCER)
    await wait_for_registry(settings, stop, health)
    if stop.is_set():
        return
    async with AsyncExitStack() as stack:
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def fail(error: BaseException) -> None:
            if not failed.done():
                failed.set_exception(error)

        control_state, on_disk = ControlState.on_disk(
            settings, clock, "gateway", listing=CLOSED, on_failed=fail
        )
        control_state.on_known.append(lambda: health.ok("channels"))
        alerts = AlertBook(settings, clock)
        control_state.on_alert.append(alerts.learn)
        budgets = DoorBudgets(settings.limits, clock)
        shares, heard = shares_of(settings, clock, budgets)
        following = await stack.enter_async_context(
            TableThread(
                *(settings, clock, [*control_state.tables(), heard]),
                name="gateway-tables",
                health=health,
                condition="tables",
                on_caught_up=control_state.caught_up,
            )
        )
        on_disk.start()
        stack.push_async_callback(on_disk.stop)
        producer = await stack.enter_async_context(Producer(_impatient(settings)))
        context = Context(
            settings=settings,
            clock=clock,
            health=health,
            access=Access(settings, control_state, clock),
            control_state=control_state,
            commands=CommandSender(settings, clock),
            alerts=alerts,
            following=following,
            history=await stack.enter_async_context(
                History(settings, clock, control_state.retention, TakenBack(control_state.moderation))
            ),
            producer=producer,
            attachments=await open_attachments(
                settings,
                clock,
                stack,
                producer=producer,
                rooms=control_state.rooms,
                moderation=control_state.moderation,
                failed=fail,
            ),
            budgets=budgets,
            pages=Slots.of_pages(settings.limits),
            catalog=catalog_for(settings),
            stack=stack,
        )
        # A query of many thousand characters is told what is wrong with it, by us and in the usual shape.
        connections = Connections(settings.gateway, clock)
        runner = web.AppRunner(
            await build(context, [connections.noting]),
            access_log=None,
            auto_decompress=False,
            max_line_size=_MAX_LINE,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        assert runner.server is not None  # noqa: S101 - it is there once it is set up
        server = await _listen(
            connections.guarding(runner.server), settings.gateway.host, settings.gateway.port
        )
        stack.callback(server.close)
        sweep = asyncio.create_task(connections.sweep())
        stack.callback(sweep.cancel)
        for work in (watch_kafka(settings, health), _first_write(context), share(context, shares)):
            stack.callback(asyncio.create_task(work).cancel)
        asked = asyncio.create_task(stop.wait())
        stack.callback(asked.cancel)
        both: set[asyncio.Future[Any]] = {asked, failed}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()


async def _first_write(context: Context) -> None:
    """Until Kafka takes what is posted here: a record that means nothing."""
    probe = (topic_names(context.settings).presence, KEY, None)
    while True:
        try:
            await (await context.producer.submit_many([probe], lambda record: cast("Record", record)))
            break
        except TouchlineError:
            await asyncio.sleep(_AGAIN_S)
    context.health.ok(PRODUCER)


def _impatient(settings: Settings) -> Settings:
    """Settings for a producer behind which somebody waits for a response."""
    timeout = min(settings.gateway.delivery_timeout_s, settings.producer.delivery_timeout_s)
    return replace(settings, producer=replace(settings.producer, delivery_timeout_s=timeout))


async def _listen(factory: Callable[[], asyncio.Protocol], host: str, port: int) -> asyncio.Server:
    try:
        server = await asyncio.get_running_loop().create_server(factory, host, port, backlog=1024)
    except OSError as error:
        raise TouchlineError(
            "port_taken",
            f"Cannot listen on {host}:{port} ({error.strerror}).",
            hint="Stop the program that listens there, or set TOUCHLINE_GATEWAY_PORT.",
        ) from error
    _log.info("gateway is listening", host=host, port=port)
    return server

"""What the operators' page shows: each role's health and metrics, fetched from the roles themselves.

It comes as a stream (gateway.overview), and over HTTP as well: the page must tell what is wrong also when
that is the pipeline itself (docs/decisions/0067).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, web
from prometheus_client.parser import text_string_to_metric_families

from control.channels.channel import ChannelRecord, default_record
from control.channels.table import ChannelTable
from control.edges.presence import Beat
from gateway.channels.audience import MOST_CHANNELS, Audiences
from gateway.context import Context
from gateway.http.bodies import json_object
from gateway.http.operations import Operation, Parameter, Reply
from gateway.operators.overview import Overview
from kernel.errors import TouchlineError
from kernel.settings.reading import Settings

_TIMEOUT: Final = ClientTimeout(total=2.0)
#: Answers of this age are good enough for everybody who asks: ten open pages cost what one does.
_FRESH_S: Final = 0.5
_MAX_BODY: Final = 1024
#: Records that are read in one turn of the loop.
_AT_A_TIME: Final = 4
_OURS: Final = "touchline_"


def watched_roles(settings: Settings) -> dict[str, str]:
    """Role -> address of its operator port. Raises `bad_setting`."""
    if not settings.gateway.roles:
        parts = (
            ("stream", settings.stream.host, settings.stream.port),
            ("index", settings.indexer.host, settings.indexer.port),
            ("edge", settings.edge.host, settings.edge.port),
            ("outbox", settings.outbox.host, settings.outbox.port),
            ("gateway", settings.gateway.host, settings.gateway.port),
        )
        return {name: f"http://{_reachable(host)}:{port}" for name, host, port in parts}
    roles: dict[str, str] = {}
    for given in settings.gateway.roles:
        name, equals, url = given.partition("=")
        if not (name and equals and url.startswith(("http://", "https://"))):
            raise TouchlineError(
                "bad_setting",
                f"{given!r} of gateway.roles is not name=url.",
                hint="Write it like edge=http://127.0.0.1:18081.",
            )
        roles[name] = url.rstrip("/")
    return roles


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(host, host)


def read_metrics(text: str) -> list[dict[str, Any]]:
    """Our metrics of a /metrics page: name, labels, value. Raises ValueError where it is none."""
    return [
        {"name": sample.name, "labels": sample.labels, "value": sample.value}
        for family in text_string_to_metric_families(text)
        if family.name.startswith(_OURS)
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]


class Figures:
    """Asks every role at once, and at most once at a time however many want to know."""

    def __init__(self, roles: Mapping[str, str], http: ClientSession) -> None:
        self._roles, self._http = roles, http
        self._lock = asyncio.Lock()
        self._at = float("-inf")
        self._latest: list[dict[str, Any]] = []

    async def latest(self, now: float) -> list[dict[str, Any]]:
        """Each role's state, problems and metrics; `now` is monotonic."""
        async with self._lock:
            if now - self._at > _FRESH_S:
                self._latest = list(await asyncio.gather(*(self._ask(*role) for role in self._roles.items())))
                self._at = now
            return self._latest

    async def _ask(self, name: str, url: str) -> dict[str, Any]:
        role: dict[str, Any] = {"name": name, "url": url, "state": "down", "problems": {}, "metrics": []}
        try:
            async with self._http.get(f"{url}/readyz") as answer:
                said = await answer.json()
            role["problems"] = dict(said.get("problems", {}))
            role["state"] = "ready" if answer.status == 200 else "not ready"
            async with self._http.get(f"{url}/metrics") as answer:
                role["metrics"] = read_metrics(await answer.text())
        except (ClientError, TimeoutError, ValueError, AttributeError):
            role["problems"] = {"answer": f"No answer at {url}."}
        return role


def _some(channels: ChannelTable) -> list[ChannelRecord]:
    """As many as are shown, a few at a time. For a thread: they are on disk, and may be long to read."""
    found: list[ChannelRecord] = []
    after, more = "", True
    while more and len(found) < MOST_CHANNELS:
        page, after = channels.page(after, _AT_A_TIME)
        found, more = found + page, bool(after)
    return found[:MOST_CHANNELS]


async def _rows(
    beats: Sequence[Beat], known: Sequence[ChannelRecord], record_of: Callable[[str], ChannelRecord]
) -> list[dict[str, Any]]:
    """Of the largest audiences, one by one. To sum up sixty thousand takes a quarter of a second."""
    records, rows = {record.channel: record for record in known}, []

    def sum_up() -> tuple[Audiences, list[str]]:
        audiences = Audiences(beats)
        return audiences, audiences.largest(records)

    audiences, largest = await asyncio.to_thread(sum_up)
    for name in largest:
        rows.append(audiences.row(records.get(name) or record_of(name)))
        await asyncio.sleep(0)
    return rows


async def routes(context: Context) -> Sequence[Operation]:
    """`GET /v1/ops`."""
    http = await context.stack.enter_async_context(ClientSession(timeout=_TIMEOUT))
    roles = watched_roles(context.settings)
    figures = Figures(roles, http)
    warns = context.settings.ops
    thresholds = {
        "lag_records": warns.lag_records,
        "latency_ms": warns.latency_ms,
        "outbox_s": warns.outbox_s,
    }

    async def gather() -> dict[str, Any]:
        latest = await figures.latest(context.clock.monotonic())
        state = context.control_state
        # Of channels without viewers no more are looked at than are shown.
        known = await asyncio.to_thread(_some, state.channels) if state.known else []
        record_of = state.channel if state.known else default_record
        return {
            "at_ms": context.clock.now_ms(),
            "roles": latest,
            "channels": await _rows(state.presence.beats(), known, record_of),
            "thresholds": thresholds,
        }

    if context.settings.gateway.ops_every_s > 0:
        await context.stack.enter_async_context(Overview(context.settings, context.clock, gather))

    async def ops(request: web.Request) -> web.Response:
        await context.access.require(request, "admin", "*")
        return web.Response(body=msgspec.json.encode(await gather()), content_type="application/json")

    async def drain(request: web.Request) -> web.Response:
        await context.access.require(request, "admin", "*")
        await json_object(request, _MAX_BODY, dict[str, Any])
        name = request.match_info["edge"]
        url = roles.get(name, "") if name.startswith("edge") else ""
        if not url:
            raise TouchlineError("not_found", f"There is no edge called {name[:100]!r} here.")
        # The edge decides by itself whether this token may do that.
        passed = {key: request.headers[key] for key in ("Authorization",) if key in request.headers}
        try:
            async with http.post(f"{url}/v1/drain", headers=passed) as answer:
                said = await answer.json(content_type=None)
        except (ClientError, TimeoutError, ValueError):
            raise TouchlineError("unavailable", f"{name} does not answer at {url}.") from None
        if answer.status != 202:
            raise TouchlineError("forbidden", str(said.get("detail", f"{name} answered {answer.status}.")))
        return web.json_response({"draining": name}, status=202)

    return [
        Operation(
            method="POST",
            path="/v1/ops/edges/{edge}/drain",
            handler=drain,
            name="drainEdge",
            summary="Ask an edge to move its viewers elsewhere and to leave.",
            tag="operations",
            parameters=(Parameter("edge", "path", "The edge's name.", _TEXT, required=True),),
            body={"application/json": {"type": "object"}},
            replies={202: Reply("It has begun.", {"type": "object"})},
            errors=(
                "bad_request",
                "unauthorized",
                "forbidden",
                "not_found",
                "too_large",
                "unsupported_media_type",
                "unavailable",
            ),
        ),
        Operation(
            method="GET",
            path="/v1/ops",
            handler=ops,
            name="getOps",
            summary="Health and metrics of every role, for operators.",
            tag="operations",
            replies={200: Reply("What each role says of itself.", _SCHEMA)},
            errors=("unauthorized", "forbidden"),
        ),
    ]


_TEXT: Final = {"type": "string"}
_SAMPLE: Final = {
    "type": "object",
    "required": ["name", "labels", "value"],
    "properties": {"name": _TEXT, "labels": {"type": "object"}, "value": {"type": ["number", "null"]}},
}
_ROLE: Final = {
    "type": "object",
    "required": ["name", "url", "state", "problems", "metrics"],
    "properties": {
        "name": _TEXT,
        "url": _TEXT,
        "state": {"type": "string", "enum": ["ready", "not ready", "down"]},
        "problems": {"type": "object", "additionalProperties": _TEXT},
        "metrics": {"type": "array", "items": _SAMPLE},
    },
}
_VERSION: Final = {
    "type": "object",
    "required": ["version", "shards", "retiring", "viewers"],
    "properties": {
        "version": {"type": "integer"},
        "shards": {"type": "integer"},
        "retiring": {"type": "boolean"},
        "viewers": {"type": "integer"},
    },
}
_CHANNEL: Final = {
    "type": "object",
    "required": ["channel", "viewers", "lanes", "versions"],
    "properties": {
        "channel": _TEXT,
        "viewers": {"type": "integer"},
        "lanes": {"type": "integer"},
        "versions": {"type": "array", "items": _VERSION},
    },
}
_THRESHOLDS: Final = {
    "type": "object",
    "description": "Beyond them the operators' page says that something is wrong.",
    "required": ["lag_records", "latency_ms", "outbox_s"],
    "properties": {name: {"type": "integer"} for name in ("lag_records", "latency_ms", "outbox_s")},
}
_SCHEMA: Final = {
    "type": "object",
    "required": ["at_ms", "roles", "channels", "thresholds"],
    "properties": {
        "at_ms": {"type": "integer"},
        "roles": {"type": "array", "items": _ROLE},
        "channels": {"type": "array", "items": _CHANNEL},
        "thresholds": _THRESHOLDS,
    },
}

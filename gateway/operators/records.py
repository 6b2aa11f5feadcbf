"""/v1/ops/topics and /v1/ops/records: what lies on the log, decoded, for operators."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.context import Context
from gateway.http.operations import Operation, Parameter, Reply, number_of
from gateway.operators.reading import Wanted, read_newest
from kernel.errors import TouchlineError
from kernel.log.topics import topics
from kernel.process.logs import get_logger

_log = get_logger("touchline.gateway")
_MOST: Final = 100
_LIMIT: Final = 20
MAX_KEY: Final = 300
#: Partition:offset, of at most so many partitions.
_CURSOR: Final = re.compile(r"[0-9]{1,6}:[0-9]{1,18}(,[0-9]{1,6}:[0-9]{1,18}){0,999}")
_NAMES: Final = frozenset({"topic", "key", "partition", "before", "limit", "token"})


async def routes(context: Context) -> Sequence[Operation]:
    """`GET /v1/ops/topics`, `GET /v1/ops/records`."""
    settings, catalog, clock = context.settings, context.catalog, context.clock
    known = {topic.name: topic for topic in topics(settings)}
    # Each look reads from Kafka in a thread: they wait for one another.
    one = asyncio.Lock()

    async def show_topics(request: web.Request) -> web.Response:
        await context.access.require(request, "admin", "*")
        found = [
            {"topic": topic.name, "key": topic.key, "schema": topic.value}
            for topic in sorted(known.values(), key=lambda topic: topic.name)
        ]
        return web.json_response({"topics": found})

    async def show(request: web.Request) -> web.Response:
        caller = await context.access.require(request, "admin", "*")
        wanted = wanted_of(request)
        if wanted.topic not in known:
            raise TouchlineError(
                "not_found",
                f"{wanted.topic[:100]!r} is no topic of Touchline's here.",
                hint="GET /v1/ops/topics lists them.",
            )
        # Whoever reads what others have said leaves a trace of it.
        _log.info("records were read", topic=wanted.topic, key=wanted.key, user=caller.user)
        async with one:
            body = await asyncio.to_thread(_read, wanted)
        return web.Response(body=body, content_type="application/json")

    def _read(wanted: Wanted) -> bytes:
        found, before = read_newest(settings, catalog, clock, wanted)
        told = ",".join(f"{partition}:{offset}" for partition, offset in sorted(before.items()))
        return msgspec.json.encode({"records": found, "next": told or None})

    return [
        Operation(
            method="GET",
            path="/v1/ops/topics",
            handler=show_topics,
            name="listTopics",
            summary="The topics whose records can be read, for operators.",
            tag="operations",
            replies={200: Reply("Their names, keys and schemas.", _TOPICS)},
            errors=("unauthorized", "forbidden"),
        ),
        Operation(
            method="GET",
            path="/v1/ops/records",
            handler=show,
            name="readRecords",
            summary="Records of a topic, decoded, the newest first; for operators.",
            tag="operations",
            parameters=_PARAMETERS,
            replies={
                200: Reply(
                    "Records, and where the page before begins: where none has the key among the newest, "
                    "there may be none here and a `next`.",
                    _RECORDS,
                )
            },
            errors=("bad_request", "unauthorized", "forbidden", "not_found", "unavailable"),
        ),
    ]


def wanted_of(request: web.Request) -> Wanted:
    """What a query asks for. Raises `bad_request`."""
    query = request.query
    if unknown := set(query) - _NAMES:
        raise TouchlineError("bad_request", f"{min(unknown)[:40]!r} is no parameter of this.")
    topic, key, partition = query.get("topic", ""), query.get("key", ""), query.get("partition")
    if not topic:
        raise TouchlineError("bad_request", "topic says which topic is read.")
    if len(key) > MAX_KEY:
        raise TouchlineError("bad_request", f"key has at most {MAX_KEY} characters.")
    if partition is not None and not re.fullmatch("[0-9]{1,6}", partition):
        raise TouchlineError("bad_request", f"partition is {partition[:40]!r}: it is a number.")
    limit = number_of(request, "limit", default=_LIMIT, most=_MOST)
    number = None if partition is None else int(partition)
    return Wanted(topic, key, number, _before(query.get("before")), limit)


def _before(text: str | None) -> Mapping[int, int] | None:
    if text is None:
        return None
    if not _CURSOR.fullmatch(text):
        raise TouchlineError("bad_request", "before is the `next` of another page.")
    return {int(p): int(o) for p, _, o in (one.partition(":") for one in text.split(","))}


_TEXT: Final = {"type": "string"}
_MAYBE: Final = {"type": ["string", "null"]}
_INTEGER: Final = {"type": "integer"}
_PARAMETERS: Final = (
    Parameter("topic", "query", "Its whole name.", _TEXT, required=True),
    Parameter(
        "key",
        "query",
        "Only records with this key, as it is shown; with `*` at its end, those that begin so.",
        {**_TEXT, "maxLength": MAX_KEY},
    ),
    Parameter("partition", "query", "Only of this partition.", {"type": "integer", "minimum": 0}),
    Parameter("before", "query", "The `next` of the page after.", _TEXT),
    Parameter(
        "limit",
        "query",
        "Records at most.",
        {"type": "integer", "minimum": 1, "maximum": _MOST, "default": _LIMIT},
    ),
)
_TOPICS: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["topics"],
    "properties": {
        "topics": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["topic", "key", "schema"],
                "properties": {"topic": _TEXT, "key": _TEXT, "schema": _TEXT},
            },
        }
    },
}
#: Of a value, also of a refused one.
SHOWN: Final[dict[str, Any]] = {
    "schema": {**_MAYBE, "description": "like event-chat/v2, or JSON"},
    "problem": {**_MAYBE, "description": "why it cannot be decoded"},
    "value": {"description": "decoded; null where it is none, too long, or not to be decoded"},
    "text": {**_MAYBE, "description": "instead of a value"},
    "cut": {"type": "boolean", "description": "whether the text is only its beginning"},
}
_RECORD: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["partition", "offset", "at", "key", "bytes", "headers", *SHOWN],
    "properties": {
        "partition": _INTEGER,
        "offset": _INTEGER,
        "at": {**_TEXT, "format": "date-time"},
        "key": _MAYBE,
        "bytes": _INTEGER,
        "headers": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": _TEXT, "value": _TEXT}},
        },
        **SHOWN,
    },
}
_RECORDS: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["records", "next"],
    "properties": {"records": {"type": "array", "items": _RECORD}, "next": _MAYBE},
}

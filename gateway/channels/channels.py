"""Channels: what is set for one, changing it, spreading it anew; and how a stream goes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.retention import check_class
from gateway.channels.control import Control
from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import CHANNEL, KIND, Operation, Reply, channel_of, stream_of
from kernel.errors import TouchlineError
from kernel.positions import MAX_SEQ
from schemas.catalog import built_in

_MAX_BYTES: Final = 64 * 1024
_MAX_SHARDS: Final = 256


def _settings_schema() -> Mapping[str, Any]:
    """JSON schema of a channel's settings, from the Avro schema: one place says what there is."""
    fields = built_in().schemas[built_in().latest("channel")]["fields"]
    settings = next(field for field in fields if field["name"] == "settings")["type"]["fields"]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {f["name"]: {**_json_type(f["type"]), "description": f["doc"]} for f in settings},
    }


def _json_type(avro: Any) -> dict[str, Any]:
    if isinstance(avro, list):
        return {"anyOf": [_json_type(part) for part in avro]}
    if isinstance(avro, dict):
        return {"type": "array", "items": _json_type(avro["items"])}
    return {"type": {"int": "integer", "long": "integer", "double": "number"}.get(avro, avro)}


SETTINGS_SCHEMA: Final = _settings_schema()
_STATE: Final = Reply(
    "The channel.",
    {
        "type": "object",
        "required": ["channel", "lanes", "versions", "settings"],
        "properties": {
            "channel": {"type": "string"},
            "lanes": {"type": "integer"},
            "versions": {"type": "array", "items": {"type": "object"}},
            "settings": {**SETTINGS_SCHEMA, "additionalProperties": True},
        },
    },
)
_TAKEN: Final = Reply(
    "The command is on the log; it takes effect within a few seconds.",
    {"type": "object", "required": ["channel", "command"], "properties": {"channel": {}, "command": {}}},
)
_GOES: Final = Reply(
    "The stream's newest `seq` (null: nothing yet), its viewers, and its shards.",
    {
        "type": "object",
        "required": ["stream", "head", "viewers", "version", "shards"],
        "properties": {
            "stream": {"type": "string"},
            "head": {"type": ["integer", "null"]},
            "viewers": {"type": "integer"},
            "version": {"type": "integer"},
            "shards": {"type": "integer"},
        },
    },
)


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    control_state = context.control_state
    control = Control(context.settings, context.clock)
    context.stack.push_async_callback(control.close)

    async def show(request: web.Request) -> web.Response:
        channel = channel_of(request)
        await context.access.require(request, "admin", channel)
        return web.json_response(_shown(channel, control_state.channel(channel)))

    async def change(request: web.Request) -> web.Response:
        channel = channel_of(request)
        await context.access.require(request, "admin", channel)
        wanted = await json_object(request, _MAX_BYTES, dict[str, Any])
        unknown = wanted.keys() - SETTINGS_SCHEMA["properties"].keys()
        if unknown:
            raise TouchlineError("bad_request", f"{min(unknown)[:40]!r} is not a setting of a channel.")
        check_settings(wanted)
        check_class(context.settings.indexer, wanted.get("retention"))
        await control.send(channel, "set_channel", wanted)
        return web.json_response({"channel": channel, "command": "set_channel"}, status=202)

    async def reshard(request: web.Request) -> web.Response:
        channel = channel_of(request)
        await context.access.require(request, "admin", channel)
        shards = (await json_object(request, _MAX_BYTES, dict[str, Any])).get("shards")
        if not isinstance(shards, int) or isinstance(shards, bool) or not 1 <= shards <= _MAX_SHARDS:
            raise TouchlineError("bad_request", f"shards is a number from 1 to {_MAX_SHARDS}.")
        await control.send(channel, "reshard", {"shards": shards})
        return web.json_response({"channel": channel, "command": "reshard"}, status=202)

    async def goes(request: web.Request) -> web.Response:
        stream = stream_of(request)
        await context.access.require(request, "subscribe", str(stream))
        page = await context.history.read(stream, before=MAX_SEQ, limit=1)
        newest = msgspec.json.decode(page.events[-1], type=dict[str, Any])["seq"] if page.events else None
        versions = _shown(stream.channel, control_state.channel(stream.channel))["versions"]
        return web.json_response(
            {
                "stream": str(stream),
                "head": newest,
                "viewers": control_state.viewers(stream),
                "version": versions[-1]["version"],
                "shards": versions[-1]["shards"],
            }
        )

    errors = ("bad_request", "unauthorized", "forbidden", "unavailable")
    changing = (*errors, "too_large", "unsupported_media_type", "not_delivered")
    return [
        Operation(
            method="GET", path="/v1/channels/{channel}", handler=show, name="showChannel",
            summary="What is set for a channel.", tag="channels", parameters=(CHANNEL,),
            replies={200: _STATE}, errors=errors,
        ),
        Operation(
            method="PUT", path="/v1/channels/{channel}", handler=change, name="changeChannel",
            summary="Change settings of a channel; those that are left out stay.", tag="channels",
            parameters=(CHANNEL,), body={JSON: SETTINGS_SCHEMA}, replies={202: _TAKEN}, errors=changing,
        ),
        Operation(
            method="POST", path="/v1/channels/{channel}/reshard", handler=reshard, name="reshard",
            summary="Spread a channel's viewers over another number of shards.", tag="channels",
            parameters=(CHANNEL,),
            body={
                JSON: {
                    "type": "object",
                    "required": ["shards"],
                    "properties": {"shards": {"type": "integer", "minimum": 1, "maximum": _MAX_SHARDS}},
                }
            },
            replies={202: _TAKEN}, errors=changing,
        ),
        Operation(
            method="GET", path="/v1/streams/{kind}/{channel}", handler=goes, name="showStream",
            summary="A stream's head, viewers and shards.", tag="channels", parameters=(KIND, CHANNEL),
            replies={200: _GOES}, errors=errors,
        ),
    ]  # fmt: skip


def _shown(channel: str, record: Mapping[str, Any] | None) -> dict[str, Any]:
    record = record or {}
    versions = [
        {"version": v["version"], "shards": v["shards"]}
        for v in record.get("versions", ())
        if v.get("until") is None
    ]
    return {
        "channel": channel,
        "lanes": record.get("lanes", 0),
        "versions": versions or [{"version": 1, "shards": 1}],
        "settings": record.get("settings", {}),
    }


def check_settings(wanted: Mapping[str, Any]) -> None:
    """Types only: the worker that applies the command knows the rest, but for the retention classes."""
    for name, value in wanted.items():
        schema = SETTINGS_SCHEMA["properties"][name]
        allowed = schema.get("anyOf", [schema])
        if not any(_fits(value, kind) for kind in allowed):
            raise TouchlineError("bad_request", f"{name} has a value of another type than it should.")


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    kind = schema["type"]
    if kind == "array":
        return isinstance(value, list) and all(_fits(item, schema["items"]) for item in value)
    if isinstance(value, bool):
        return bool(kind == "boolean")
    types: dict[str, Any] = {
        "string": str,
        "integer": int,
        "number": int | float,
        "null": type(None),
        "boolean": bool,
    }
    return isinstance(value, types[kind])

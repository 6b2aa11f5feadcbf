"""Channels: what is set for one, changing it, spreading it anew; and how a stream goes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.channels.bounds import MAX_SHARDS, SETTINGS, check_settings
from control.channels.channel import ChannelRecord
from control.channels.retention import check_class
from control.commands.checks import check_change
from gateway.channels.closing import Closing
from gateway.channels.pinned import pinned_in
from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import CHANNEL, KIND, Operation, Reply, channel_of, stream_of
from kernel.log.positions import MAX_SEQ, Kind, split_lane
from schemas.catalog import built_in
from search_indexer.text.by_channel import check_language

_MAX_BYTES: Final = 64 * 1024


def setting_docs() -> Mapping[str, str]:
    """What the Avro schema says of each setting."""
    fields = built_in().schemas[built_in().latest("channel")]["fields"]
    settings = next(field for field in fields if field["name"] == "settings")["type"]["fields"]
    return {field["name"]: field["doc"] for field in settings}


def _settings_schema() -> Mapping[str, Any]:
    """JSON schema of a channel's settings: their bounds, and what is said of them."""
    said = setting_docs()
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {"anyOf": [rule.schema, {"type": "null"}], "description": said[name]}
            for name, rule in SETTINGS.items()
        },
    }


_SETTINGS: Final = _settings_schema()
_STATE: Final = Reply(
    "The channel.",
    {
        "type": "object",
        "required": ["channel", "lanes", "versions", "settings"],
        "properties": {
            "channel": {"type": "string"},
            "lanes": {"type": "integer"},
            "versions": {"type": "array", "items": {"type": "object"}},
            "settings": {**_SETTINGS, "additionalProperties": True},
        },
    },
)
_TAKEN: Final = Reply(
    "The command is on the log; it takes effect within two seconds.",
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
            "slow_s": {"type": ["number", "null"], "description": "Of a chat: its slow mode."},
            "pinned": {
                "type": ["object", "null"],
                "description": "Of a chat: the message that is pinned, as it may be shown now. `order` is the"
                " id of the event that says so: of what is heard live, what has a higher one is newer.",
                "required": ["order", "target", "by", "at", "event"],
                "properties": {
                    "order": {"type": "string"},
                    "target": {"type": "string"},
                    "by": {"type": ["string", "null"]},
                    "at": {"type": "string", "format": "date-time"},
                    "event": {"type": "object"},
                },
            },
        },
    },
)


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    control_state = context.control_state
    commands = context.commands
    closing = Closing(control_state, context.clock, context.settings.limits.closed_channels)

    async def show(request: web.Request) -> web.Response:
        channel = channel_of(request)
        await context.access.require(request, "admin", channel)
        return web.json_response(_shown(control_state.channel(channel)))

    async def change(request: web.Request) -> web.Response:
        channel = channel_of(request)
        caller = await context.access.require(request, "admin", channel)
        context.budgets.take_command(caller.bound)
        wanted = await json_object(request, _MAX_BYTES, dict[str, Any])
        check_settings(wanted)
        check_class(context.settings.indexer, wanted.get("retention"))
        check_language(context.settings.elasticsearch.language, wanted.get("language"))
        if split_lane(channel)[1] is None:
            record = control_state.channel(channel)
            check_change(record, "set_channel", wanted, context.clock.now_ms())
            if wanted.get("readers", record.settings.readers) and caller.bound:
                size = max(len(msgspec.json.encode(wanted)), len(msgspec.json.encode(record.settings)))
                closing.take(await context.access.grants(request), record, size)
        await commands.send(channel, "set_channel", wanted, actor=caller.user)
        return web.json_response({"channel": channel, "command": "set_channel"}, status=202)

    async def reshard(request: web.Request) -> web.Response:
        channel = channel_of(request)
        caller = await context.access.require(request, "admin", channel)
        context.budgets.take_command(caller.bound)
        wanted = await json_object(request, _MAX_BYTES, dict[str, Any])
        shards = {"shards": wanted.get("shards")}
        if control_state.known and split_lane(channel)[1] is None:
            # One that comes too soon is refused here, as far as the one before it is known here.
            now_ms = control_state.presence.broker_ms()
            check_change(control_state.channel(channel), "reshard", shards, now_ms)
        await commands.send(channel, "reshard", shards, actor=caller.user)
        return web.json_response({"channel": channel, "command": "reshard"}, status=202)

    async def goes(request: web.Request) -> web.Response:
        stream = stream_of(request)
        caller = await context.access.require(request, "subscribe", str(stream))
        context.budgets.take_read(context.budgets.bound(caller.bound, admin=False))
        page = await context.history.read(stream, before=MAX_SEQ, limit=1)
        newest = msgspec.json.decode(page.events[-1], type=dict[str, Any])["seq"] if page.events else None
        layout, of_chat = control_state.layout(stream.channel), dict[str, Any]()
        if stream.kind is Kind.CHAT:
            of_chat["slow_s"] = control_state.channel(stream.channel).settings.slow_s
            of_chat["pinned"] = await pinned_in(context, await context.access.grants(request), stream)
        return web.json_response(
            {
                "stream": str(stream),
                "head": newest,
                "viewers": control_state.presence.watching(str(stream)),
                "version": layout.version,
                "shards": layout.shards,
                **of_chat,
            }
        )

    errors = ("bad_request", "unauthorized", "forbidden", "unavailable")
    changing = (
        *(*errors, "too_large", "unsupported_media_type", "not_delivered"),
        *("rate_limited", "limit_reached"),
    )
    return [
        Operation(
            method="GET", path="/v1/channels/{channel}", handler=show, name="showChannel",
            summary="What is set for a channel.", tag="channels", parameters=(CHANNEL,),
            replies={200: _STATE}, errors=errors,
        ),
        Operation(
            method="PUT", path="/v1/channels/{channel}", handler=change, name="changeChannel",
            summary="Change settings of a channel; those that are left out stay.", tag="channels",
            parameters=(CHANNEL,), body={JSON: _SETTINGS}, replies={202: _TAKEN}, errors=changing,
        ),
        Operation(
            method="POST", path="/v1/channels/{channel}/reshard", handler=reshard, name="reshard",
            summary="Spread a channel's viewers over another number of shards.", tag="channels",
            parameters=(CHANNEL,),
            body={
                JSON: {
                    "type": "object",
                    "required": ["shards"],
                    "properties": {"shards": {"type": "integer", "minimum": 1, "maximum": MAX_SHARDS}},
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


def _shown(record: ChannelRecord) -> dict[str, Any]:
    return {
        "channel": record.channel,
        "lanes": record.lanes,
        "versions": [{"version": v.version, "shards": v.shards} for v in record.live],
        "settings": msgspec.to_builtins(record.settings),
    }

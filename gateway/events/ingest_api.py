"""What OpenAPI says of ingest: the event's shape, the bodies and the results."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.http.operations import CHANNEL, KIND, Parameter, Reply

EVENT: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "type": {
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$",
            "description": "By default `message` (chat) or `position` (location); a broadcast names one.",
        },
        "key": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128,
            "description": "Your idempotency key: the same key within ten minutes is one event.",
        },
        "sender": {"type": "string", "minLength": 1, "maxLength": 128},
        "client_ts": {"type": "string", "format": "date-time"},
        "data": {"type": "object", "description": 'Chat: `{"text"}`; location: `{"lat", "lon"}`.'},
    },
}
BODY: Final[Mapping[str, Mapping[str, Any]]] = {
    "application/json": {"oneOf": [EVENT, {"type": "array", "items": EVENT}]},
    "application/x-ndjson": {"type": "string", "description": "One event a line, of any number."},
}
PARAMETERS: Final = (
    KIND,
    CHANNEL,
    Parameter(
        "wait",
        "query",
        "`accepted`: the results are the workers': accepted (a repeat has the first one's `seq` and `id`) or"
        " refused, within two seconds.",
        {"type": "string", "enum": ["accepted"]},
    ),
    Parameter(
        "Idempotency-Key",
        "header",
        "The event's key where it has none; with several events each gets `/` and its number appended.",
        {"type": "string", "minLength": 1, "maxLength": 128},
    ),
    Parameter(
        "Content-Encoding",
        "header",
        "How the body is packed.",
        {"type": "string", "enum": ["gzip", "zstd", "identity"]},
    ),
)
_RESULT: Final = {
    "type": "object",
    "required": ["ok"],
    "properties": {
        "ok": {"type": "boolean"},
        "stream": {"type": "string", "description": "The lane that took it, where the channel is spread."},
        "seq": {"type": "integer", "description": "The event's place in its stream, where that is known."},
        "id": {"type": "string", "description": "The event's id, where that is known."},
        "code": {"type": "string"},
        "message": {"type": "string"},
    },
}
REPLIES: Final[Mapping[int, Reply]] = {
    202: Reply(
        "Kafka holds the accepted events on all in-sync replicas; a result for each event, in order."
        " With `Accept: application/x-ndjson` results come as they are known, a line each.",
        {
            "type": "object",
            "required": ["accepted", "refused", "results"],
            "properties": {
                "accepted": {"type": "integer"},
                "refused": {"type": "integer"},
                "results": {"type": "array", "items": _RESULT},
            },
        },
    )
}

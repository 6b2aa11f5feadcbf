"""Makes docs/asyncapi.json from the protocol's messages: `python -m consumers.protocol.asyncapi`."""

import inspect
import json
import sys
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from consumers.protocol import messages as m
from consumers.transport.handshake import PATH
from kernel.close_codes import CLOSES, RETRY, comes_back
from kernel.errors import CODES

FILE: Final = Path(__file__).parents[2] / "docs" / "asyncapi.json"
_REF: Final = "#/components/schemas/{name}"


def document() -> dict[str, Any]:
    """The AsyncAPI document."""
    sent, received = get_args(m.AnyRequest), get_args(m.AnyReply)
    _, schemas = msgspec.json.schema_components((*sent, *received), ref_template=_REF)
    for schema in schemas.values():
        if "description" in schema:  # a docstring: with its indentation up to Python 3.12
            schema["description"] = inspect.cleandoc(schema["description"])
    schemas["Event"] = _EVENT
    messages = {kind.__name__: _message(kind) for kind in (*sent, *received)}
    messages["Event"] = {
        "summary": "An event of a stream that is watched.",
        "payload": {"$ref": _REF.format(name="Event")},
    }
    refs = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}

    def operation(action: str, kinds: list[str], summary: str) -> dict[str, Any]:
        listed = [{"$ref": f"#/channels/viewer/messages/{name}"} for name in kinds]
        return {
            "action": action,
            "channel": {"$ref": "#/channels/viewer"},
            "summary": summary,
            "messages": listed,
        }

    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Touchline: the viewer protocol",
            "version": m.SUBPROTOCOL,
            "description": "Text frames of JSON objects, one a line. The whole text is docs/protocol.md.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "viewer": {
                "address": PATH,
                "messages": refs,
                "bindings": {"ws": {"query": {"type": "object", "properties": _QUERY}}},
            }
        },
        "operations": {
            "request": operation("receive", [kind.__name__ for kind in sent], "What viewers send."),
            "tell": operation("send", [*(k.__name__ for k in received), "Event"], "What edges send."),
        },
        "components": {"messages": messages, "schemas": schemas},
        "x-close-codes": {
            str(int(code)): {"reason": reason, "return": comes_back(code)} for code, reason in CLOSES.items()
        },
        "x-error-codes": {code: {"meaning": CODES[code], "retry": retry} for code, retry in RETRY.items()},
    }


def _message(kind: type) -> dict[str, Any]:
    return {"summary": inspect.getdoc(kind), "payload": {"$ref": _REF.format(name=kind.__name__)}}


_TEXT: Final = {"type": "string"}
_QUERY: Final = {"token": _TEXT, "device": _TEXT, "user": _TEXT}
_EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["op", "stream", "seq", "id", "type", "server_ts", "data"],
    "properties": {
        "op": {"const": "event"},
        "stream": _TEXT,
        "seq": {"type": "integer", "minimum": 1, "maximum": 2**53 - 1},
        "prev": {"type": "integer", "description": "the stream's seq before this one, where it is known"},
        "id": {"type": "string", "description": "the event's snowflake"},
        "n": {"type": "integer", "minimum": 1, "description": "its number, in a numbered channel"},
        "key": _TEXT,
        "type": _TEXT,
        "sender": _TEXT,
        "client_ts": {"type": "string", "format": "date-time"},
        "server_ts": {"type": "string", "format": "date-time"},
        "data": {"type": "object"},
    },
}


def rendered() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(rendered(), "utf-8")
    sys.stdout.write(f"{FILE}\n")

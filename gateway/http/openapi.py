"""/openapi.json: made from the table of operations, so that it says what the routes do."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aiohttp import web

from gateway.http.access import USER_HEADER
from gateway.http.operations import Operation, Parameter, Reply
from gateway.http.problems import CONTENT_TYPE, RETRY_AFTER, STATUS
from kernel.errors import CODES

_PROBLEM: Final = {
    "type": "object",
    "description": "An error (RFC 9457), with a stable `code`.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence that says what to do."},
        "code": {"type": "string", "enum": sorted({*STATUS, "bad_request"})},
    },
}
_SECONDS: Final = {
    "description": "Seconds after which to try again.",
    "schema": {"type": "integer", "minimum": 1},
}


def document(operations: Iterable[Operation], *, version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Touchline",
            "version": version,
            "description": "Post live events, read their history, search them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"user": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "user": {
                    "type": "apiKey",
                    "in": "header",
                    "name": USER_HEADER,
                    "description": "Who asks, percent-encoded; believed where there are no keys.",
                },
            },
            "schemas": {"Problem": _PROBLEM},
        },
    }


def route(body: Mapping[str, Any]) -> web.RouteDef:
    """Serves the document."""

    async def openapi(_: web.Request) -> web.Response:
        return web.json_response(body)

    return web.get("/openapi.json", openapi)


def _operation(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": {str(s): _reply(r) for s, r in operation.replies.items()} | _errors(operation.errors),
    }
    if operation.parameters:
        made["parameters"] = [_parameter(p) for p in operation.parameters]
    if operation.body:
        content = {kind: {"schema": schema} for kind, schema in operation.body.items()}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.text,
        "required": parameter.required,
        "schema": parameter.schema,
    }


def _reply(reply: Reply) -> dict[str, Any]:
    made: dict[str, Any] = {"description": reply.text}
    if reply.schema is not None:
        made["content"] = {reply.content_type: {"schema": reply.schema}}
    return made


def _errors(codes: Iterable[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS[code], []).append(f"`{code}`: {CODES[code]}")
    return {
        str(status): {
            "description": " ".join(texts),
            **({"headers": {"Retry-After": _SECONDS}} if status in RETRY_AFTER else {}),
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, texts in sorted(by_status.items())
    }

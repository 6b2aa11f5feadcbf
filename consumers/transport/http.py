"""Plain HTTP responses of an edge: each ends its connection, or is the head of one that goes on."""

import json
from typing import Final

from websockets.datastructures import Headers
from websockets.http11 import Response

_REASONS: Final = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


def http_response(status: int, content_type: str, body: bytes, **headers: str) -> bytes:
    """A response that ends its connection."""
    named = Headers(
        [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
            *((name.replace("_", "-").title(), value) for name, value in headers.items()),
        ]
    )
    return Response(status, _REASONS.get(status, "Error"), named, body).serialize()


def problem(status: int, code: str, detail: str) -> bytes:
    """A refusal, as problem+json."""
    body = json.dumps({"status": status, "code": code, "detail": detail}).encode()
    return http_response(status, "application/problem+json", body)


def stream_head(content_type: str, origin: str | None) -> bytes:
    """The head of a response that is written as things happen, without the empty line that ends it."""
    lines = [
        "HTTP/1.1 200 OK",
        f"Content-Type: {content_type}",
        "Cache-Control: no-store",
        "Connection: close",
        "X-Accel-Buffering: no",
    ]
    if origin is not None:
        lines += [f"Access-Control-Allow-Origin: {origin}", "Vary: Origin"]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1", "replace")

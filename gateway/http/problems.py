"""Errors over HTTP: problem+json (RFC 9457) with the stable code, and the status that goes with it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from math import ceil
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from kernel.errors import CODES, TouchlineError
from kernel.fairness.budgets import RateLimitedError
from kernel.process.logs import get_logger

_log = get_logger("touchline.gateway")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Error code -> HTTP status.
STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "bad_request": 400,
        "undecodable": 400,
        "bad_channel": 400,
        "unauthorized": 401,
        "forbidden": 403,
        "muted": 403,
        "not_found": 404,
        "exists": 409,
        "ended": 409,
        "expired": 410,
        "too_large": 413,
        "unsupported_media_type": 415,
        "invalid_event": 422,
        "too_many": 422,
        "moderated": 422,
        "rate_limited": 429,
        "limit_reached": 429,
        "queue_full": 429,
        "not_delivered": 503,
        "unavailable": 503,
        "closed": 503,
        "disk_full": 507,
    }
)
#: What aiohttp itself raises, by status.
_CODE: Final[Mapping[int, str]] = MappingProxyType({404: "not_found", 405: "bad_request", 413: "too_large"})
#: Seconds that a client should wait before it tries again.
RETRY_AFTER: Final[Mapping[int, str]] = MappingProxyType({429: "1", 503: "5"})
CONTENT_TYPE: Final = "application/problem+json"
#: Nobody reads it but the metrics.
_CLIENT_HAS_GONE: Final = 499


def problem(error: TouchlineError, *, status: int | None = None) -> web.Response:
    """The response for an error."""
    status = status or STATUS.get(error.code, 500)
    body, headers = head_of(error, status)
    return web.Response(
        status=status, body=json.dumps(body).encode(), content_type=CONTENT_TYPE, headers=headers
    )


def head_of(error: TouchlineError, status: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The members of a problem's body, and its headers."""
    body = {
        "type": f"urn:touchline:error:{error.code}",
        "title": CODES[error.code],
        "status": status,
        "detail": str(error),
        "code": error.code,
    }
    headers: dict[str, str] = {}
    if isinstance(error, RateLimitedError):
        headers["Retry-After"] = str(max(1, ceil(error.retry_after_s)))
    elif status in RETRY_AFTER:
        headers["Retry-After"] = RETRY_AFTER[status]
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return body, headers


@web.middleware
async def as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error of a handler as a problem; unexpected ones are logged, and say nothing of the inside."""
    try:
        return await handler(request)
    except TouchlineError as error:
        return problem(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        found = problem(
            TouchlineError(_CODE.get(error.status, "bad_request"), f"{error.reason}."), status=error.status
        )
        if "Allow" in error.headers:
            found.headers["Allow"] = error.headers["Allow"]
        return found
    except ConnectionError:  # the client has gone: nobody to answer, and nothing of note
        return web.Response(status=_CLIENT_HAS_GONE)
    except Exception:
        _log.exception("a request failed unexpectedly", method=request.method, route=_route(request))
        return problem(TouchlineError("unavailable", "The gateway failed; it has been logged."), status=500)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "none"

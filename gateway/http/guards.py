"""What keeps requests of other sites' pages away, and one user's requests from being all that is done."""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.http.origins import Origins
from gateway.http.problems import Handler, problem
from kernel.access.hosts import host_allowed, same_origin
from kernel.access.tokens import is_loopback
from kernel.errors import TouchlineError
from kernel.settings.sections import Gateway

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def same_site(settings: Gateway, origins: Origins) -> Middleware:
    """Refuses requests by a name that is not the gateway's, and what pages of other origins want changed."""
    on_loopback = is_loopback(settings.host)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        hosts = request.headers.getall("Host", [])
        if len(hosts) > 1 or not host_allowed(
            hosts[0] if hosts else None, settings.hosts, on_loopback=on_loopback
        ):
            return problem(
                TouchlineError(
                    "forbidden",
                    "The gateway is not called so here.",
                    hint="See the setting gateway.hosts.",
                )
            )
        if ahead := origins.answer_ahead(request):
            return ahead
        if request.method not in _READING and _of_another_site(request, settings, origins):
            return problem(
                TouchlineError(
                    "forbidden",
                    "Pages of other origins may not ask for this.",
                    hint="See the setting gateway.origins.",
                )
            )
        return await handler(request)

    return check


def _of_another_site(request: web.Request, settings: Gateway, allowed: Origins) -> bool:
    origins = request.headers.getall("Origin", [])
    host = request.headers.get("Host")
    if any(not (same_origin(origin, host, settings.hosts) or allowed.allow(origin)) for origin in origins):
        return True
    return not origins and request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}


async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
    """JSON that may be large: returns when the client has taken it, so that it counts for so long."""
    response = web.StreamResponse()
    response.content_type = "application/json"
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body)
    await response.write_eof()
    return response

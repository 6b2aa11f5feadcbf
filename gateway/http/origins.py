"""Pages of other origins: which of them may ask the gateway, and how browsers are told so (CORS).

Nothing is allowed with cookies: there are none, and a token goes with each request by hand.
"""

import re
from typing import Final

from aiohttp import web

from kernel.access.hosts import loopback_origins
from kernel.access.tokens import is_loopback
from kernel.settings.sections import Gateway

_METHODS: Final = "GET, POST, PUT, PATCH, DELETE"
#: How long a browser need not ask again.
_HOLDS_S: Final = "600"
#: Names of headers, as a browser lists them.
_HEADERS: Final = re.compile(r"[A-Za-z0-9-]{1,60}(?:, ?[A-Za-z0-9-]{1,60}){0,30}")


class Origins:
    """Whose pages may ask: those of the settings; while these are empty, on loopback the gateway's own, by
    whatever name of this machine, and elsewhere none."""

    def __init__(self, settings: Gateway) -> None:
        own = loopback_origins(settings.port) if is_loopback(settings.host) else frozenset[str]()
        self._allowed = frozenset(settings.origins) or own

    def allow(self, origin: str | None) -> bool:
        """Whether pages of this origin may ask; `null`, which any page can be, never may."""
        if origin is None or origin == "null":
            return False
        return "*" in self._allowed or origin in self._allowed

    def answer_ahead(self, request: web.Request) -> web.Response | None:
        """The answer to a browser that asks before it sends a request of a page; None: it is no such one."""
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        if not self.allow(request.headers.get("Origin")):
            return None
        headers = {"Access-Control-Allow-Methods": _METHODS, "Access-Control-Max-Age": _HOLDS_S}
        wanted = request.headers.get("Access-Control-Request-Headers", "")
        if _HEADERS.fullmatch(wanted):
            headers["Access-Control-Allow-Headers"] = wanted
        return web.Response(status=204, headers=headers)

    async def tell(self, request: web.Request, response: web.StreamResponse) -> None:
        """Write into each answer that the page may read it; what says so already is for all pages."""
        origin = request.headers.get("Origin")
        if origin is None or "Access-Control-Allow-Origin" in response.headers:
            return
        response.headers.add("Vary", "Origin")
        if self.allow(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "*"

"""The pages of viewers and of who works here: static files, under a policy that allows nothing else."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from gateway.context import Context
from kernel.access.tokens import has_keys
from kernel.settings.reading import Settings

#: `make web` builds them here, and the wheel carries them.
_BUILT: Final = Path(__file__).parents[1] / "dist"
#: Where each page is.
_PAGES: Final = {
    "/": "home.html",
    "/moderate": "moderate.html",
    "/nearby": "nearby.html",
    "/ops": "ops.html",
    "/search": "search.html",
    "/studio": "studio.html",
}
#: What a channel is watched on: at `/` as well, where the address names one.
_CHANNEL_PAGE: Final = "index.html"
_NAMES: Final = ("channel", "stream")
_ASSET: Final = r"{name:[A-Za-z0-9_.-]+}"
#: Their names hold a hash of their content.
_FOR_EVER: Final = "public, max-age=31536000, immutable"
#: Its name stays when it changes: browsers ask each time whether it has.
_CLIENT: Final = {
    "Content-Type": "text/javascript; charset=utf-8",
    "Cache-Control": "no-cache",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MISSING: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Touchline</title>
<h1>The pages are not built here</h1>
<p>Run <code>make web</code> in the checkout and load this page again. Everything else works without it:
the HTTP interface, the edges, and the command line.</p>
"""


def built_pages() -> Path | None:
    """The folder with the built files, if they were built."""
    return _BUILT if (_BUILT / "index.html").is_file() else None


def edge_urls(settings: Settings, host: str) -> list[str]:
    """Where a page that was asked for at `host` connects to."""
    if settings.gateway.edges:
        return list(settings.gateway.edges)
    if settings.edge.public_url:
        return [settings.edge.public_url]
    scheme = "wss" if settings.edge.tls_cert else "ws"
    name = urlsplit(f"//{host}").hostname or "127.0.0.1"
    if ":" in name:
        name = f"[{name}]"
    return [f"{scheme}://{name}:{settings.edge.port}/v1/ws"]


def _files(settings: Settings) -> list[str]:
    """The origins of a bucket with attachments; none where the gateway itself serves them."""
    attachments = settings.attachments
    if attachments.store != "s3":
        return []
    endpoint = urlsplit(attachments.s3_endpoint)
    if endpoint.netloc:
        return [f"{endpoint.scheme}://{endpoint.netloc}"]
    bucket = f"https://{attachments.s3_bucket}.s3"
    return [f"{bucket}.amazonaws.com", f"{bucket}.{attachments.s3_region}.amazonaws.com"]


def policy(settings: Settings, edges: list[str]) -> str:
    """The content security policy: scripts and styles of this origin, sockets to the edges, nothing else.

    On loopback `touchline up` may have started other edges beside the first: any port there will do.
    """
    sockets = set[str]()
    for url in edges:
        parts = urlsplit(url)
        local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        port = ":*" if local else (f":{parts.port}" if parts.port else "")
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        sockets.add(f"{parts.scheme}://{host}{port}")
    tiles = urlsplit(settings.gateway.tiles_url)
    images = f" {tiles.scheme}://{tiles.netloc.replace('{s}', '*')}" if tiles.netloc else ""
    for origin in _files(settings):
        sockets.add(origin)
        images += f" {origin}"
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "font-src": "'self'",
        # Pictures that are about to be sent are shown from memory.
        "img-src": f"'self' data: blob:{images}",
        "connect-src": " ".join(["'self'", *sorted(sockets)]),
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


async def routes(context: Context) -> list[web.RouteDef]:
    """The pages, their files, and what they are told about this pipeline."""
    return page_routes(context.settings)


def page_routes(settings: Settings) -> list[web.RouteDef]:
    """The routes. Files are looked up at each request: a build appears without a restart."""

    def headers(request: web.Request) -> dict[str, str]:
        return {
            "Content-Security-Policy": policy(settings, edge_urls(settings, request.host)),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-cache",
        }

    def page(name: str) -> _Handler:
        async def serve(request: web.Request) -> web.StreamResponse:
            folder = built_pages()
            if folder is None:
                return web.Response(
                    status=503, text=_MISSING, content_type="text/html", headers=headers(request)
                )
            named = request.path == "/" and any(request.query.get(given) for given in _NAMES)
            return web.FileResponse(folder / (_CHANNEL_PAGE if named else name), headers=headers(request))

        return serve

    async def asset(request: web.Request) -> web.StreamResponse:
        folder = built_pages()
        file = folder / "assets" / request.match_info["name"] if folder else None
        if file is None or not file.is_file():
            raise web.HTTPNotFound(text="There is no such file.")
        return web.FileResponse(file, headers={**headers(request), "Cache-Control": _FOR_EVER})

    async def client(_: web.Request) -> web.StreamResponse:
        """@touchline/client in one file, for pages of other sites as well."""
        folder = built_pages()
        file = folder / "client.js" if folder else None
        if file is None or not file.is_file():
            raise web.HTTPNotFound(text="The client is not built here: run `make web` in the checkout.")
        return web.FileResponse(file, headers=_CLIENT)

    async def config(request: web.Request) -> web.Response:
        gateway = settings.gateway
        tiles = {"url": gateway.tiles_url, "attribution": gateway.tiles_attribution}
        return web.json_response(
            {
                "edges": edge_urls(settings, request.host),
                "tiles": tiles if gateway.tiles_url else None,
                "demo": True,
                "names": not has_keys(settings.auth),
                "channel": gateway.page_channel,
                "nearby": {
                    "inactive_s": settings.nearby.inactive_s,
                    "public_cell_m": settings.nearby.public_cell_m,
                },
            },
            headers={"Cache-Control": "no-cache"},
        )

    return [
        *(web.get(path, page(name)) for path, name in _PAGES.items()),
        web.get(f"/assets/{_ASSET}", asset),
        web.get("/client.js", client),
        web.get("/v1/page", config),
    ]

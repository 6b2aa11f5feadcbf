"""The operator's HTTP port of a role: /healthz, /readyz and /metrics."""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from kernel.errors import TouchlineError
from kernel.process.health import Health
from kernel.process.metrics import registry


def ops_routes(health: Health) -> list[web.RouteDef]:
    """The three routes, for roles that serve HTTP anyway."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        body = {"ready": health.ready, "problems": health.problems}
        return web.json_response(body, status=200 if health.ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry()), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)]


class OpsServer:
    """Serves the routes on a port of its own, for roles that speak no HTTP otherwise."""

    def __init__(self, health: Health, host: str, port: int) -> None:
        app = web.Application()
        app.add_routes(ops_routes(health))
        self._runner = web.AppRunner(app, access_log=None)
        self._host, self._port = host, port

    async def start(self) -> None:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            raise TouchlineError(
                "port_taken",
                f"Cannot listen on {self._host}:{self._port} ({error.strerror}).",
                hint="Stop the program that listens there, or choose another port in the settings.",
            ) from error

    async def stop(self) -> None:
        await self._runner.cleanup()

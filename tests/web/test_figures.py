"""What the operators' page is told: every role asked, none that is silent left out or waited for."""

import pytest
from aiohttp import ClientSession, ClientTimeout, web
from aiohttp.test_utils import TestServer

from gateway.operators.figures import Figures, read_metrics, watched_roles
from kernel.errors import TouchlineError
from kernel.process.health import Health
from kernel.process.ops_port import ops_routes
from kernel.settings.reading import Gateway, Settings, Stream


async def test_each_role_is_asked_and_a_silent_one_is_said_to_be_down() -> None:
    health = Health("kafka")
    app = web.Application()
    app.add_routes(ops_routes(health))
    async with TestServer(app) as server, ClientSession(timeout=ClientTimeout(total=60)) as http:
        url = str(server.make_url("")).rstrip("/")
        figures = Figures({"edge": url, "index": "http://127.0.0.1:1"}, http)
        edge, index = await figures.latest(0.0)
        assert (edge["state"], edge["problems"]) == ("not ready", {"kafka": "not yet"})
        assert "touchline_viewers" in {metric["name"] for metric in edge["metrics"]}
        assert (index["state"], index["metrics"]) == ("down", [])
        assert "127.0.0.1:1" in index["problems"]["answer"]

        health.ok("kafka")
        assert (await figures.latest(0.4))[0]["state"] == "not ready", "fresh enough to be used again"
        assert (await figures.latest(0.6))[0]["state"] == "ready"


async def test_what_answers_with_something_else_is_down_and_nothing_breaks() -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>", content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/readyz", page)])
    async with TestServer(app) as server, ClientSession() as http:
        (role,) = await Figures({"edge": str(server.make_url("")).rstrip("/")}, http).latest(0.0)
    assert role["state"] == "down"


def test_only_our_metrics_are_passed_on() -> None:
    text = (
        "# TYPE touchline_viewers gauge\ntouchline_viewers 3.0\n"
        "# TYPE process_open_fds gauge\nprocess_open_fds 12.0\n"
        '# TYPE touchline_accepted counter\ntouchline_accepted_total{kind="chat"} 5.0\n'
        'touchline_accepted_created{kind="chat"} 1.7e9\n'
    )
    assert read_metrics(text) == [
        {"name": "touchline_viewers", "labels": {}, "value": 3.0},
        {"name": "touchline_accepted_total", "labels": {"kind": "chat"}, "value": 5.0},
    ]


def test_roles_come_from_the_settings() -> None:
    assert watched_roles(Settings(stream=Stream(host="0.0.0.0", port=7)))["stream"] == "http://127.0.0.1:7"
    given = Settings(gateway=Gateway(roles=("edge-1=http://a:1/", "edge-2=https://b:2")))
    assert watched_roles(given) == {"edge-1": "http://a:1", "edge-2": "https://b:2"}
    with pytest.raises(TouchlineError, match="name=url"):
        watched_roles(Settings(gateway=Gateway(roles=("edge",))))

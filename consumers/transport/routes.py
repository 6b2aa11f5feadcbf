"""What answers on an edge's port beside WebSockets: health, metrics, drain, and viewers' other ways in."""

import json
from collections.abc import Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from consumers.service.service import Service
from consumers.service.tokens import Tokens
from consumers.transport.handshake import Handshake, ParsedRequest, Route
from consumers.transport.http import http_response, problem
from consumers.transport.polling import poll_route
from consumers.transport.sse import sse_route
from kernel.access.tokens import UnknownKey
from kernel.errors import TouchlineError
from kernel.process.health import Health


def plain_routes(tokens: Tokens, health: Health, drain: Callable[[], None]) -> Mapping[str, Route]:
    """Path -> what answers there."""

    def healthz(_: Handshake, __: ParsedRequest) -> bytes:
        return http_response(200, "application/json", b'{"status":"ok"}')

    def readyz(_: Handshake, __: ParsedRequest) -> bytes:
        body = json.dumps({"ready": health.ready, "problems": health.problems}).encode()
        return http_response(200 if health.ready else 503, "application/json", body)

    def metrics(_: Handshake, __: ParsedRequest) -> bytes:
        return http_response(200, CONTENT_TYPE_LATEST, generate_latest())

    def leave(_: Handshake, asked: ParsedRequest) -> bytes:
        if asked.method != "POST":
            return problem(405, "bad_request", "Draining changes something: send POST.")
        if "Origin" in asked.headers:
            return problem(403, "forbidden", "Pages ask the gateway to drain an edge.")
        try:
            grants = tokens.grants_now(asked.token, asked.user)
        except UnknownKey:
            raise
        except TouchlineError as error:
            return problem(401, error.code, error.message)
        if not grants.allows("admin", "*"):
            return problem(403, "forbidden", "This needs a token that allows admin on *.")
        drain()
        return http_response(202, "application/json", b'{"draining":true}')

    return {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics, "/v1/drain": leave}


def fallback_routes(service: Service) -> Mapping[str, Route]:
    """For viewers whose network breaks WebSockets: path -> what answers there."""
    return {"/v1/sse": sse_route(service), "/v1/poll": poll_route(service)}

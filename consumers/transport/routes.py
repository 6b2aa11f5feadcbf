"""The edge's plain HTTP: health, metrics, and what an operator asks for."""

import json
from collections.abc import Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from consumers.service.tokens import Tokens
from consumers.transport.handshake import Asked, Handshake, Route, http_response
from kernel.errors import TouchlineError
from kernel.health import Health
from kernel.tokens import UnknownKey


def plain_routes(tokens: Tokens, health: Health, drain: Callable[[], None]) -> Mapping[str, Route]:
    """Path -> what answers there."""

    def healthz(_: Handshake, __: Asked) -> bytes:
        return http_response(200, "application/json", b'{"status":"ok"}')

    def readyz(_: Handshake, __: Asked) -> bytes:
        body = json.dumps({"ready": health.ready, "problems": health.problems}).encode()
        return http_response(200 if health.ready else 503, "application/json", body)

    def metrics(_: Handshake, __: Asked) -> bytes:
        return http_response(200, CONTENT_TYPE_LATEST, generate_latest())

    def leave(_: Handshake, asked: Asked) -> bytes:
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


def problem(status: int, code: str, detail: str) -> bytes:
    """A refusal, as problem+json."""
    body = json.dumps({"status": status, "code": code, "detail": detail}).encode()
    return http_response(status, "application/problem+json", body)

"""Opens an edge's port: every connection begins with a handshake."""

import asyncio
import resource
import sys
from collections.abc import Mapping

from consumers.service.service import Service
from consumers.transport.handshake import Handshake, Route
from consumers.transport.tls import FAREWELL_S, tls_context
from kernel.errors import TouchlineError


async def listen(service: Service, routes: Mapping[str, Route], *, share_port: bool) -> asyncio.Server:
    """Take connections. `share_port`: of the same port with other processes. Raises `port_taken`."""
    _raise_file_limit()
    edge = service.edge
    context = tls_context(edge)
    try:
        return await asyncio.get_running_loop().create_server(
            lambda: Handshake(service, routes, secure=context is not None),
            edge.host,
            edge.port,
            backlog=4096,
            ssl=context,
            ssl_handshake_timeout=edge.handshake_timeout_s if context else None,
            ssl_shutdown_timeout=FAREWELL_S if context else None,
            reuse_port=share_port or None,
        )
    except OSError as error:
        raise TouchlineError(
            "port_taken",
            f"Cannot listen on {edge.host}:{edge.port} ({error.strerror}).",
            hint="Stop the program that listens there, or set TOUCHLINE_EDGE_PORT.",
        ) from error


def _raise_file_limit() -> None:
    """A viewer is a file descriptor."""
    if sys.platform != "win32":
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

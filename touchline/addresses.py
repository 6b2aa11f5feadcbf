"""Where this deployment's servers listen, as a command reaches them from the same machine."""

from kernel.settings.reading import Settings

#: An address to listen on is not always one to connect to.
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


def edge_url(settings: Settings) -> str:
    """The edge of these settings."""
    host = _ANYWHERE.get(settings.edge.host, settings.edge.host)
    return f"{'wss' if settings.edge.tls_cert else 'ws'}://{host}:{settings.edge.port}/v1/ws"


def gateway_url(settings: Settings) -> str:
    """The gateway of these settings."""
    return settings.gateway.public_url or f"http://127.0.0.1:{settings.gateway.port}"

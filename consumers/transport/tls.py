"""TLS at the edge itself: its certificate, and how long a connection may take to end."""

import ssl
from typing import Final

from kernel.errors import TouchlineError
from kernel.settings.reading import Edge

#: For the other side to confirm the end. A dead one never does, and counts as a viewer until then.
FAREWELL_S: Final = 5.0


def tls_context(edge: Edge) -> ssl.SSLContext | None:
    """What the settings name; None: the edge speaks plainly. Raises TouchlineError."""
    if not edge.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(edge.tls_cert, edge.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        raise TouchlineError(
            "bad_setting",
            f"TOUCHLINE_EDGE_TLS_CERT ({edge.tls_cert}) and TOUCHLINE_EDGE_TLS_KEY ({edge.tls_key})"
            f" cannot be read: {error}.",
        ) from error
    return context

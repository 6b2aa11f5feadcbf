"""TLS at the edge itself: its certificate, and how long a connection may take to end."""

import ssl
from pathlib import Path
from typing import Final

from cryptography.x509 import load_pem_x509_certificates

from kernel.errors import TouchlineError
from kernel.process.metrics import CERTIFICATE_ENDS
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
        own, *_ = load_pem_x509_certificates(Path(edge.tls_cert).read_bytes())
        CERTIFICATE_ENDS.labels("edge").set(own.not_valid_after_utc.timestamp())
    except (OSError, ValueError, ssl.SSLError) as error:
        raise TouchlineError(
            "bad_setting",
            f"TOUCHLINE_EDGE_TLS_CERT ({edge.tls_cert}) and TOUCHLINE_EDGE_TLS_KEY ({edge.tls_key})"
            f" cannot be read: {error}.",
        ) from error
    return context

"""Asks a role how it is: over HTTP, on the port that it serves its operators."""

import http.client
import ssl
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

_LAG: Final = "touchline_consumer_lag"


def get(url: str, *, timeout_seconds: float = 2.0) -> tuple[int, bytes] | None:
    """Status and body; None if nobody answers in time."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        # It is our own child on our own machine, and its certificate is made out to the public name.
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, parts.port, timeout=timeout_seconds, context=unchecked)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=timeout_seconds)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def is_ready(operator_url: str) -> bool:
    """Whether the role says that it is ready."""
    answer = get(f"{operator_url}/readyz")
    return answer is not None and answer[0] == http.client.OK


def lag(metrics: Iterable[str]) -> int | None:
    """How many records a role still has to read, over all its topics; None if it does not say."""
    values = [
        float(line.rpartition(" ")[2]) for line in metrics if line.startswith((f"{_LAG}{{", f"{_LAG} "))
    ]
    return round(sum(values)) if values else None

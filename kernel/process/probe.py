"""Asks a role over HTTP how it is, for checks: `python -m kernel.process.probe URL` exits 0 for a 200."""

import http.client
import ssl
import sys
from urllib.parse import urlsplit


def get(url: str, timeout: float = 3.0) -> tuple[int, bytes] | None:
    """Status and body; None if nobody answers in time."""
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        # It is asked on its own machine, and its certificate is made out to the public name.
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=unchecked)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def answers(url: str, timeout: float = 3.0) -> bool:
    """Whether `url` answers 200 in time."""
    answer = get(url, timeout)
    return answer is not None and answer[0] == http.client.OK


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)

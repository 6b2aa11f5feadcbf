"""`python -m kernel.probe URL` exits 0 if the address answers 200: what a container's health check needs."""

import http.client
import sys
from urllib.parse import urlsplit


def answers(url: str, timeout: float = 3.0) -> bool:
    """Whether `url` answers 200 in time."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)

"""Which `Host` and `Origin` a request may name: what keeps pages of other sites away. Pure.

A page can make a browser send requests to this machine, by a name of its own that it lets point here (DNS
rebinding) too; it cannot make it lie about the name, nor about where the page came from.
"""

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")


def name_of(host: str) -> str:
    """`Host` without its port, as names are compared; empty where it is none."""
    host = host.strip().lower()
    name, _, port = host.rpartition(":")
    if name and port.isdigit() and (name.endswith("]") or ":" not in name):
        host = name
    return host.removesuffix(".").removeprefix("[").removesuffix("]")


def host_allowed(host: str | None, allowed: Collection[str], *, on_loopback: bool) -> bool:
    """Whether a request may name this host. `allowed` are the settings' names, with or without port.

    Without any: on loopback only loopback's own names, elsewhere all. No browser sends a request without one.
    """
    if host is None or "*" in allowed:
        return True
    if allowed:
        return name_of(host) in {name_of(one) for one in allowed} or host.lower() in allowed
    return not on_loopback or _is_loopback(name_of(host))


def loopback_origins(port: int) -> frozenset[str]:
    """The origins of pages that a server on this port of this machine serves."""
    return frozenset(f"{scheme}://{name}:{port}" for scheme in ("http", "https") for name in _LOOPBACK_NAMES)


def same_origin(origin: str, host: str | None, hosts: Collection[str] = ()) -> bool:
    """Whether a page of this origin comes from the server that is called `host`; `null` never does."""
    try:
        place = urlsplit(origin).netloc.lower()
    except ValueError:
        return False
    return bool(place) and (place == (host or "").lower() or place in hosts or name_of(place) in hosts)


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
